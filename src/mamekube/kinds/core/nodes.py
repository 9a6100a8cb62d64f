"""`Node` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="nodes",
    singular="node",
    kind="Node",
    namespaced=False,
    short_names=("no",),
    schema="io.k8s.api.core.v1.Node",
    has_status=True,
    subresources=("proxy",),
)
