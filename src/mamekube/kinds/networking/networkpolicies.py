"""`NetworkPolicy` of `networking.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="networkpolicies",
    singular="networkpolicy",
    kind="NetworkPolicy",
    short_names=("netpol",),
    schema="io.k8s.api.networking.v1.NetworkPolicy",
    counts_generation=True,
)
