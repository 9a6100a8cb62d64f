"""`StorageClass` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.storage import parameters, topologies
from mamekube.objects.fielderrors import forbidden, not_supported, required
from mamekube.objects.meta import Object, annotations_of

DEFAULT_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)

COLUMNS = (
    cells.NAME,
    Column(name="Provisioner", field="storage.v1.StorageClass.provisioner"),
    Column(name="ReclaimPolicy", field="storage.v1.StorageClass.reclaimPolicy"),
    Column(name="VolumeBindingMode", field="storage.v1.StorageClass.volumeBindingMode"),
    Column(name="AllowVolumeExpansion", field="storage.v1.StorageClass.allowVolumeExpansion"),
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


RECLAIM_POLICIES = ("Delete", "Retain")
BINDING_MODES = frozenset(("Immediate", "WaitForFirstConsumer"))


def validate(storage_class: Object) -> Found:
    found: Found = []
    parameters.check_provisioner(storage_class.get("provisioner"), "provisioner", found)
    parameters.check_parameters(storage_class.get("parameters"), found)
    policy, mode = storage_class.get("reclaimPolicy"), storage_class.get("volumeBindingMode")
    if policy and policy not in RECLAIM_POLICIES:
        found.append(not_supported("reclaimPolicy", policy, RECLAIM_POLICIES))
    if mode is None:
        found.append(required("volumeBindingMode"))
    elif mode not in BINDING_MODES:
        found.append(not_supported("volumeBindingMode", mode, BINDING_MODES))
    topologies.validate(storage_class.get("allowedTopologies") or (), "allowedTopologies", found)
    return found


def warnings(new: Object, old: Object | None) -> list[str]:
    return topologies.warnings(new.get("allowedTopologies") or (), "allowedTopologies")


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if (new.get(field) or {}) != (old.get(field) or {}):
            found.append(forbidden(field, f"updates to {field} are forbidden."))
    check_immutable(new, old, "volumeBindingMode", "volumeBindingMode", found)
    return found


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
    validate=validate,
    validate_update=validate_update,
    warnings=warnings,
)
