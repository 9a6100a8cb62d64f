"""`Namespace` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="namespaces",
    singular="namespace",
    kind="Namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    schema="io.k8s.api.core.v1.Namespace",
    has_status=True,
    subresources=("finalize",),
    name_rule="label",
)
