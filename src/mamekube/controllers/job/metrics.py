"""What the Job controller counts about itself, under upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mamekube.controllers.job.plan import Plan, is_indexed
from mamekube.foundation.metrics import STABLE, Family, Histogram, exponential
from mamekube.objects import conditions
from mamekube.objects.meta import Object

PREFIX = "job_controller_"
SYNC_BOUNDS_S = exponential(0.004, 2, 15)
ENDS = (("Complete", "succeeded"), ("Failed", "failed"))


def mode_of(job: Object) -> str:
    return "Indexed" if is_indexed(job) else "NonIndexed"


def action_of(planned: Plan, *, may_act: bool) -> str:
    """What a look at a Job came to."""
    if not may_act:
        return "reconciling"
    return "pods_deleted" if planned.delete else "pods_created" if planned.create else "tracking"


class JobMetrics:
    def __init__(self) -> None:
        self._syncs: dict[tuple[str, str, str], Histogram] = {}
        self._finished: Counter[tuple[str, str, str]] = Counter()
        self._pods: Counter[tuple[str, str]] = Counter()

    def note_sync(self, job: Object, action: str, took_s: float, *, failed: bool) -> None:
        key = (mode_of(job), "error" if failed else "success", action)
        self._syncs.setdefault(key, Histogram(SYNC_BOUNDS_S)).observe(took_s)

    def note_status(self, old: Object, new: Object) -> None:
        """A status was written: pods were counted, and perhaps the Job has finished."""
        mode = mode_of(new)
        for _, result in ENDS:
            counted = new["status"].get(result, 0) - (old.get("status") or {}).get(result, 0)
            if counted > 0:
                self._pods[mode, result] += counted
        for kind, result in ENDS:
            if conditions.is_true(new, kind) and not conditions.is_true(old, kind):
                condition = conditions.find(conditions.conditions_of(new), kind) or {}
                self._finished[mode, result, str(condition.get("reason", ""))] += 1

    def families(self) -> Iterator[Family]:
        labels = ["completion_mode", "result", "action"]
        syncs = Family(
            f"{PREFIX}job_syncs_total", "counter", "The number of job syncs", labels=labels, stability=STABLE
        )
        took = Family(
            f"{PREFIX}job_sync_duration_seconds",
            "histogram",
            "The time it took to sync a job",
            labels=labels,
            stability=STABLE,
        )
        for key, histogram in self._syncs.items():
            syncs.add(key, histogram.count)
            took.add(key, histogram)
        finished = Family(
            f"{PREFIX}jobs_finished_total",
            "counter",
            "The number of finished jobs",
            labels=["completion_mode", "result", "reason"],
            stability=STABLE,
        )
        for ended, count in self._finished.items():
            finished.add(ended, count)
        pods = Family(
            f"{PREFIX}job_pods_finished_total",
            "counter",
            "The number of finished Pods that are fully tracked",
            labels=["completion_mode", "result"],
            stability=STABLE,
        )
        for counted, count in self._pods.items():
            pods.add(counted, count)
        yield from (syncs, took, finished, pods)
