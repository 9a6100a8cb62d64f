"""What to do next for one Job: counts, conditions, pods to create and delete. Pure.

A pod is counted once: its uid goes into `uncountedTerminatedPods` before its finalizer is removed, and into the
counters after. So at any moment a crash loses nothing and counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.job import indexes, indexfailures, successpolicy
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
    annotations: dict[int, dict[str, str]] = field(default_factory=dict)
    """What the pods of these indexes are told of those before them."""
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
    planner.release_all()
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
        self.verdicts: dict[str, Verdict | None] = {}
        """What the podFailurePolicy says of the pods that have failed, by uid."""
        uncounted = old.get("uncountedTerminatedPods") or {}
        self.uncounted = {kind: list(uncounted.get(kind) or ()) for kind in ("succeeded", "failed")}
        self.completed = indexes.parse(old.get("completedIndexes") or "", completions=self.completions or 0)
        self.limit_per_index: int | None = self.spec.get("backoffLimitPerIndex")
        self.failed_indexes = indexes.parse(old.get("failedIndexes") or "", completions=self.completions or 0)
        self.replaced: dict[int, Object] = {}
        """By index: its last failed pod, which is kept until there is another."""

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
        ended = [pod for pod in self.pods if has_finalizer(pod, FINALIZER) and self._has_ended(pod)]
        failed = [pod for pod in ended if podfacts.phase_of(pod) != "Succeeded"]
        policy = self.spec.get("podFailurePolicy")
        self.verdicts = {uid_of(pod): judge(policy, pod) for pod in failed}
        if is_indexed(self.job):
            done = (indexes.index_of(pod) for pod in ended if podfacts.phase_of(pod) == "Succeeded")
            self.completed.update(index for index in done if index is not None and self._in_range(index))
        if self.limit_per_index is not None:
            self._count_by_index(failed, self.limit_per_index)
        kept = {uid_of(pod) for pod in self.replaced.values()}
        for pod in ended:
            if uid_of(pod) not in kept:
                self._take_in(pod)

    def _count_by_index(self, failed: Sequence[Object], limit: int) -> None:
        for pod in failed:
            index = indexes.index_of(pod)
            fails = indexfailures.fails_index(pod, self.verdicts[uid_of(pod)], limit=limit)
            if fails and index is not None and self._in_range(index):
                self.failed_indexes.add(index)
        last = indexfailures.last_of_each((_ended_s(pod), pod) for pod in failed if not self._is_counted(pod))
        settled = self.completed | self.failed_indexes | {indexes.index_of(pod) for pod in self.active}
        self.replaced = {
            index: pod for index, pod in last.items() if index not in settled and self._in_range(index)
        }

    def _in_range(self, index: int) -> bool:
        return index < (self.completions or 0)

    @property
    def replaces_failed_only(self) -> bool:
        """A pod that is on its way out is not replaced before it is gone, and counts when it has failed."""
        return self.spec.get("podReplacementPolicy") == "Failed" or bool(self.spec.get("podFailurePolicy"))

    def _has_ended(self, pod: Object) -> bool:
        """Finished, or on its way out where another is started already."""
        return podfacts.is_terminal(pod) or (being_deleted(pod) and not self.replaces_failed_only)

    def _is_counted(self, pod: Object) -> bool:
        return uid_of(pod) in self.uncounted["succeeded"] or uid_of(pod) in self.uncounted["failed"]

    def _take_in(self, pod: Object) -> None:
        self.result.release.append(pod)
        if self._is_counted(pod):
            return
        if podfacts.phase_of(pod) != "Succeeded":
            self._take_failure_in(pod)
        elif not is_indexed(self.job):
            self.uncounted["succeeded"].append(uid_of(pod))

    def _take_failure_in(self, pod: Object) -> None:
        if is_indexed(self.job):
            index = indexes.index_of(pod)
            if index is None or not self._in_range(index):
                return
        verdict = self.verdicts.get(uid_of(pod))
        if not is_finished(self.job) and (verdict is None or verdict.action != "Ignore"):
            self.uncounted["failed"].append(uid_of(pod))

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
        elif is_indexed(self.job) and (
            message := successpolicy.met(
                self.spec.get("successPolicy"), self.completed, completions=self.completions or 0
            )
        ):
            self._set("SuccessCriteriaMet", "SuccessPolicy", message)
        elif self._is_complete():
            self._set("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")

    def _failure(self) -> tuple[str, str] | None:
        for verdict in self.verdicts.values():
            if verdict is not None and verdict.action == "FailJob":
                return "PodFailurePolicy", verdict.message
        limit = self.spec.get("backoffLimit", 6)
        if self.failed > limit or self._restarts_beyond(limit):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline_s = self.spec.get("activeDeadlineSeconds")
        if deadline_s is not None and not self.spec.get("suspend") and self.status.get("startTime"):
            left_s = parse_time(self.status["startTime"]) + deadline_s - self.now_s
            if left_s <= 0:
                return "DeadlineExceeded", "Job was active longer than specified deadline"
            self._look_again(left_s)
        return self._failure_of_indexes()

    def _failure_of_indexes(self) -> tuple[str, str] | None:
        if self.limit_per_index is None or not self.failed_indexes:
            return None
        most = self.spec.get("maxFailedIndexes")
        if most is not None and len(self.failed_indexes) > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            return "MaxFailedIndexesExceeded", message
        if len(self.failed_indexes) + len(self.completed) >= (self.completions or 0):
            return "FailedIndexes", "Job has failed indexes"
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

    def release_all(self) -> None:
        """Once it is decided how the Job ends nobody is waited for: with a Job that fails all its pods have failed."""
        failing = self._has("FailureTarget")
        if not failing and not self._has("SuccessCriteriaMet"):
            return
        self.replaced = {}
        released = {uid_of(pod) for pod in self.result.release}
        for pod in self.pods:
            if has_finalizer(pod, FINALIZER) and uid_of(pod) not in released:
                self.result.release.append(pod)
                if failing and not self._is_counted(pod):
                    self._take_failure_in(pod)

    # Acting -----------------------------------------------------------------------------------------

    def manage(self, *, may_act: bool) -> None:
        """Delete what is too much, create what is missing. What is deleted here has not failed, and is not counted."""
        self._manage(may_act=may_act)
        released = {uid_of(pod) for pod in self.result.release}
        self.result.release += [
            pod for pod in self.result.delete if has_finalizer(pod, FINALIZER) and uid_of(pod) not in released
        ]

    def _manage(self, *, may_act: bool) -> None:
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
        if self.replaces_failed_only:
            missing -= len(self.terminating)
        if missing > 0 and not surplus:
            self._create(min(missing, CREATE_BURST_MAX))

    def _create(self, missing: int) -> None:
        if self.limit_per_index is not None:
            self._create_by_index(missing)
            return
        wait_s = self._backoff_s()
        if wait_s > 0:
            self._look_again(wait_s)
            return
        self.result.create = list(self._free_indexes(missing)) if is_indexed(self.job) else [None] * missing

    def _create_by_index(self, missing: int) -> None:
        """Each index waits for itself."""
        for index in self._free_indexes(missing):
            failed = self.replaced.get(index)
            verdict = None
            if failed is not None:
                verdict = self.verdicts[uid_of(failed)]
                ended_s, count = _ended_s(failed), indexfailures.failures(failed) + 1
                wait_s = ended_s + _delay_s(count) - self.now_s
                if wait_s > 0:
                    self._look_again(wait_s)
                    continue
            self.result.create.append(index)
            self.result.annotations[index] = indexfailures.annotations_after(failed, verdict)

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
        holding = [*self.active, *(self.terminating if self.replaces_failed_only else ())]
        taken = self.completed | self.failed_indexes | {indexes.index_of(pod) for pod in holding}
        free = (index for index in range(self.completions or 0) if index not in taken)
        return [index for _, index in zip(range(count), free, strict=False)]

    def _backoff_s(self) -> float:
        """Failures since the last success double the wait, counted from the last failure's end."""
        ended = sorted(
            (_ended_s(pod), podfacts.phase_of(pod) == "Succeeded")
            for pod in self.pods
            if self._has_ended(pod)
        )
        failures, last_s = 0, 0.0
        for ended_s, success in ended:
            failures, last_s = (0, ended_s) if success else (failures + 1, ended_s)
        if not failures:
            return 0.0
        return max(0.0, last_s + _delay_s(failures) - self.now_s)

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
        ending = self._has("SuccessCriteriaMet") or self._has("FailureTarget")
        active = [] if ending else self.active
        numbers = {
            "active": len(active),
            "ready": sum(map(podfacts.is_ready, active)),
            "terminating": len(self.terminating) + len(self.active) - len(active),
        }
        self.status.update(numbers)
        if not numbers["active"]:
            del self.status["active"]
        if is_indexed(self.job):
            self.status["completedIndexes"] = indexes.render(self.completed)
            self.status["succeeded"] = len(self.completed)
            if not self.completed:
                del self.status["completedIndexes"], self.status["succeeded"]
            if self.limit_per_index is not None:
                self.status["failedIndexes"] = indexes.render(self.failed_indexes)
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


