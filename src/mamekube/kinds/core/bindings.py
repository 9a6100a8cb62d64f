"""`Binding` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="bindings",
    singular="binding",
    kind="Binding",
    verbs=("create",),
    schema="io.k8s.api.core.v1.Binding",
)
