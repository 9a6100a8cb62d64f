"""`ConfigMap` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core import data
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Data", field="core.v1.ConfigMap.data"), cells.AGE)


def row(config_map: Object, now_s: float) -> list[Any]:
    size = len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())
    return [cells.name(config_map), size, cells.age(config_map, now_s)]


def validate(config_map: Object) -> Found:
    found: Found = []
    plain, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    data.validate_keys(plain, "data", found)
    for key in plain:
        if key in binary:
            found.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    data.validate_keys(binary, "binaryData", found)
    size = sum(len((value or "").encode()) for value in plain.values())
    size += sum(data.decoded_size(value or "") for value in binary.values())
    # Upstream names a path without a name here, which it writes so.
    data.validate_size(size, "[]", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    data.validate_immutable(new, old, ("data", "binaryData"), found)
    return found


KIND = Kind(
    group="",
    version="v1",
    plural="configmaps",
    singular="configmap",
    kind="ConfigMap",
    short_names=("cm",),
    schema="io.k8s.api.core.v1.ConfigMap",
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)
