"""`ComponentStatus` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Status", description="Status of the component conditions"),
    Column(name="Message", description="Message of the component conditions"),
    Column(name="Error", description="Error of the component conditions"),
)


def row(component: Object, now_s: float) -> list[Any]:
    for condition in component.get("conditions") or ():
        if condition.get("type") == "Healthy":
            status = "Healthy" if condition.get("status") == "True" else "Unhealthy"
            return [
                cells.name(component),
                status,
                condition.get("message") or "",
                condition.get("error") or "",
            ]
    return [cells.name(component), "Unknown", "", ""]


KIND = Kind(
    group="",
    version="v1",
    plural="componentstatuses",
    singular="componentstatus",
    kind="ComponentStatus",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    schema="io.k8s.api.core.v1.ComponentStatus",
    columns=COLUMNS,
    row=row,
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
)
