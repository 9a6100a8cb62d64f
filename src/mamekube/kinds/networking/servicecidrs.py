"""`ServiceCIDR` of `networking.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    singular="servicecidr",
    kind="ServiceCIDR",
    namespaced=False,
    schema="io.k8s.api.networking.v1.ServiceCIDR",
    has_status=True,
)
