"""`IPAddress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import IMMUTABLE, Found, check, check_required, shown_pointer
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import addresses, names
from mamekube.objects.fielderrors import Struct, invalid, required
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="ParentRef", field="networking.v1.IPAddressSpec.parentRef"))


def row(address: Object, now_s: float) -> list[Any]:
    # Upstream's rows have an age that none of its columns is for.
    return [
        cells.name(address),
        _parent_text(cells.spec_of(address).get("parentRef")),
        cells.age(address, now_s),
    ]


def _parent_text(parent: dict[str, Any] | None) -> str:
    if parent is None:
        return cells.NONE
    group = f".{parent['group']}" if parent.get("group") else ""
    namespace = f"/{parent['namespace']}" if parent.get("namespace") else ""
    return f"{(parent.get('resource') or '') + group}".lower() + f"{namespace}/{parent.get('name') or ''}"


def validate(address: Object) -> Found:
    found: Found = []
    check(cells.name(address), "metadata.name", addresses.canonical_ip, found)
    parent = cells.spec_of(address).get("parentRef")
    if parent is None:
        found.append(required("spec.parentRef"))
        return found
    path = "spec.parentRef"
    if parent.get("group"):
        check(parent["group"], f"{path}.group", names.dns1123_subdomain, found)
    for field in ("resource", "name"):
        check_required(parent.get(field), f"{path}.{field}", names.path_segment, found)
    if parent.get("namespace"):
        check(parent["namespace"], f"{path}.namespace", names.path_segment, found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    after, before = (_reference(cells.spec_of(one).get("parentRef")) for one in (new, old))
    if after != before:
        found.append(invalid("spec.parentRef", shown_pointer(after), IMMUTABLE))
    return found


def _reference(parent: dict[str, Any] | None) -> Struct | None:
    """As upstream keeps it."""
    if parent is None:
        return None
    fields = ("Group", "Resource", "Namespace", "Name")
    return Struct({field: parent.get(field.lower()) or "" for field in fields})


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
