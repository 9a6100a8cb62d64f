"""`RuntimeClass` of `node.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="node.k8s.io",
    version="v1",
    plural="runtimeclasses",
    singular="runtimeclass",
    kind="RuntimeClass",
    namespaced=False,
    schema="io.k8s.api.node.v1.RuntimeClass",
)
