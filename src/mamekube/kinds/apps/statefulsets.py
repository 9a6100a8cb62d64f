"""`StatefulSet` of `apps/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind, Scale

KIND = Kind(
    group="apps",
    version="v1",
    plural="statefulsets",
    singular="statefulset",
    kind="StatefulSet",
    short_names=("sts",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.StatefulSet",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
)
