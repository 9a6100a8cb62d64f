"""kubectl apply: three-way merge against the last applied configuration, or server-side."""

from __future__ import annotations

import json
from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, dry_run, report, write_query
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, read_manifests, target_of
from mamekube.kubectl.threeway import three_way_patch
from mamekube.kubectl.transport import refusal
from mamekube.objects.meta import Object, annotations_of, metadata

MANAGER = "kubectl-client-side-apply"
SERVER_SIDE_MANAGER = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FLAGS = (
    *FILE_FLAGS,
    *WRITE_FLAGS,
    Flag("server-side", "bool"),
    Flag("force-conflicts", "bool"),
    Flag("selector", short="l"),
)


def run(session: Session) -> int:
    if not session.flag("filename"):
        raise Failure("error: must specify one of -f and -k")
    for manifest in read_manifests(session):
        target = target_of(session, manifest)
        if not target.name:
            raise Failure("error: from -: cannot use generate name with apply")
        if target.namespace:
            manifest = {**manifest, "metadata": {**metadata(manifest), "namespace": target.namespace}}
        if session.flag("server-side"):
            _apply_on_server(session, target, manifest)
        else:
            _apply(session, target, manifest)
    return 0


def _apply_on_server(session: Session, target: Target, manifest: Object) -> None:
    query = write_query(session, SERVER_SIDE_MANAGER)
    query["force"] = "true" if session.flag("force-conflicts") else "false"
    applied = session.api.call(
        "PATCH", target.path, query=query, body=manifest, content_type="application/apply-patch+yaml"
    )
    report(session, target, applied, "serverside-applied")


def _apply(session: Session, target: Target, manifest: Object) -> None:
    answer = session.api.request("GET", target.path)
    if answer.code == 404:
        created = create(session, target, _annotated(manifest), manager=MANAGER)
        report(session, target, created, "created")
        return
    if answer.code >= 400:
        raise refusal(answer)
    live: Object = answer.json()
    recorded = annotations_of(live).get(LAST_APPLIED)
    if recorded is None:
        session.warn(
            f"Warning: resource {target.found.resource.plural}/{target.name} is missing the {LAST_APPLIED} annotation "
            "which is required by kubectl apply. kubectl apply should only be used on resources created declaratively "
            "by either kubectl create --save-config or kubectl apply. The missing annotation will be patched "
            "automatically."
        )
    patch = three_way_patch(json.loads(recorded) if recorded else {}, _annotated(manifest), live)
    if not patch:
        report(session, target, live, "unchanged")
        return
    report(session, target, _patch(session, target, live, patch), "configured")


def _patch(session: Session, target: Target, live: Object, patch: Any) -> Object:
    if dry_run(session) == "client":
        return live
    query = write_query(session, MANAGER)
    # Built-in kinds know their merge keys; custom resources take plain merges only.
    built_in = "." not in target.found.resource.group or target.found.resource.group.endswith(".k8s.io")
    kind = "strategic-merge-patch" if built_in else "merge-patch"
    patched: Object = session.api.call(
        "PATCH", target.path, query=query, body=patch, content_type=f"application/{kind}+json"
    )
    return patched


def _annotated(manifest: Object) -> Object:
    """The manifest with itself, as it was given, in its annotation."""
    annotations = {key: value for key, value in annotations_of(manifest).items() if key != LAST_APPLIED}
    bare = {**manifest, "metadata": {**metadata(manifest), "annotations": annotations}}
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    return {**bare, "metadata": {**bare["metadata"], "annotations": {**annotations, LAST_APPLIED: text}}}
