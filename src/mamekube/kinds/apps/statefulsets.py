"""`StatefulSet` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec.defaults import default_claim_spec, default_template
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Ready", description="Number of the pod with ready state"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
)


def default(stateful_set: Object) -> None:
    spec = stateful_set.setdefault("spec", {})
    default_template(spec.get("template"))
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec.get("updateStrategy")
    if strategy is None:
        strategy = spec["updateStrategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        # Upstream fills in the partition of a strategy that it chose itself, too.
        strategy.setdefault("rollingUpdate", {})
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "RollingUpdate" and rolling is not None and rolling.get("partition") is None:
        rolling["partition"] = 0
    retention = spec.get("persistentVolumeClaimRetentionPolicy")
    if retention is None:
        retention = spec["persistentVolumeClaimRetentionPolicy"] = {}
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        default_claim_spec(claim.setdefault("spec", {}))
        claim.setdefault("status", {"phase": "Pending"})


def prepare_create(stateful_set: Object) -> None:
    stateful_set["status"] = {"replicas": 0, "availableReplicas": 0}


def row(stateful_set: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(stateful_set), cells.status_of(stateful_set)
    return [
        cells.name(stateful_set),
        f"{cells.count(status, 'readyReplicas')}/{cells.count(spec, 'replicas')}",
        cells.age(stateful_set, now_s),
        *cells.container_cells(spec.get("template")),
    ]


KIND = Kind(
    group="apps",
    version="v1",
    plural="statefulsets",
    singular="statefulset",
    kind="StatefulSet",
    short_names=("sts",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.StatefulSet",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    name_rule="label",
)
