"""`EndpointSlice` of `discovery.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    plural="endpointslices",
    singular="endpointslice",
    kind="EndpointSlice",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    counts_generation=True,
)
