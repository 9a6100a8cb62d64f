"""`ComponentStatus` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="componentstatuses",
    singular="componentstatus",
    kind="ComponentStatus",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    schema="io.k8s.api.core.v1.ComponentStatus",
)
