"""`CronJob` of `batch/v1`."""

from __future__ import annotations

import re
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
    Column(name="Schedule", field="batch.v1.CronJobSpec.schedule"),
    Column(name="Timezone", field="batch.v1.CronJobSpec.timeZone"),
    Column(name="Suspend", field="batch.v1.CronJobSpec.suspend", type="boolean"),
    Column(name="Active", field="batch.v1.CronJobStatus.active", type="integer"),
    Column(name="Last Schedule", field="batch.v1.CronJobStatus.lastScheduleTime"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column(name="Selector", field="batch.v1.JobSpec.selector", priority=1),
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
        cells.given(spec.get("timeZone"), cells.NONE),
        cells.boolean_text(spec.get("suspend")),
        len(status.get("active") or ()),
        since(last, now_s) if last else cells.NONE,
        cells.age(cron_job, now_s),
        *cells.container_cells(job_spec.get("template")),
        cells.selector_or_none(job_spec.get("selector")),
    ]


NAME_LENGTH_MAX = 52
CONCURRENCY_POLICIES = frozenset(("Allow", "Forbid", "Replace"))


def validate_create(cron_job: Object) -> Found:
    found: Found = []
    _validate(cells.spec_of(cron_job), None, found)
    name = cells.name(cron_job)
    if len(name) > NAME_LENGTH_MAX:
        found.append(invalid("metadata.name", name, f"must be no more than {NAME_LENGTH_MAX} characters"))
    return found


def validate_update(new: Object, old: Object) -> Found:
    """What could once be stored, a long name, a zone or one in the schedule, may stay."""
    found: Found = []
    _validate(cells.spec_of(new), cells.spec_of(old), found)
    return found


def _validate(spec: dict[str, Any], old: dict[str, Any] | None, found: Found) -> None:
    schedule, zone = spec.get("schedule"), spec.get("timeZone")
    if not schedule:
        found.append(required("spec.schedule"))
    else:
        had_zone = "TZ" in ((old or {}).get("schedule") or "")
        _validate_schedule(schedule, found, had_zone=had_zone, zone=zone)
    check_not_negative(spec, "startingDeadlineSeconds", "spec", found)
    if zone is not None and (old is None or zone != old.get("timeZone")):
        _validate_zone(zone, found)
    check_choice(spec.get("concurrencyPolicy"), "spec.concurrencyPolicy", CONCURRENCY_POLICIES, found)
    _validate_job_template((spec.get("jobTemplate") or {}).get("spec") or {}, found)
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        check_not_negative(spec, field, "spec", found)


def _validate_schedule(schedule: str, found: Found, *, had_zone: bool, zone: str | None) -> None:
    try:
        schedules.parse(schedule)
    except schedules.ScheduleError as error:
        found.append(invalid("spec.schedule", schedule, str(error)))
    if "TZ" not in schedule:
        return
    if not had_zone:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        found.append(invalid("spec.schedule", schedule, detail))
    elif zone is not None:
        detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        found.append(invalid("spec.schedule", schedule, detail))


def _validate_zone(zone: str, found: Found) -> None:
    if not zone:
        found.append(invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"))
        return
    parts = zone.split("/")
    if not all(_ZONE_PART.fullmatch(part) and part not in (".", "..") for part in parts):
        found.append(invalid("spec.timeZone", zone, f"unknown time zone {zone}"))
        return
    if zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        found.append(invalid("spec.timeZone", zone, detail))
    if zone != "Local" and not schedules.is_zone(zone):
        found.append(invalid("spec.timeZone", zone, f"unknown time zone {zone}"))


_ZONE_PART = re.compile(r"[A-Za-z._0-9+][A-Za-z._0-9+-]{0,13}")


def _validate_job_template(spec: dict[str, Any], found: Found) -> None:
    path = "spec.jobTemplate.spec"
    jobspec.validate_job_spec(spec, path, found)
    if spec.get("selector") is not None:
        found.append(invalid(f"{path}.selector", spec["selector"], "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        found.append(not_supported(f"{path}.manualSelector", True, ("nil", "false")))


_of_template = warnings.of_template("spec", "jobTemplate", "spec", "template")


def warn(new: Object, old: Object | None) -> list[str]:
    said, spec = warnings.of_name(new, old), cells.spec_of(new)
    if old is None or spec != cells.spec_of(old):
        said += jobspec.warnings_of((spec.get("jobTemplate") or {}).get("spec") or {})
    said += _of_template(new, old)
    if old is not None and "TZ" in (spec.get("schedule") or ""):
        said.append(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
            "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
        )
    return said


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
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warn,
)
