"""`PriorityLevelConfiguration` of `flowcontrol.apiserver.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    kind="PriorityLevelConfiguration",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    has_status=True,
    counts_generation=True,
)