def _delay_s(failures: int) -> float:
    """After so many failures in a row."""
    return min(BACKOFF_LIMIT_S, BACKOFF_INITIAL_S * 2 ** min(failures - 1, 10))


def _ended_s(pod: Object) -> float:
    """When the last of its containers ended; where that is not told of all, when it was last seen to be ready or alive.

    Upstream: getFinishedTime.
    """
    times = [_finished(entry) for entry in _lasting(pod)]
    if times and None not in times:
        return max(time_s for time_s in times if time_s is not None)
    ready = conditions.find(conditions.conditions_of(pod), "Ready") or {}
    if ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    described = metadata(pod)
    if described.get("deletionTimestamp"):
        return parse_time(described["deletionTimestamp"]) - described.get("deletionGracePeriodSeconds", 0)
    return parse_time(described["creationTimestamp"])


def _lasting(pod: Object) -> list[Mapping[str, Any]]:
    """The states of the containers, sidecars among them: those end after all others."""
    status = pod.get("status") or {}
    sidecars = {
        container["name"]
        for container in pod["spec"].get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    beside = (entry for entry in status.get("initContainerStatuses") or () if entry.get("name") in sidecars)
    return [*(status.get("containerStatuses") or ()), *beside]


def _finished(entry: Mapping[str, Any]) -> float | None:
    moment = ((entry.get("state") or {}).get("terminated") or {}).get("finishedAt")
    return parse_time(moment) if moment else None
