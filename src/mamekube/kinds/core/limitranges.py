"""`LimitRange` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="limitranges",
    singular="limitrange",
    kind="LimitRange",
    short_names=("limits",),
    schema="io.k8s.api.core.v1.LimitRange",
)
