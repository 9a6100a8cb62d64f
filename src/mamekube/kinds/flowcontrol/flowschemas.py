"""`FlowSchema` of `flowcontrol.apiserver.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="flowschemas",
    singular="flowschema",
    kind="FlowSchema",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.FlowSchema",
    has_status=True,
    counts_generation=True,
)
