"""`ReplicationController` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind, Scale

KIND = Kind(
    group="",
    version="v1",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    kind="ReplicationController",
    short_names=("rc",),
    categories=("all",),
    schema="io.k8s.api.core.v1.ReplicationController",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
)
