"""`Job` of `batch/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="batch",
    version="v1",
    plural="jobs",
    singular="job",
    kind="Job",
    categories=("all",),
    schema="io.k8s.api.batch.v1.Job",
    has_status=True,
    counts_generation=True,
)
