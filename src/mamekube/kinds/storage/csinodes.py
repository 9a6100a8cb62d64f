"""`CSINode` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import IMMUTABLE, Found, check, check_driver, check_not_negative, repeated
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, duplicate, invalid, required
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


NODE_ID_BYTES_MAX = 256


def validate(node: Object) -> Found:
    found: Found = []
    seen: set[str] = set()
    for index, driver in enumerate(cells.spec_of(node).get("drivers") or ()):
        path, name = f"spec.drivers[{index}]", driver.get("name") or ""
        check_driver(name, f"{path}.name", found)
        node_id = driver.get("nodeID") or ""
        if not node_id:
            found.append(required(f"{path}.nodeID"))
        if len(node_id.encode()) > NODE_ID_BYTES_MAX:
            detail = f"must be {NODE_ID_BYTES_MAX} characters or less"
            found.append(invalid(f"{path}.nodeID", node_id, detail))
        check_not_negative(driver.get("allocatable") or {}, "count", f"{path}.allocatable", found)
        if name in seen:
            found.append(duplicate(f"{path}.name", name))
        seen.add(name)
        _validate_topology_keys(driver.get("topologyKeys") or [], path, found)
    return found


def _validate_topology_keys(keys: list[str], path: str, found: Found) -> None:
    twice = repeated(keys)
    for index, key in enumerate(keys):
        if not key:
            found.append(required(path))
        if index in twice:
            found.append(duplicate(path, key))
        check(key, path, names.qualified_name, found)


def validate_update(new: Object, old: Object) -> Found:
    """A driver may only learn how many volumes fit."""
    named: dict[str, list[dict[str, Any]]] = {}
    for driver in cells.spec_of(new).get("drivers") or ():
        named.setdefault(driver.get("name") or "", []).append(driver)
    return [
        invalid("spec.drivers", _fixed(after), IMMUTABLE)
        for before in cells.spec_of(old).get("drivers") or ()
        for after in named.get(before.get("name") or "", ())
        if _fixed(after) != _fixed(before)
    ]


def _fixed(driver: dict[str, Any]) -> Struct:
    keys = driver.get("topologyKeys") or None
    return Struct(Name=driver.get("name"), NodeID=driver.get("nodeID"), TopologyKeys=keys, Allocatable=None)


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
    validate_update=validate_update,
)
