"""`ResourceQuota` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="resourcequotas",
    singular="resourcequota",
    kind="ResourceQuota",
    short_names=("quota",),
    schema="io.k8s.api.core.v1.ResourceQuota",
    has_status=True,
)
