"""`ResourceSlice` of `resource.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable, check_required
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
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


def validate(resource_slice: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(resource_slice)
    check_required(spec.get("driver"), "spec.driver", names.dns1123_subdomain, found)
    pool = (spec.get("pool") or {}).get("name") or ""
    for part in pool.split("/"):
        check_required(part, "spec.pool.name", names.dns1123_subdomain, found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    after, before = cells.spec_of(new), cells.spec_of(old)
    for field in ("nodeName", "driver"):
        check_immutable(after, before, field, f"spec.{field}", found)
    return found


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
    validate=validate,
    validate_update=validate_update,
)
