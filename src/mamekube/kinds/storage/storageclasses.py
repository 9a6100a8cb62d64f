"""`StorageClass` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object, annotations_of

DEFAULT_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)

COLUMNS = (
    cells.NAME,
    Column(name="Provisioner"),
    Column(name="ReclaimPolicy"),
    Column(name="VolumeBindingMode"),
    Column(name="AllowVolumeExpansion"),
    cells.AGE,
)


def default(storage_class: Object) -> None:
    if storage_class.get("reclaimPolicy") is None:
        storage_class["reclaimPolicy"] = "Delete"
    if storage_class.get("volumeBindingMode") is None:
        storage_class["volumeBindingMode"] = "Immediate"


def is_default(storage_class: Object) -> bool:
    annotations = annotations_of(storage_class)
    return any(annotations.get(key) == "true" for key in DEFAULT_ANNOTATIONS)


def row(storage_class: Object, now_s: float) -> list[Any]:
    name = cells.name(storage_class)
    return [
        f"{name} (default)" if is_default(storage_class) else name,
        storage_class.get("provisioner") or "",
        storage_class.get("reclaimPolicy") or "Delete",
        storage_class.get("volumeBindingMode") or "Immediate",
        bool(storage_class.get("allowVolumeExpansion")),
        cells.age(storage_class, now_s),
    ]


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="storageclasses",
    singular="storageclass",
    kind="StorageClass",
    namespaced=False,
    short_names=("sc",),
    schema="io.k8s.api.storage.v1.StorageClass",
    default=default,
    columns=COLUMNS,
    row=row,
)
