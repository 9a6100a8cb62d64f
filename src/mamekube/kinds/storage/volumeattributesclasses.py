"""`VolumeAttributesClass` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.storage import parameters
from mamekube.objects.fielderrors import forbidden
from mamekube.objects.meta import Object, annotations_of

DEFAULT_ANNOTATIONS = (
    "volumeattributesclass.alpha.kubernetes.io/is-default-class",
    "volumeattributesclass.kubernetes.io/is-default-class",
)

COLUMNS = (
    cells.NAME,
    Column(name="DriverName", field="storage.v1.VolumeAttributesClass.driverName"),
    cells.AGE,
)


def row(attributes_class: Object, now_s: float) -> list[Any]:
    name, annotations = cells.name(attributes_class), annotations_of(attributes_class)
    if any(annotations.get(key) == "true" for key in DEFAULT_ANNOTATIONS):
        name = f"{name} (default)"
    return [name, attributes_class.get("driverName") or "", cells.age(attributes_class, now_s)]


def validate(attributes_class: Object) -> Found:
    found: Found = []
    parameters.check_provisioner(attributes_class.get("driverName"), "driverName", found)
    parameters.check_parameters(attributes_class.get("parameters"), found, needed=True)
    return found


def validate_update(new: Object, old: Object) -> Found:
    return [
        forbidden(field, f"updates to {field} are forbidden.")
        for field in ("driverName", "parameters")
        if new.get(field) != old.get(field)
    ]


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="volumeattributesclasses",
    singular="volumeattributesclass",
    kind="VolumeAttributesClass",
    namespaced=False,
    short_names=("vac",),
    schema="io.k8s.api.storage.v1.VolumeAttributesClass",
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)
