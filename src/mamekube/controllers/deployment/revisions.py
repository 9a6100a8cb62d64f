"""Revisions of a Deployment: which ReplicaSet is the new one, and the annotations that tell its history. Pure.

`kubectl rollout history` and `undo` read these annotations; their names and rules are upstream's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mamekube.controllers.deployment.sizes import MAX_REPLICAS, desired_replicas, max_surge
from mamekube.controllers.templates import HASH_LABEL, same_template, template_hash
from mamekube.objects.meta import Object, annotations_of, edited, metadata, name_of, namespace_of

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"

NOT_COPIED = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    )
)
"""Annotations that speak of one object only; all others pass from the Deployment to its new ReplicaSet."""

HISTORY_LENGTH_MAX = 2000
"""Characters of the history annotation."""


def by_creation(replica_sets: Iterable[Object]) -> list[Object]:
    """Oldest first; names break ties."""
    return sorted(replica_sets, key=lambda rs: (metadata(rs).get("creationTimestamp") or "", name_of(rs)))


def find_new(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's template."""
    template = deployment["spec"]["template"]
    for replica_set in by_creation(replica_sets):
        if same_template(replica_set["spec"].get("template") or {}, template):
            return replica_set
    return None


def revision_of(obj: Object) -> int:
    """0 where the annotation is missing or no number."""
    try:
        return int(annotations_of(obj).get(REVISION) or 0)
    except ValueError:
        return 0


def max_revision(replica_sets: Iterable[Object]) -> int:
    return max((revision_of(replica_set) for replica_set in replica_sets), default=0)


def new_replica_set(deployment: Object, *, revision: int, replicas: int) -> Object:
    """The ReplicaSet to create for the Deployment's template, without its owner reference."""
    spec = deployment["spec"]
    template = spec["template"]
    digest = template_hash(template, (deployment.get("status") or {}).get("collisionCount"))
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
    selector = spec.get("selector") or {}
    selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}}
    body: dict[str, Any] = {
        "replicas": replicas,
        "selector": selector,
        "template": edited(template, ("metadata", "labels"), labels),
    }
    if spec.get("minReadySeconds"):
        body["minReadySeconds"] = spec["minReadySeconds"]
    replica_set: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "namespace": namespace_of(deployment),
            "labels": labels,
        },
        "spec": body,
    }
    annotations = annotated(deployment, {}, revision=revision)
    annotations.update(size_annotations(deployment))
    return edited(replica_set, ("metadata", "annotations"), annotations)


def size_annotations(deployment: Object) -> dict[str, str]:
    """What the Deployment wanted when it sized its ReplicaSet: a later change shows as a difference."""
    desired = desired_replicas(deployment)
    return {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(desired + max_surge(deployment))}


def annotated(deployment: Object, annotations: Mapping[str, str], *, revision: int) -> dict[str, str]:
    """The annotations of the new ReplicaSet: the Deployment's, its revision, and the revisions it had before."""
    result = dict(annotations)
    for name, value in annotations_of(deployment).items():
        if name not in NOT_COPIED:
            result[name] = value
    before = result.get(REVISION)
    try:
        number = int(before or 0)
    except ValueError:
        return result
    if number < revision:
        result[REVISION] = str(revision)
        if before is not None:
            result[REVISION_HISTORY] = _history(result.get(REVISION_HISTORY, ""), before)
    return result


def _history(known: str, revision: str) -> str:
    """`known` with one revision more; the oldest fall out where it would become too long."""
    revisions = [*(known.split(",") if known else ()), revision]
    while len(revisions) > 1 and len(",".join(revisions)) > HISTORY_LENGTH_MAX:
        del revisions[0]
    return ",".join(revisions)


def to_clean_up(deployment: Object, old: Sequence[Object]) -> list[Object]:
    """The old ReplicaSets beyond `revisionHistoryLimit`, lowest revision first; never one that has pods."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None or limit >= 2**31 - 1:
        return []
    alive = [replica_set for replica_set in old if not metadata(replica_set).get("deletionTimestamp")]
    surplus = len(alive) - limit
    if surplus <= 0:
        return []
    ordered = sorted(alive, key=lambda rs: (revision_of(rs), metadata(rs).get("creationTimestamp") or ""))
    return [replica_set for replica_set in ordered[:surplus] if _is_spent(replica_set)]


def _is_spent(replica_set: Object) -> bool:
    status = replica_set.get("status") or {}
    return (
        not status.get("replicas")
        and not replica_set["spec"].get("replicas")
        and metadata(replica_set).get("generation", 0) <= status.get("observedGeneration", 0)
    )
