"""What may be written as the status of a Job, by its controller or by another that the Job names.

Most rules are asked only where the write changes what they are about: a status that broke one before may be mended
step by step.
"""

from __future__ import annotations

from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.kinds import cells
from mamekube.kinds.batch import indexes
from mamekube.kinds.fields import Found, check_not_negative, shown_pointer
from mamekube.objects import conditions
from mamekube.objects.fielderrors import OMITTED, Struct, duplicate, invalid, required
from mamekube.objects.meta import Object

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_OUTCOMES = ("Complete", "Failed")

_EXCLUDING = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
)
_EXCLUDED_BY_SUCCESS = (
    ("Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    ("FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
)
_LASTING = ("Failed", "Complete", "FailureTarget")


class _Write:
    """One write of a status: what is there now, what was, and what of it is another."""

    def __init__(self, new: Object, old: Object) -> None:
        self.new, self.old = new, old
        self.spec, self.status = cells.spec_of(new), cells.status_of(new)
        self.before = cells.status_of(old)
        self.finished = any(self.is_true(kind) for kind in _OUTCOMES)
        was_finished = any(conditions.is_true(old, kind) for kind in _OUTCOMES)
        self.finish_changed = self.finished != was_finished

    def is_true(self, *kinds: str) -> bool:
        return all(conditions.is_true(self.new, kind) for kind in kinds)

    def turned(self, *kinds: str) -> bool:
        return any(conditions.is_true(self.new, kind) != conditions.is_true(self.old, kind) for kind in kinds)

    def changed(self, *fields: str) -> bool:
        return any(self.status.get(field) != self.before.get(field) for field in fields)

    def counted(self, field: str) -> bool:
        """Whether a count that may be left out while it is zero is another."""
        return cells.count(self.status, field) != cells.count(self.before, field)


def validate(new: Object, old: Object) -> Found:
    found: Found = []
    write = _Write(new, old)
    for field in _COUNTS:
        check_not_negative(write.status, field, "status", found)
    _validate_uncounted(write.status.get("uncountedTerminatedPods"), found)
    for first, second, detail in _EXCLUDING:
        if write.turned(first, second) and write.is_true(first, second):
            found.append(invalid("status.conditions", OMITTED, detail))
    _validate_times(write, found)
    _validate_ways(write, found)
    _validate_finished(write, found)
    _validate_indexes(write, found)
    _validate_pods(write, found)
    _validate_success(write, found)
    _validate_history(write, found)
    return found


def _validate_uncounted(uncounted: dict[str, Any] | None, found: Found) -> None:
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for index, uid in enumerate((uncounted or {}).get(field) or ()):
            path = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                found.append(invalid(path, "", "must not be empty"))
            elif uid in seen:
                found.append(duplicate(path, uid))
            seen.add(uid or "")


def _validate_times(write: _Write, found: Found) -> None:
    start, end = write.status.get("startTime"), write.status.get("completionTime")
    path = "status.completionTime"
    if write.turned("Complete") or write.changed("completionTime"):
        if end and not write.is_true("Complete"):
            detail = "cannot set completionTime when there is no Complete=True condition"
            found.append(invalid(path, end, detail))
        if not end and write.is_true("Complete"):
            found.append(required(path, "completionTime is required for Complete jobs"))
    if write.changed("startTime", "completionTime") and start and end and _is_before(end, start):
        found.append(invalid(path, end, "completionTime cannot be set before startTime"))


def _is_before(first: str, second: str) -> bool:
    try:
        return parse_time(first) < parse_time(second)
    except ValueError:
        return False


def _validate_ways(write: _Write, found: Found) -> None:
    """An outcome is announced before it is there."""
    for outcome, first in (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")):
        if write.turned(outcome, first) and write.is_true(outcome) and not write.is_true(first):
            detail = f"cannot set {outcome}=True condition without the {first}=true condition"
            found.append(invalid("status.conditions", OMITTED, detail))


def _validate_finished(write: _Write, found: Found) -> None:
    if not write.finished:
        return
    status, active = write.status, cells.count(write.status, "active")
    if active > 0 and (write.finish_changed or write.counted("active")):
        found.append(invalid("status.active", active, "active>0 is invalid for finished job"))
    # A suspended Job that has nothing to do is finished without ever having started.
    idle = write.spec.get("suspend") is True and write.spec.get("completions") == 0
    if not idle and not status.get("startTime") and (write.finish_changed or write.changed("startTime")):
        found.append(required("status.startTime", "startTime is required for finished job"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if any(uncounted.get(field) for field in ("succeeded", "failed")) and (
        write.finish_changed or write.changed("uncountedTerminatedPods")
    ):
        shown = Struct(Succeeded=uncounted.get("succeeded"), Failed=uncounted.get("failed"))
        detail = "uncountedTerminatedPods needs to be empty for finished job"
        found.append(invalid("status.uncountedTerminatedPods", shown, detail))


def _validate_indexes(write: _Write, found: Found) -> None:
    completions, per_index = write.spec.get("completions"), write.spec.get("backoffLimitPerIndex")
    completed, failed = write.status.get("completedIndexes") or "", write.status.get("failedIndexes")
    completed_changed = completed != (write.before.get("completedIndexes") or "")
    failed_changed = write.changed("failedIndexes")
    if completed_changed and completions is not None:
        _check_indexes(completed, "completedIndexes", found, completions)
    if failed_changed and failed is not None and completions is not None and per_index is not None:
        _check_indexes(failed, "failedIndexes", found, completions)
    if completed_changed and completed and write.spec.get("completionMode") != "Indexed":
        detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
        found.append(invalid("status.completedIndexes", completed, detail))
    if failed_changed and failed is not None and per_index is None:
        detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        found.append(invalid("status.failedIndexes", failed, detail))
    if (completed_changed or failed_changed) and failed is not None and completions is not None:
        both = indexes.overlap(completed, failed, completions)
        if both is not None:
            detail = f"failedIndexes and completedIndexes overlap at index: {both}"
            found.append(invalid("status.failedIndexes", failed, detail))


def _check_indexes(text: str, field: str, found: Found, completions: int) -> None:
    try:
        indexes.count(text, completions)
    except indexes.IndexesError as error:
        found.append(invalid(f"status.{field}", text, f"error parsing {field}: {error}"))


def _validate_pods(write: _Write, found: Found) -> None:
    terminating, ready = write.status.get("terminating"), write.status.get("ready")
    if (terminating or 0) > 0 and write.finished and (write.finish_changed or write.changed("terminating")):
        detail = "terminating>0 is invalid for finished job"
        found.append(invalid("status.terminating", terminating, detail))
    touched = write.changed("ready") or write.counted("active")
    if touched and (ready or 0) > cells.count(write.status, "active"):
        found.append(invalid("status.ready", ready, "cannot set more ready pods than active"))


def _validate_success(write: _Write, found: Found) -> None:
    for other, detail in _EXCLUDED_BY_SUCCESS:
        if write.is_true("SuccessCriteriaMet", other):
            found.append(invalid("status.conditions", OMITTED, detail))
    unasked = write.is_true("Complete") and not write.is_true("SuccessCriteriaMet")
    if unasked and write.spec.get("successPolicy") is not None:
        detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        found.append(invalid("status.conditions", OMITTED, detail))


def _validate_history(write: _Write, found: Found) -> None:
    """What was said once and may not be taken back."""
    spec, status, before = write.spec, write.status, write.before
    for kind in _LASTING:
        if conditions.is_true(write.old, kind) and not write.is_true(kind):
            detail = f"cannot disable the terminal {kind}=True condition"
            found.append(invalid("status.conditions", OMITTED, detail))
    # An indexed Job that is made smaller has fewer indexes that can have succeeded.
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for field in ("failed",) if elastic else ("failed", "succeeded"):
        if cells.count(status, field) < cells.count(before, field):
            detail = f"cannot decrease the {field} counter"
            found.append(invalid(f"status.{field}", cells.count(status, field), detail))
    if status.get("completionTime") and before.get("completionTime") and write.changed("completionTime"):
        detail = "completionTime cannot be mutated"
        found.append(invalid("status.completionTime", status["completionTime"], detail))
    restarted = before.get("startTime") and write.changed("startTime")
    if restarted and not spec.get("suspend") and not _resumes(write):
        detail = "field is immutable for unsuspended job once set"
        found.append(invalid("status.startTime", shown_pointer(status.get("startTime")), detail))
    had_success = conditions.is_true(write.old, "SuccessCriteriaMet")
    if had_success and not write.is_true("SuccessCriteriaMet"):
        detail = "cannot disable the SuccessCriteriaMet=True condition"
        found.append(invalid("status.conditions", OMITTED, detail))
    if conditions.is_true(write.old, "Complete") and not had_success and write.is_true("SuccessCriteriaMet"):
        detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        found.append(invalid("status.conditions", OMITTED, detail))


def _resumes(write: _Write) -> bool:
    suspended = conditions.find(conditions.conditions_of(write.new), "Suspended") or {}
    return conditions.is_true(write.old, "Suspended") and suspended.get("status") == "False"
