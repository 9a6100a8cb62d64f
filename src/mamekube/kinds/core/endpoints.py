"""`Endpoints` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="endpoints",
    singular="endpoints",
    kind="Endpoints",
    short_names=("ep",),
    schema="io.k8s.api.core.v1.Endpoints",
)
