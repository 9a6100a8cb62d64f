"""`Secret` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="secrets",
    singular="secret",
    kind="Secret",
    schema="io.k8s.api.core.v1.Secret",
)
