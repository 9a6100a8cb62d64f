"""`CronJob` of `batch/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.batch import jobspec, schedules
from mamekube.kinds.fields import Found, check_choice, check_not_negative, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import warnings
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.ages import since
from mamekube.objects.fielderrors import invalid, not_supported, required
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
    spec = section(cron_job, "spec")
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


NAME_LENGTH_MAX = 52
CONCURRENCY_POLICIES = frozenset(("Allow", "Forbid", "Replace"))


def validate(cron_job: Object) -> Found:
    found: Found = []
    spec, name = cells.spec_of(cron_job), cells.name(cron_job)
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    schedule = spec.get("schedule")
    if not schedule:
        found.append(required("spec.schedule"))
    else:
        _validate_schedule(schedule, found)
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        check_not_negative(spec, field, "spec", found)
    zone = spec.get("timeZone")
    if zone == "":
        found.append(invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"))
    check_choice(spec.get("concurrencyPolicy"), "spec.concurrencyPolicy", CONCURRENCY_POLICIES, found)
    if job_spec.get("manualSelector"):
        path = "spec.jobTemplate.spec.manualSelector"
        found.append(not_supported(path, True, ("nil", "false")))
    jobspec.validate_job_spec(job_spec, "spec.jobTemplate.spec", found)
    if len(name) > NAME_LENGTH_MAX:
        found.append(invalid("metadata.name", name, f"must be no more than {NAME_LENGTH_MAX} characters"))
    return found


def _validate_schedule(schedule: str, found: Found) -> None:
    if "TZ" in schedule:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        found.append(invalid("spec.schedule", schedule, detail))
        return
    try:
        schedules.check(schedule)
    except schedules.ScheduleError as error:
        found.append(invalid("spec.schedule", schedule, str(error)))


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
    validate=validate,
    warnings=warnings.of_template("spec", "jobTemplate", "spec", "template"),
)
