"""`IPAddress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import required
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="ParentRef"))


def row(address: Object, now_s: float) -> list[Any]:
    parent = cells.spec_of(address).get("parentRef")
    if not parent:
        return [cells.name(address), cells.NONE]
    resource = f"{parent.get('resource') or ''}.{parent.get('group') or ''}".rstrip(".").lower()
    return [
        cells.name(address),
        "/".join(filter(None, (resource, parent.get("namespace"), parent.get("name")))),
    ]


def validate(address: Object) -> Found:
    found: Found = []
    parent = cells.spec_of(address).get("parentRef")
    check(cells.name(address), "metadata.name", names.ip, found)
    if not parent:
        found.append(required("spec.parentRef"))
        return found
    found.extend(required(f"spec.parentRef.{key}") for key in ("resource", "name") if not parent.get(key))
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    after, before = cells.spec_of(new), cells.spec_of(old)
    check_immutable(after, before, "parentRef", "spec.parentRef", found)
    return found


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ipaddresses",
    singular="ipaddress",
    kind="IPAddress",
    namespaced=False,
    short_names=("ip",),
    schema="io.k8s.api.networking.v1.IPAddress",
    name_rule="path",
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)
