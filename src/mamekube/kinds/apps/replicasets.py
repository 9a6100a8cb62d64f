"""`ReplicaSet` of `apps/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind, Scale

KIND = Kind(
    group="apps",
    version="v1",
    plural="replicasets",
    singular="replicaset",
    kind="ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.ReplicaSet",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
)
