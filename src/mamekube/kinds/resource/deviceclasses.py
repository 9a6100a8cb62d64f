"""`DeviceClass` of `resource.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.kind import Kind

KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="deviceclasses",
    singular="deviceclass",
    kind="DeviceClass",
    namespaced=False,
    schema="io.k8s.api.resource.v1.DeviceClass",
    counts_generation=True,
    columns=cells.NAME_AND_AGE,
    row=cells.name_and_age,
)
