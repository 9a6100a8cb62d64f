"""`DaemonSet` of `apps/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="apps",
    version="v1",
    plural="daemonsets",
    singular="daemonset",
    kind="DaemonSet",
    short_names=("ds",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.DaemonSet",
    has_status=True,
    counts_generation=True,
)
