"""`Lease` of `coordination.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    schema="io.k8s.api.coordination.v1.Lease",
)
