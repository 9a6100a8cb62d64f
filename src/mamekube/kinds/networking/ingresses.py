"""`Ingress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ingresses",
    singular="ingress",
    kind="Ingress",
    short_names=("ing",),
    schema="io.k8s.api.networking.v1.Ingress",
    has_status=True,
    counts_generation=True,
)
