"""`CSIStorageCapacity` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.fields import Found, check_immutable, check_quantity, check_required
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import canonical_or_same
from mamekube.objects import names
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="StorageClassName"), Column(name="Capacity"))


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
    check_required(capacity.get("storageClassName"), "storageClassName", names.dns1123_subdomain, found)
    selectors.validate(capacity.get("nodeTopology"), "nodeTopology", found)
    for field in ("capacity", "maximumVolumeSize"):
        if capacity.get(field) is not None:
            check_quantity(capacity[field], field, found)
    return found


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
)
