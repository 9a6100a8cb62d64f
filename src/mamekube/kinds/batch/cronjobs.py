"""`CronJob` of `batch/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="batch",
    version="v1",
    plural="cronjobs",
    singular="cronjob",
    kind="CronJob",
    short_names=("cj",),
    categories=("all",),
    schema="io.k8s.api.batch.v1.CronJob",
    has_status=True,
    counts_generation=True,
)
