"""`CSIStorageCapacity` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import canonical_or_same
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
)
