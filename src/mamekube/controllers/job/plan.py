"""What to do next for one Job: counts, conditions, pods to create and delete. Pure.

A pod is counted once: its uid goes into `uncountedTerminatedPods` before its finalizer is removed, and into the
counters after. So at any moment a crash loses nothing and counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.job import indexes
from mamekube.controllers.job.failurepolicy import Verdict, judge
from mamekube.foundation.clock import parse_time
from mamekube.foundation.limits import CREATE_BURST_MAX
from mamekube.objects import conditions
from mamekube.objects.meta import Object, being_deleted, has_finalizer, metadata, uid_of

FINALIZER = "batch.kubernetes.io/job-tracking"

BACKOFF_INITIAL_S = 10.0
BACKOFF_LIMIT_S = 600.0


@dataclass(slots=True)
class Plan:
    """Write `status`, then remove finalizers from `release`, then delete and create."""

    status: dict[str, Any]
    release: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    create: list[int | None] = field(default_factory=list)
    """One entry for each pod: its completion index, or None."""
    events: list[tuple[str, str, bool]] = field(default_factory=list)
    """(reason, message, is a warning)"""
    again_s: float | None = None


def is_finished(job: Object) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def is_indexed(job: Object) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


def plan(job: Object, pods: Sequence[Object], *, may_act: bool, now_s: float, now: str) -> Plan:
    """`pods` are all that the Job owns. `may_act`: the cache shows everything that was asked for before."""
    planner = _Planner(job, pods, now_s=now_s, now=now)
    planner.count()
    planner.judge()
    planner.manage(may_act=may_act)
    planner.conclude()
    return planner.result


class _Planner:
    def __init__(self, job: Object, pods: Sequence[Object], *, now_s: float, now: str) -> None:
        self.job, self.spec = job, job["spec"]
        self.now_s, self.now = now_s, now
        old = job.get("status") or {}
        self.status: dict[str, Any] = {**old, "conditions": list(old.get("conditions") or ())}
        self.result = Plan(self.status)
        self.pods = pods
        self.active = [pod for pod in pods if podfacts.is_active(pod)]
        self.terminating = [pod for pod in pods if podfacts.is_terminating(pod)]
        self.policy: list[Verdict] = []
        uncounted = old.get("uncountedTerminatedPods") or {}
        self.uncounted = {kind: list(uncounted.get(kind) or ()) for kind in ("succeeded", "failed")}
        self.completed = indexes.parse(old.get("completedIndexes") or "", completions=self.completions or 0)

    @property
    def completions(self) -> int | None:
        return self.spec.get("completions")

    # Counting ---------------------------------------------------------------------------------------

    def count(self) -> None:
        """Count those whose finalizer is gone; take in those that have ended since."""
        held = {uid_of(pod) for pod in self.pods if has_finalizer(pod, FINALIZER)}
        for kind, uids in self.uncounted.items():
            counted = [uid for uid in uids if uid not in held]
            self.uncounted[kind] = [uid for uid in uids if uid in held]
            if counted:
                self.status[kind] = self.status.get(kind, 0) + len(counted)
        for pod in self.pods:
            if has_finalizer(pod, FINALIZER) and self._has_ended(pod):
                self._take_in(pod)

    def _has_ended(self, pod: Object) -> bool:
        """Finished, or so deleted that nobody will finish it."""
        if podfacts.is_terminal(pod):
            return True
        return being_deleted(pod) and not podfacts.node_of(pod)

    def _take_in(self, pod: Object) -> None:
        uid = uid_of(pod)
        self.result.release.append(pod)
        if uid in self.uncounted["succeeded"] or uid in self.uncounted["failed"]:
            return
        if podfacts.phase_of(pod) == "Succeeded":
            if is_indexed(self.job):
                index = indexes.index_of(pod)
                if index is not None and index < (self.completions or 0):
                    self.completed.add(index)
            else:
                self.uncounted["succeeded"].append(uid)
            return
        verdict = judge(self.spec.get("podFailurePolicy"), pod)
        if verdict is not None:
            self.policy.append(verdict)
            if verdict.action == "Ignore":
                return
        if not is_finished(self.job):
            self.uncounted["failed"].append(uid)

    @property
    def succeeded(self) -> int:
        if is_indexed(self.job):
            return len(self.completed)
        return int(self.status.get("succeeded", 0)) + len(self.uncounted["succeeded"])

    @property
    def failed(self) -> int:
        return int(self.status.get("failed", 0)) + len(self.uncounted["failed"])

    # Judging ----------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Set SuccessCriteriaMet or FailureTarget, from which there is no way back."""
        if not self.status.get("startTime") and not self.spec.get("suspend"):
            self.status["startTime"] = self.now
        if self._has("SuccessCriteriaMet") or self._has("FailureTarget"):
            return
        failure = self._failure()
        if failure is not None:
            self._set("FailureTarget", *failure)
        elif self._is_complete():
            self._set("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")

    def _failure(self) -> tuple[str, str] | None:
        for verdict in self.policy:
            if verdict.action == "FailJob":
                return "PodFailurePolicy", verdict.message
        limit = self.spec.get("backoffLimit", 6)
        if self.failed > limit or self._restarts_beyond(limit):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline_s = self.spec.get("activeDeadlineSeconds")
        if deadline_s is None or self.spec.get("suspend") or not self.status.get("startTime"):
            return None
        left_s = parse_time(self.status["startTime"]) + deadline_s - self.now_s
        if left_s <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        self._look_again(left_s)
        return None

    def _restarts_beyond(self, limit: int) -> bool:
        """Where pods restart their containers themselves, restarts are the failures."""
        if self.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        restarts = sum(
            _restarts(pod) for pod in self.pods if podfacts.phase_of(pod) in ("Running", "Pending")
        )
        return restarts > 0 if limit == 0 else restarts >= limit

    def _is_complete(self) -> bool:
        if self.completions is None:
            return self.succeeded > 0 and not self.active
        return self.succeeded >= self.completions

    # Acting -----------------------------------------------------------------------------------------

    def manage(self, *, may_act: bool) -> None:
        """Delete what is too much, create what is missing."""
        ending = self._has("SuccessCriteriaMet") or self._has("FailureTarget")
        if ending or self.spec.get("suspend"):
            self.result.delete = list(self.active)
            self._note_suspension(ending=ending)
            return
        self._note_suspension(ending=False)
        if not may_act:
            return
        surplus = self._surplus()
        self.result.delete = surplus
        missing = self._wanted() - (len(self.active) - len(surplus))
        if self.spec.get("podReplacementPolicy") == "Failed":
            missing -= len(self.terminating)
        if missing <= 0 or surplus:
            return
        wait_s = self._backoff_s()
        if wait_s > 0:
            self._look_again(wait_s)
            return
        missing = min(missing, CREATE_BURST_MAX)
        self.result.create = list(self._free_indexes(missing)) if is_indexed(self.job) else [None] * missing

    def _wanted(self) -> int:
        parallelism = int(self.spec.get("parallelism", 1))
        if self.completions is None:
            # A work queue: once one has succeeded, the others find no more work and end by themselves.
            return len(self.active) if self.succeeded else parallelism
        return min(parallelism, self.completions - self.succeeded)

    def _surplus(self) -> list[Object]:
        surplus = len(self.active) - max(0, self._wanted())
        superfluous = self._superfluous() if is_indexed(self.job) else []
        surplus -= len(superfluous)
        if surplus <= 0:
            return superfluous
        rest = [pod for pod in self.active if pod not in superfluous]
        return superfluous + podfacts.deletion_order(rest, siblings_on_node={}, now_s=self.now_s)[:surplus]

    def _superfluous(self) -> list[Object]:
        """Pods whose index is done, out of range, or taken by an older pod."""
        taken = set(self.completed)
        result = []
        for pod in sorted(self.active, key=lambda pod: metadata(pod).get("creationTimestamp") or ""):
            index = indexes.index_of(pod)
            if index is None or index in taken or index >= (self.completions or 0):
                result.append(pod)
            else:
                taken.add(index)
        return result

    def _free_indexes(self, count: int) -> list[int]:
        # A pod that is still terminating keeps its index until it is gone: its successor has the same hostname.
        taken = self.completed | {
            index for pod in (*self.active, *self.terminating) if (index := indexes.index_of(pod)) is not None
        }
        free = (index for index in range(self.completions or 0) if index not in taken)
        return [index for _, index in zip(range(count), free, strict=False)]

    def _backoff_s(self) -> float:
        """Failures since the last success double the wait, counted from the last failure's end."""
        ended = sorted(
            (_ended_s(pod, self.now_s), podfacts.phase_of(pod) == "Succeeded")
            for pod in self.pods
            if podfacts.is_terminal(pod)
        )
        failures, last_s = 0, 0.0
        for ended_s, success in ended:
            failures, last_s = (0, ended_s) if success else (failures + 1, ended_s)
        if not failures:
            return 0.0
        delay_s = min(BACKOFF_LIMIT_S, BACKOFF_INITIAL_S * 2 ** min(failures - 1, 10))
        return max(0.0, last_s + delay_s - self.now_s)

    def _note_suspension(self, *, ending: bool) -> None:
        if ending:
            return
        suspended = self._has("Suspended")
        if self.spec.get("suspend") and not suspended:
            self._set("Suspended", "JobSuspended", "Job suspended")
            self.status.pop("startTime", None)
            self.result.events.append(("Suspended", "Job suspended", False))
        elif suspended and not self.spec.get("suspend"):
            self._set("Suspended", "JobResumed", "Job resumed", status="False")
            self.status["startTime"] = self.now
            self.result.events.append(("Resumed", "Job resumed", False))

    # Concluding -------------------------------------------------------------------------------------

    def conclude(self) -> None:
        self._finish()
        numbers = {
            "active": 0 if is_finished({"status": self.status}) else len(self.active),
            "ready": sum(map(podfacts.is_ready, self.active)),
            "terminating": len(self.terminating),
        }
        self.status.update(numbers)
        if not numbers["active"]:
            del self.status["active"]
        if is_indexed(self.job):
            self.status["completedIndexes"] = indexes.render(self.completed)
            self.status["succeeded"] = len(self.completed)
            if not self.completed:
                del self.status["completedIndexes"], self.status["succeeded"]
        self.status["uncountedTerminatedPods"] = {kind: uids for kind, uids in self.uncounted.items() if uids}
        if not self.status["conditions"]:
            del self.status["conditions"]

    def _finish(self) -> None:
        """Complete or Failed, once no pod runs and every ended one has been counted."""
        if self.active or self.terminating or any(self.uncounted.values()) or self.result.release:
            return
        if is_finished({"status": self.status}):
            return
        failure = conditions.find(self.status["conditions"], "FailureTarget")
        success = conditions.find(self.status["conditions"], "SuccessCriteriaMet")
        if failure is not None and failure["status"] == "True":
            self._set("Failed", failure["reason"], failure["message"])
            self.result.events.append((failure["reason"], failure["message"], True))
        elif success is not None and success["status"] == "True":
            self._set("Complete", success["reason"], success["message"])
            self.status["completionTime"] = self.now
            self.result.events.append(("Completed", "Job completed", False))

    def _has(self, kind: str) -> bool:
        return conditions.is_true({"status": self.status}, kind)

    def _set(self, kind: str, reason: str, message: str, *, status: str = "True") -> None:
        entry: Mapping[str, Any] = {
            "type": kind,
            "status": status,
            "lastProbeTime": self.now,
            "lastTransitionTime": self.now,
            "reason": reason,
            "message": message,
        }
        self.status["conditions"] = conditions.replaced(self.status["conditions"], entry, now=self.now)

    def _look_again(self, wait_s: float) -> None:
        known_s = self.result.again_s
        self.result.again_s = wait_s if known_s is None else min(known_s, wait_s)


def _restarts(pod: Object) -> int:
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(entry.get("restartCount", 0) for entry in entries)


def _ended_s(pod: Object, now_s: float) -> float:
    """When the last of its containers ended; where none tells, when it was last seen to change."""
    ended = []
    for entry in (pod.get("status") or {}).get("containerStatuses") or ():
        finished = ((entry.get("state") or {}).get("terminated") or {}).get("finishedAt")
        if finished:
            ended.append(parse_time(finished))
    if ended:
        return max(ended)
    ready = conditions.find(conditions.conditions_of(pod), "Ready") or {}
    since = ready.get("lastTransitionTime") or metadata(pod).get("creationTimestamp")
    return parse_time(since) if since else now_s
