"""Descriptions of deployments and of what owns pods by a selector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.kubectl.describe.pods import write_template
from mamekube.kubectl.describe.writer import Writer, when
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of, namespace_of
from mamekube.objects.owners import controller_of, is_controlled_by
from mamekube.objects.selectors import from_label_selector, from_labels

REVISION = "deployment.kubernetes.io/revision"


def describe_deployment(writer: Writer, deployment: Object, replica_sets: Sequence[Object]) -> None:
    spec, status = deployment["spec"], deployment.get("status") or {}
    writer.line(0, f"Name:\t{name_of(deployment)}")
    writer.line(0, f"Namespace:\t{namespace_of(deployment)}")
    writer.line(0, f"CreationTimestamp:\t{when(metadata(deployment).get('creationTimestamp'))}")
    writer.mapping("Labels", labels_of(deployment))
    writer.annotations("Annotations", annotations_of(deployment))
    writer.line(0, f"Selector:\t{from_label_selector(spec['selector'])}")
    writer.line(
        0,
        f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('updatedReplicas', 0)} updated | "
        f"{status.get('replicas', 0)} total | {status.get('availableReplicas', 0)} available | "
        f"{status.get('unavailableReplicas', 0)} unavailable",
    )
    strategy = spec.get("strategy") or {}
    writer.line(0, f"StrategyType:\t{strategy.get('type', '')}")
    writer.line(0, f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    if rolling := strategy.get("rollingUpdate"):
        writer.line(
            0,
            f"RollingUpdateStrategy:\t{rolling.get('maxUnavailable')} max unavailable, "
            f"{rolling.get('maxSurge')} max surge",
        )
    write_template(writer, spec["template"])
    if status.get("conditions"):
        writer.line(0, "Conditions:")
        writer.line(1, "Type\tStatus\tReason")
        writer.line(1, "----\t------\t------")
        for condition in status["conditions"]:
            writer.line(1, f"{condition['type']} \t{condition['status']}\t{condition.get('reason', '')}")
    _replica_set_lines(writer, deployment, replica_sets)


def _replica_set_lines(writer: Writer, deployment: Object, replica_sets: Sequence[Object]) -> None:
    owned = [entry for entry in replica_sets if is_controlled_by(entry, deployment)]
    owned.sort(key=lambda entry: int(annotations_of(entry).get(REVISION, 0)))
    revision = annotations_of(deployment).get(REVISION)
    newest = [entry for entry in owned if annotations_of(entry).get(REVISION) == revision]
    old = [entry for entry in owned if entry not in newest]
    if not owned:
        return
    writer.line(0, f"OldReplicaSets:\t{_sets_text(old)}")
    writer.line(0, f"NewReplicaSet:\t{_sets_text(newest[:1])}")


def _sets_text(sets: Sequence[Object]) -> str:
    texts = [
        f"{name_of(entry)} ({(entry.get('status') or {}).get('replicas', 0)}/{entry['spec'].get('replicas', 0)} "
        "replicas created)"
        for entry in sets
    ]
    return ", ".join(texts) or "<none>"


def describe_replica_set(writer: Writer, replica_set: Object, pods: Sequence[Object]) -> None:
    spec, status = replica_set["spec"], replica_set.get("status") or {}
    writer.line(0, f"Name:\t{name_of(replica_set)}")
    writer.line(0, f"Namespace:\t{namespace_of(replica_set)}")
    writer.line(0, f"Selector:\t{_selector_text(spec.get('selector'))}")
    writer.mapping("Labels", labels_of(replica_set))
    writer.annotations("Annotations", annotations_of(replica_set))
    if owner := controller_of(replica_set):
        writer.line(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    writer.line(0, f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    writer.line(0, f"Pods Status:\t{pods_status(pods)}")
    write_template(writer, spec.get("template") or {})
    _plain_conditions(writer, status)


def describe_set(writer: Writer, owner: Object, pods: Sequence[Object]) -> None:
    """DaemonSets, StatefulSets and Jobs."""
    spec, status = owner["spec"], owner.get("status") or {}
    writer.line(0, f"Name:\t{name_of(owner)}")
    writer.line(0, f"Namespace:\t{namespace_of(owner)}")
    writer.line(0, f"Selector:\t{_selector_text(spec.get('selector'))}")
    if owner["kind"] == "DaemonSet":
        template_spec = spec["template"]["spec"]
        writer.line(0, f"Node-Selector:\t{from_labels(template_spec.get('nodeSelector')) or '<none>'}")
    writer.mapping("Labels", labels_of(owner))
    writer.annotations("Annotations", annotations_of(owner))
    for label, value in _numbers(owner["kind"], spec, status):
        writer.line(0, f"{label}:\t{value}")
    writer.line(0, f"Pods Status:\t{pods_status(pods)}")
    write_template(writer, spec["template"])


def _numbers(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> list[tuple[str, Any]]:
    if kind == "DaemonSet":
        return [
            ("Desired Number of Nodes Scheduled", status.get("desiredNumberScheduled", 0)),
            ("Current Number of Nodes Scheduled", status.get("currentNumberScheduled", 0)),
            ("Number of Nodes Scheduled with Up-to-date Pods", status.get("updatedNumberScheduled", 0)),
            ("Number of Nodes Scheduled with Available Pods", status.get("numberAvailable", 0)),
            ("Number of Nodes Misscheduled", status.get("numberMisscheduled", 0)),
        ]
    if kind == "StatefulSet":
        return [("Replicas", f"{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")]
    return [("Parallelism", spec.get("parallelism", 1)), ("Completions", spec.get("completions", "<unset>"))]


def pods_status(pods: Sequence[Object]) -> str:
    """`4 Running / 0 Waiting / 0 Succeeded / 0 Failed`."""
    phases = [(pod.get("status") or {}).get("phase", "") for pod in pods]
    return (
        f"{phases.count('Running')} Running / {phases.count('Pending')} Waiting / "
        f"{phases.count('Succeeded')} Succeeded / {phases.count('Failed')} Failed"
    )


def _selector_text(selector: Any) -> str:
    if selector and ("matchLabels" in selector or "matchExpressions" in selector):
        return str(from_label_selector(selector))
    return str(from_labels(selector)) or "<unset>"


def _plain_conditions(writer: Writer, status: dict[str, Any]) -> None:
    if not status.get("conditions"):
        return
    writer.line(0, "Conditions:")
    writer.line(1, "Type\tStatus\tReason")
    writer.line(1, "----\t------\t------")
    for condition in status["conditions"]:
        writer.line(1, f"{condition['type']} \t{condition['status']}\t{condition.get('reason', '')}")
