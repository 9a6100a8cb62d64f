"""kubectl rollout: status, history, pause, resume, restart, undo of deployments (status of sets too)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mamekube.foundation.clock import Clock
from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.describe.pods import describe_template
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.tabs import align
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, resolve_named
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of
from mamekube.objects.owners import is_controlled_by

REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
TEMPLATE_HASH = "pod-template-hash"
FLAGS = (
    *SELECTION_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    Flag("watch", "bool", short="w"),
    Flag("timeout", "duration"),
    Flag("revision", "int"),
    Flag("to-revision", "int"),
)


def run(session: Session) -> int:
    verb, *words = session.words or [""]
    action = ACTIONS.get(verb)
    if action is None:
        raise Failure(
            f'error: unknown command "{verb}" for "kubectl rollout"\nSee \'kubectl rollout -h\' for help'
        )
    for target in resolve_named(session, words, usage="error: required resource not specified"):
        action(session, target)
    return 0


# Status -----------------------------------------------------------------------------------------------


def _status(session: Session, target: Target) -> None:
    judge = STATUSES.get(target.found.resource.kind)
    if judge is None:
        raise Failure(f"error: no status viewer has been implemented for {target.found.resource.group_kind}")
    timeout_s = session.flag("timeout", 0.0)
    deadline = time.monotonic() + timeout_s if timeout_s > 0 else None
    live = session.api.get(target.path)
    while True:
        text, done = judge(live)
        session.out.write(text)
        session.out.flush()
        if done or not session.flag("watch", True):
            return
        live = next_state(session, target, live, deadline)


def next_state(session: Session, target: Target, live: Object, deadline: float | None) -> Object:
    """The object after its next change. Raises Failure when the deadline passes or the object is deleted."""
    collection = target.found.resource.path(namespace=target.namespace)
    revision = metadata(live)["resourceVersion"]
    while True:
        query: dict[str, Any] = {
            "fieldSelector": f"metadata.name={target.name}",
            "watch": "true",
            "resourceVersion": revision,
        }
        if deadline is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Failure("error: timed out waiting for the condition")
            query["timeoutSeconds"] = max(1, int(left_s + 0.999))
        try:
            for event in session.api.lines(collection, query=query):
                if event["type"] == "DELETED":
                    raise Failure("error: object has been deleted")
                if event["type"] in ("ADDED", "MODIFIED"):
                    changed: Object = event["object"]
                    return changed
                if event["type"] == "ERROR":
                    revision = metadata(session.api.get(target.path))["resourceVersion"]
        finally:
            session.api.close()


def _deployment_status(live: Object) -> tuple[str, bool]:
    status, spec, name = live.get("status") or {}, live["spec"], name_of(live)
    if metadata(live).get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed...\n", False
    progressing = next(
        (entry for entry in status.get("conditions") or () if entry["type"] == "Progressing"), None
    )
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        raise Failure(f'error: deployment "{name}" exceeded its progress deadline')
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...\n", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...\n", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...\n", False
    return f'deployment "{name}" successfully rolled out\n', True


def _daemon_set_status(live: Object) -> tuple[str, bool]:
    status, name = live.get("status") or {}, name_of(live)
    if metadata(live).get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for daemon set spec update to be observed...\n", False
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new pods have been updated...\n", False
    available = status.get("numberAvailable", 0)
    if available < wanted:
        return f"{waiting}{available} of {wanted} updated pods are available...\n", False
    return f'daemon set "{name}" successfully rolled out\n', True


def _stateful_set_status(live: Object) -> tuple[str, bool]:
    status, spec = live.get("status") or {}, live["spec"]
    wanted = spec.get("replicas", 1)
    if (
        not status.get("observedGeneration")
        or metadata(live).get("generation", 0) > status["observedGeneration"]
    ):
        return "Waiting for statefulset spec update to be observed...\n", False
    if status.get("readyReplicas", 0) < wanted:
        return f"Waiting for {wanted - status.get('readyReplicas', 0)} pods to be ready...\n", False
    if status.get("updateRevision") != status.get("currentRevision"):
        text = (
            f"waiting for statefulset rolling update to complete {status.get('updatedReplicas', 0)} pods at "
            f"revision {status.get('updateRevision')}...\n"
        )
        return text, False
    return (
        f"statefulset rolling update complete {status.get('currentReplicas', 0)} pods at revision "
        f"{status.get('currentRevision')}...\n"
    ), True


STATUSES: dict[str, Callable[[Object], tuple[str, bool]]] = {
    "Deployment": _deployment_status,
    "DaemonSet": _daemon_set_status,
    "StatefulSet": _stateful_set_status,
}


# History and undo -------------------------------------------------------------------------------------


def _replica_sets(session: Session, target: Target) -> tuple[Object, dict[int, Object]]:
    """The deployment, and its replica sets by revision."""
    if target.found.resource.kind != "Deployment":
        raise Failure(
            f'error: no history viewer has been implemented for "{target.found.resource.group_kind}"'
        )
    live = session.api.get(target.path)
    labels = live["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    sets = session.api.get(
        f"/apis/apps/v1/namespaces/{target.namespace}/replicasets", query={"labelSelector": selector}
    )
    by_revision = {
        int(annotations_of(entry).get(REVISION, 0)): entry
        for entry in sets["items"]
        if is_controlled_by(entry, live)
    }
    return live, by_revision


def _history(session: Session, target: Target) -> None:
    _, sets = _replica_sets(session, target)
    heading = f"{_display(target)} "
    revision = session.flag("revision", 0)
    if revision:
        if revision not in sets:
            raise Failure("error: unable to find the specified revision")
        template = sets[revision]["spec"]["template"]
        session.print(f"{heading.strip()} with revision #{revision}")
        session.out.write(describe_template(template) + "\n")
        return
    rows = ["REVISION\tCHANGE-CAUSE"]
    rows += [
        f"{number}\t{annotations_of(sets[number]).get(CHANGE_CAUSE) or '<none>'}" for number in sorted(sets)
    ]
    session.print(heading)
    session.print(align("\n".join(rows)))
    session.print()


def _display(target: Target) -> str:
    return f"{target.found.resource.group_kind.lower()}/{target.name}"


def _undo(session: Session, target: Target) -> None:
    live, sets = _replica_sets(session, target)
    if live["spec"].get("paused"):
        raise Failure(
            "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and "
            "try again"
        )
    wanted = session.flag("to-revision", 0)
    if wanted and wanted not in sets:
        raise Failure(f"error: unable to find specified revision {wanted} in history")
    if not wanted:
        earlier = sorted(sets)[:-1]
        if not earlier:
            raise Failure(f'error: no rollout history found for deployment "{target.name}"')
        wanted = earlier[-1]
    chosen = sets[wanted]
    template = _without_hash(chosen["spec"]["template"])
    if template == _without_hash(live["spec"]["template"]):
        report(
            session, target, live, f"skipped rollback (current template already matches revision {wanted})"
        )
        return
    kept = {key: value for key, value in annotations_of(live).items() if key in KEPT_ANNOTATIONS}
    annotations = {
        key: value for key, value in annotations_of(chosen).items() if key not in KEPT_ANNOTATIONS
    } | kept
    operations = [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]
    if dry_run(session) != "client":
        live = patch(session, target, operations, manager="kubectl-rollout", kind="json")
    report(session, target, live, "rolled back")


KEPT_ANNOTATIONS = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
}
"""Annotations that stay as the deployment has them when its template goes back."""


def _without_hash(template: Object) -> Object:
    labels = {key: value for key, value in labels_of(template).items() if key != TEMPLATE_HASH}
    return {**template, "metadata": {**metadata(template), "labels": labels}}


# Pause, resume, restart -------------------------------------------------------------------------------


def _pause(session: Session, target: Target) -> None:
    live = session.api.get(target.path)
    if live["spec"].get("paused"):
        raise Failure(f'error: {target.found.resource.plural}.apps "{target.name}" is already paused')
    _patch_spec(session, target, {"paused": True}, "paused")


def _resume(session: Session, target: Target) -> None:
    live = session.api.get(target.path)
    if not live["spec"].get("paused"):
        raise Failure(f'error: {target.found.resource.plural}.apps "{target.name}" is not paused')
    _patch_spec(session, target, {"paused": None}, "resumed")


def _restart(session: Session, target: Target) -> None:
    live = session.api.get(target.path)
    if live["spec"].get("paused"):
        raise Failure(
            f'error: {target.found.resource.plural}.apps "{target.name}" can\'t restart paused deployment (run '
            "rollout resume first)"
        )
    template = {"metadata": {"annotations": {RESTARTED_AT: Clock().timestamp()}}}
    _patch_spec(session, target, {"template": template}, "restarted")


def _patch_spec(session: Session, target: Target, spec: dict[str, Any], done: str) -> None:
    live: Object = {}
    if dry_run(session) != "client":
        live = patch(session, target, {"spec": spec}, manager="kubectl-rollout")
    report(session, target, live, done)


ACTIONS: dict[str, Callable[[Session, Target], None]] = {
    "status": _status,
    "history": _history,
    "undo": _undo,
    "pause": _pause,
    "resume": _resume,
    "restart": _restart,
}
