"""`IngressClass` of `networking.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ingressclasses",
    singular="ingressclass",
    kind="IngressClass",
    namespaced=False,
    schema="io.k8s.api.networking.v1.IngressClass",
    counts_generation=True,
)
