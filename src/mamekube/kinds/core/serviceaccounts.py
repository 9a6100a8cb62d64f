"""`ServiceAccount` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="serviceaccounts",
    singular="serviceaccount",
    kind="ServiceAccount",
    short_names=("sa",),
    schema="io.k8s.api.core.v1.ServiceAccount",
    subresources=("token",),
)
