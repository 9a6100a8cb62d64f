"""`PriorityClass` of `scheduling.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Value", type="integer"),
    Column(name="Global-Default", type="boolean"),
    cells.AGE,
    Column(name="PreemptionPolicy"),
)


def default(priority_class: Object) -> None:
    if priority_class.get("preemptionPolicy") is None:
        priority_class["preemptionPolicy"] = "PreemptLowerPriority"


def row(priority_class: Object, now_s: float) -> list[Any]:
    return [
        cells.name(priority_class),
        cells.count(priority_class, "value"),
        bool(priority_class.get("globalDefault")),
        cells.age(priority_class, now_s),
        priority_class.get("preemptionPolicy") or "",
    ]


KIND = Kind(
    group="scheduling.k8s.io",
    version="v1",
    plural="priorityclasses",
    singular="priorityclass",
    kind="PriorityClass",
    namespaced=False,
    short_names=("pc",),
    schema="io.k8s.api.scheduling.v1.PriorityClass",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
)
