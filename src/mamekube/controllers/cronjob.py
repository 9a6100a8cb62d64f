"""CronJobs: a Job at every time of a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import typed_reference
from mamekube.controllers.job.plan import is_finished
from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import CRON_JOBS, JOBS
from mamekube.controllers.runtime import Context, Controller, Watch, itself, owner
from mamekube.foundation.clock import format_time, parse_time
from mamekube.foundation.metrics import STABLE, Family, Histogram, exponential
from mamekube.kinds.batch import schedules
from mamekube.objects import conditions
from mamekube.objects.meta import Object, being_deleted, metadata, name_of, namespace_of, uid_of
from mamekube.objects.owners import is_controlled_by
from mamekube.objects.status import StatusError, is_reason

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MISSED_MAX = 100
"""More missed times than this are reported, since a clock may be wrong."""

SKEW_NAME = "cronjob_controller_job_creation_skew_duration_seconds"
SKEW_BOUNDS_S = exponential(1, 2, 10)


@dataclass(slots=True)
class Plan:
    """Delete, then create, then write the status."""

    status: dict[str, Any]
    delete: list[Object] = field(default_factory=list)
    replaced: list[Object] = field(default_factory=list)
    """Running Jobs that give way to the next one."""
    due_s: float | None = None
    """Create the Job of this time."""
    events: list[tuple[str, str, bool]] = field(default_factory=list)
    again_s: float | None = None


def zone_of(cron_job: Object) -> tzinfo:
    """Raises ZoneInfoNotFoundError."""
    name = cron_job["spec"].get("timeZone")
    return ZoneInfo(name) if name else UTC


def plan(cron_job: Object, jobs: Sequence[Object], *, now_s: float) -> Plan:
    """`jobs` are those that the CronJob owns, whoever made them. Only those in its list of active ones count."""
    result = Plan(dict(cron_job.get("status") or {}))
    running = _note_jobs(result, cron_job, jobs)
    spec = cron_job["spec"]
    if being_deleted(cron_job):
        return result
    try:
        zone = zone_of(cron_job)
    except (ZoneInfoNotFoundError, ValueError):
        name = spec["timeZone"]
        result.events.append(
            ("UnknownTimeZone", f'invalid timeZone: "{name}": unknown time zone {name}', True)
        )
        return result
    if spec.get("suspend"):
        return result
    try:
        schedule = schedules.parse(spec["schedule"])
    except schedules.ScheduleError as error:
        result.events.append(
            ("UnparseableSchedule", f'unparseable schedule: "{spec["schedule"]}" : {error}', True)
        )
        return result
    next_s = schedule.next_after(now_s, zone)
    if next_s is None:
        problem = "time difference between two schedules is less than 1 second"
        result.events.append(("InvalidSchedule", f"invalid schedule: {spec['schedule']} : {problem}", True))
        return result
    earliest_s = _earliest(cron_job, now_s=now_s)
    due_s, missed = _most_recent(schedule, zone, earliest_s, now_s=now_s)
    if isinstance(schedule, schedules.Every):
        # Its times are told by the last one, not by the clock.
        next_s = schedule.next_after(earliest_s if due_s is None else due_s, zone)
    result.again_s = next_s - now_s + 0.1
    if missed > MISSED_MAX:
        message = (
            f"too many missed start times: {missed}. "
            "Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
        result.events.append(("TooManyMissedTimes", message, True))
    if due_s is None:
        return result
    deadline_s = spec.get("startingDeadlineSeconds")
    if deadline_s is not None and due_s + deadline_s < now_s:
        message = f"Missed scheduled time to start a job: {_date(due_s)}"
        result.events.append(("MissSchedule", message, True))
        return result
    policy = spec.get("concurrencyPolicy", "Allow")
    if policy == "Forbid" and running:
        message = "Not starting job because prior execution is running and concurrency policy is Forbid"
        result.events.append(("JobAlreadyActive", message, False))
        return result
    if policy == "Replace":
        result.replaced = running
    result.due_s = due_s
    return result


def _date(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%a, %d %b %Y %H:%M:%S %z")


def _earliest(cron_job: Object, *, now_s: float) -> float:
    """After this a time counts as missed."""
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    moment_s = parse_time(last or metadata(cron_job)["creationTimestamp"])
    deadline_s = cron_job["spec"].get("startingDeadlineSeconds")
    return moment_s if deadline_s is None else max(moment_s, now_s - deadline_s)


def _most_recent(
    schedule: schedules.Schedule, zone: tzinfo, moment_s: float, *, now_s: float
) -> tuple[float | None, int]:
    """The latest time after `moment_s` that is due and has no Job yet, and how many were missed."""
    due_s, missed = None, 0
    while missed <= 10 * MISSED_MAX:
        moment = schedule.next_after(moment_s, zone)
        if moment is None or moment > now_s:
            return due_s, missed
        due_s = moment_s = moment
        missed += 1
    # Far behind: skip to the present, and take the time before it.
    if isinstance(schedule, schedules.Every):
        return moment_s + (now_s - moment_s) // schedule.seconds * schedule.seconds, missed
    step_s = (schedule.next_after(now_s, zone) or now_s) - now_s
    return due_s if step_s <= 0 else _before(schedule, zone, now_s), missed


def _before(schedule: schedules.Schedule, zone: tzinfo, now_s: float) -> float | None:
    for back_s in (120, 7200, 172_800, 5_356_800, 63_244_800):
        moment, found = schedule.next_after(now_s - back_s, zone), None
        while moment is not None and moment <= now_s:
            found, moment = moment, schedule.next_after(moment, zone)
        if found is not None:
            return found
    return None


def _note_jobs(result: Plan, cron_job: Object, jobs: Sequence[Object]) -> list[Object]:
    """Keep the status and the history; the running Jobs among those that the list of active ones has."""
    listed = {entry["uid"]: entry for entry in result.status.pop("active", None) or ()}
    running = {}
    for job in jobs:
        uid, name = uid_of(job), name_of(job)
        if not is_finished(job):
            if uid in listed:
                running[uid] = job
            else:
                message = f"Saw a job that the controller did not create or forgot: {name}"
                result.events.append(("UnexpectedJob", message, True))
            continue
        complete = conditions.is_true(job, "Complete")
        if uid in listed:
            message = f"Saw completed job: {name}, condition: {'Complete' if complete else 'Failed'}"
            result.events.append(("SawCompletedJob", message, False))
        completed = (job.get("status") or {}).get("completionTime") or ""
        if complete and completed > result.status.get("lastSuccessfulTime", ""):
            result.status["lastSuccessfulTime"] = completed
    there = {uid_of(job) for job in jobs}
    for uid, entry in listed.items():
        if uid not in there:
            result.events.append(("MissingJob", f"Active job went missing: {entry['name']}", False))
    active = [entry for uid, entry in listed.items() if uid in running]
    if active:
        result.status["active"] = active
    for kind, limit in (
        ("Complete", cron_job["spec"].get("successfulJobsHistoryLimit", 3)),
        ("Failed", cron_job["spec"].get("failedJobsHistoryLimit", 1)),
    ):
        finished = [job for job in jobs if conditions.is_true(job, kind)]
        finished.sort(key=lambda job: ((job.get("status") or {}).get("startTime") or "", name_of(job)))
        result.delete += finished[: max(0, len(finished) - limit)]
    return list(running.values())


def reference_to(job: Object) -> dict[str, str]:
    described = metadata(job)
    return {
        "kind": "Job",
        "namespace": described["namespace"],
        "name": described["name"],
        "uid": described["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": described["resourceVersion"],
    }


def job_for(cron_job: Object, due_s: float) -> Object:
    """Named after the time, in minutes, so that one time never starts two Jobs."""
    template = cron_job["spec"]["jobTemplate"]
    described = template.get("metadata") or {}
    annotations = {**(described.get("annotations") or {}), SCHEDULED_AT: format_time(due_s)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{name_of(cron_job)[:52]}-{int(due_s) // 60}",
            "namespace": namespace_of(cron_job),
            "labels": dict(described.get("labels") or {}),
            "annotations": annotations,
            "ownerReferences": [typed_reference(CRON_JOBS, cron_job)],
        },
        "spec": template["spec"],
    }


class CronJobController(Controller):
    """Duty: start a Job at each time of the schedule, and keep only so many finished ones.

    Woken by CronJobs, their Jobs, and the schedule.
    Invariant: one time of the schedule starts one Job at most, because the time is in its name.
    """

    name = "cronjob-controller"
    account = "cronjob-controller"
    watches = (
        Watch(resource=CRON_JOBS, keys=itself),
        Watch(resource=JOBS, keys=owner("CronJob"), indexes=podfacts.OWNED_INDEXES),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._skew = Histogram(SKEW_BOUNDS_S)

    def families(self) -> Iterable[Family]:
        text = "Time between when a cronjob is scheduled to be run, and when the corresponding job is created"
        yield Family(SKEW_NAME, "histogram", text, stability=STABLE).add([], self._skew)

    async def reconcile(self, key: str) -> float | None:
        cron_job = self.cache(CRON_JOBS).get(key)
        if cron_job is None:
            return None
        owned = self.cache(JOBS).by_index(podfacts.OWNER, uid_of(cron_job))
        jobs = [job for job in owned if is_controlled_by(job, cron_job)]
        cron_job, jobs = await self._agreed(cron_job, jobs)
        planned = plan(cron_job, jobs, now_s=self.clock.now())
        for reason, message, warning in planned.events:
            self.record(cron_job, reason, message, warning=warning)
        for job in (*planned.delete, *planned.replaced):
            await self._delete(cron_job, job)
        if planned.due_s is not None:
            await self._start(cron_job, planned, planned.due_s)
        if planned.status != (cron_job.get("status") or {}):
            await self.client.update(CRON_JOBS, {**cron_job, "status": planned.status}, subresource="status")
        return planned.again_s

    async def _agreed(self, cron_job: Object, jobs: list[Object]) -> tuple[Object, list[Object]]:
        """Both, read again where the one cache knows of a running Job and the other does not: either may lag."""
        listed = {entry["uid"]: entry for entry in (cron_job.get("status") or {}).get("active") or ()}
        if any(uid_of(job) not in listed and not is_finished(job) for job in jobs):
            cron_job = await self.client.get(CRON_JOBS, name_of(cron_job), namespace=namespace_of(cron_job))
        cached = {uid_of(job) for job in jobs}
        for uid, entry in listed.items():
            if uid in cached:
                continue
            try:
                job = await self.client.get(JOBS, entry["name"], namespace=namespace_of(cron_job))
            except StatusError as error:
                if not is_reason(error, "NotFound"):
                    raise
            else:
                jobs = [*jobs, job] if uid_of(job) == uid else jobs
        return cron_job, jobs

    async def _start(self, cron_job: Object, planned: Plan, due_s: float) -> None:
        wanted = job_for(cron_job, due_s)
        try:
            job = await self.client.create(JOBS, wanted, namespace=namespace_of(cron_job))
        except StatusError as error:
            if namespace_terminating(error):
                return
            if not is_reason(error, "AlreadyExists"):
                self.record(cron_job, "FailedCreate", f"Error creating job: {error}", warning=True)
                raise
            job = await self.client.get(JOBS, name_of(wanted), namespace=namespace_of(cron_job))
            if not is_controlled_by(job, cron_job):
                return
        else:
            self._skew.observe(parse_time(metadata(job)["creationTimestamp"]) - due_s)
            self.record(cron_job, "SuccessfulCreate", f"Created job {name_of(job)}")
        replaced = {uid_of(old) for old in planned.replaced} | {uid_of(job)}
        kept = [entry for entry in planned.status.get("active") or () if entry["uid"] not in replaced]
        planned.status["active"] = [*kept, *([] if is_finished(job) else [reference_to(job)])]
        planned.status["lastScheduleTime"] = format_time(due_s)

    async def _delete(self, cron_job: Object, job: Object) -> None:
        try:
            await self.client.delete(
                JOBS,
                name_of(job),
                namespace=namespace_of(job),
                propagation="Background",
                uid=uid_of(job),
            )
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return
            self.record(cron_job, "FailedDelete", f"Deleted job: {error}", warning=True)
            raise
        self.record(cron_job, "SuccessfulDelete", f"Deleted job {name_of(job)}")
