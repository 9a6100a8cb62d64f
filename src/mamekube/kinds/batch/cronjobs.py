"""`CronJob` of `batch/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.ages import since
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Schedule"),
    Column(name="Timezone"),
    Column(name="Suspend", type="boolean"),
    Column(name="Active", type="integer"),
    Column(name="Last Schedule"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    cells.SELECTOR,
)


def default(cron_job: Object) -> None:
    spec = cron_job.setdefault("spec", {})
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    for field, value in (
        ("suspend", False),
        ("successfulJobsHistoryLimit", 3),
        ("failedJobsHistoryLimit", 1),
    ):
        if spec.get(field) is None:
            spec[field] = value
    job_template = spec.get("jobTemplate")
    if job_template is not None:
        if job_template.get("metadata") is None:
            job_template["metadata"] = {}
        default_template((job_template.get("spec") or {}).get("template"))


def prepare_create(cron_job: Object) -> None:
    cron_job["status"] = {}


def row(cron_job: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(cron_job), cells.status_of(cron_job)
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        cells.name(cron_job),
        spec.get("schedule") or "",
        spec.get("timeZone") or cells.NONE,
        cells.boolean_text(spec.get("suspend")),
        len(status.get("active") or ()),
        since(last, now_s) if last else cells.NONE,
        cells.age(cron_job, now_s),
        *cells.container_cells(job_spec.get("template")),
        cells.selector_or_none(job_spec.get("selector")),
    ]


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
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)
