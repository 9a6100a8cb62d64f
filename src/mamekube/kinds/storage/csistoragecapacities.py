"""`CSIStorageCapacity` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.fields import Found, check, check_immutable, check_quantity
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import canonical_or_same
from mamekube.kinds.storage import topologies
from mamekube.objects import names
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="StorageClassName", field="storage.v1.CSIStorageCapacity.storageClassName"),
    Column(name="Capacity", field="storage.v1.CSIStorageCapacity.capacity"),
)


def default(capacity: Object) -> None:
    for field in ("capacity", "maximumVolumeSize"):
        if capacity.get(field) is not None:
            capacity[field] = canonical_or_same(capacity[field])


def row(capacity: Object, now_s: float) -> list[Any]:
    amount = capacity.get("capacity")
    return [
        cells.name(capacity),
        capacity.get("storageClassName") or "",
        cells.UNSET if amount is None else cells.quantity_text(amount),
    ]


def validate(capacity: Object) -> Found:
    found: Found = []
    selectors.validate(capacity.get("nodeTopology"), "nodeTopology", found)
    check(capacity.get("storageClassName") or "", "storageClassName", names.dns1123_subdomain, found)
    if capacity.get("capacity") is not None:
        check_quantity(capacity["capacity"], "capacity", found)
    return found


def warnings(new: Object, old: Object | None) -> list[str]:
    return topologies.selector_warnings(new.get("nodeTopology"), "nodeTopology")


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    for field in ("nodeTopology", "storageClassName"):
        check_immutable(new, old, field, field, found)
    return found


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="csistoragecapacities",
    singular="csistoragecapacity",
    kind="CSIStorageCapacity",
    schema="io.k8s.api.storage.v1.CSIStorageCapacity",
    default=default,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
    warnings=warnings,
)
