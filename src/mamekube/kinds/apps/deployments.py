"""`Deployment` of `apps/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind, Scale

KIND = Kind(
    group="apps",
    version="v1",
    plural="deployments",
    singular="deployment",
    kind="Deployment",
    short_names=("deploy",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.Deployment",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
)
