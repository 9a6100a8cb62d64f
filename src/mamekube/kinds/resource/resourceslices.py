"""`ResourceSlice` of `resource.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Node"), Column(name="Driver"), Column(name="Pool"), cells.AGE)


def row(resource_slice: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(resource_slice)
    return [
        cells.name(resource_slice),
        spec.get("nodeName") or "",
        spec.get("driver") or "",
        (spec.get("pool") or {}).get("name") or "",
        cells.age(resource_slice, now_s),
    ]


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="resourceslices",
    singular="resourceslice",
    kind="ResourceSlice",
    namespaced=False,
    schema="io.k8s.api.resource.v1.ResourceSlice",
    counts_generation=True,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.nodeName": lambda obj: cells.spec_of(obj).get("nodeName") or "",
        "spec.driver": lambda obj: cells.spec_of(obj).get("driver") or "",
    },
)
