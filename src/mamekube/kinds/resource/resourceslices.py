"""`ResourceSlice` of `resource.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="resourceslices",
    singular="resourceslice",
    kind="ResourceSlice",
    namespaced=False,
    schema="io.k8s.api.resource.v1.ResourceSlice",
    counts_generation=True,
)
