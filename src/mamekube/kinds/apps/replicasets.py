"""`ReplicaSet` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Desired", type="integer"),
    Column(name="Current", type="integer"),
    Column(name="Ready", type="integer"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    cells.SELECTOR,
)


def default(replica_set: Object) -> None:
    spec = replica_set.setdefault("spec", {})
    default_template(spec.get("template"))
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def prepare_create(replica_set: Object) -> None:
    replica_set["status"] = {"replicas": 0}


def row(replica_set: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(replica_set), cells.status_of(replica_set)
    return [
        cells.name(replica_set),
        cells.count(spec, "replicas"),
        cells.count(status, "replicas"),
        cells.count(status, "readyReplicas"),
        cells.age(replica_set, now_s),
        *cells.container_cells(spec.get("template")),
        cells.selector_or_none(spec.get("selector")),
    ]


KIND = Kind(
    group="apps",
    version="v1",
    plural="replicasets",
    singular="replicaset",
    kind="ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.ReplicaSet",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={"status.replicas": lambda obj: str(cells.count(cells.status_of(obj), "replicas"))},
)
