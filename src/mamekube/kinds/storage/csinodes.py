"""`CSINode` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_required
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(
        name="Drivers",
        type="integer",
        description="Drivers indicates the number of CSI drivers registered on the node",
    ),
    cells.AGE,
)


def row(node: Object, now_s: float) -> list[Any]:
    return [cells.name(node), len(cells.spec_of(node).get("drivers") or ()), cells.age(node, now_s)]


def validate(node: Object) -> Found:
    found: Found = []
    seen: set[str] = set()
    for index, driver in enumerate(cells.spec_of(node).get("drivers") or ()):
        path, name = f"spec.drivers[{index}]", driver.get("name") or ""
        check_required(name.lower(), f"{path}.name", names.dns1123_subdomain, found)
        if not driver.get("nodeID"):
            found.append(required(f"{path}.nodeID"))
        if name in seen:
            found.append(duplicate(f"{path}.name", name))
        seen.add(name)
    return found


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="csinodes",
    singular="csinode",
    kind="CSINode",
    namespaced=False,
    schema="io.k8s.api.storage.v1.CSINode",
    columns=COLUMNS,
    row=row,
    validate=validate,
)
