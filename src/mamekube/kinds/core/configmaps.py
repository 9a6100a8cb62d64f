"""`ConfigMap` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Data"), cells.AGE)


def row(config_map: Object, now_s: float) -> list[Any]:
    size = len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())
    return [cells.name(config_map), size, cells.age(config_map, now_s)]


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
)
