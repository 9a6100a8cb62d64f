"""What the scheduler counts about itself, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mamekube.foundation.metrics import BETA, STABLE, Family, Histogram, exponential
from mamekube.scheduler.queue import SchedulingQueue

ATTEMPT_BOUNDS_S = exponential(0.001, 2, 15)
POD_BOUNDS_S = exponential(0.01, 2, 20)
POINT_BOUNDS_S = exponential(0.0001, 2, 12)
TRIES_BOUNDS = exponential(1, 2, 5)
VICTIMS_BOUNDS = exponential(1, 2, 7)
TRIES_TOLD_MAX = 15
"""More are told together."""

SCHEDULED, UNSCHEDULABLE, ERROR = "scheduled", "unschedulable", "error"


class SchedulerMetrics:
    """Numbers of one scheduler; `profile` is its name."""

    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._took = {result: Histogram(ATTEMPT_BOUNDS_S) for result in (SCHEDULED, UNSCHEDULABLE, ERROR)}
        self._waited: dict[str, Histogram] = {}
        self._tries = Histogram(TRIES_BOUNDS)
        self._victims = Histogram(VICTIMS_BOUNDS)
        self._preemptions = 0
        self._points: dict[tuple[str, str], Histogram] = {}

    def note_attempt(self, result: str, took_s: float) -> None:
        self._took[result].observe(took_s)

    def note_point(self, point: str, took_s: float, *, status: str = "Success") -> None:
        """All plugins of an extension point have had their say."""
        key = (point, status)
        histogram = self._points.get(key)
        if histogram is None:
            histogram = self._points[key] = Histogram(POINT_BOUNDS_S)
        histogram.observe(took_s)

    def note_bound(self, *, attempts: int, waited_s: float) -> None:
        """A pod has its node; `waited_s` since it came."""
        label = f"{TRIES_TOLD_MAX}+" if attempts >= TRIES_TOLD_MAX else str(attempts)
        self._waited.setdefault(label, Histogram(POD_BOUNDS_S)).observe(waited_s)
        self._tries.observe(attempts)

    def note_preemption(self, victims: int) -> None:
        """Somebody was looked for; `victims` is how many were found."""
        self._preemptions += 1
        if victims:
            self._victims.observe(victims)

    def families(self, queue: SchedulingQueue) -> Iterator[Family]:
        attempts = Family(
            "scheduler_schedule_attempts_total",
            "counter",
            "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, "
            "while 'error' means an internal scheduler problem.",
            labels=["result", "profile"],
            stability=STABLE,
        )
        took = Family(
            "scheduler_scheduling_attempt_duration_seconds",
            "histogram",
            "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
            labels=["result", "profile"],
            stability=STABLE,
        )
        for result, histogram in self._took.items():
            if histogram.count:
                attempts.add([result, self._profile], histogram.count)
                took.add([result, self._profile], histogram)
        waited = Family(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "histogram",
            "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might "
            "involve multiple scheduling attempts.",
            labels=["attempts"],
            stability=BETA,
        )
        for label, histogram in self._waited.items():
            waited.add([label], histogram)
        points = Family(
            "scheduler_framework_extension_point_duration_seconds",
            "histogram",
            "Latency for running all plugins of a specific extension point.",
            labels=["extension_point", "status", "profile"],
            stability=STABLE,
        )
        for (point, status), histogram in self._points.items():
            points.add([point, status, self._profile], histogram)
        yield from (attempts, took, waited, points, *self._unlabelled())
        yield from (_pending(queue.pending()), _incoming(queue.incoming))

    def _unlabelled(self) -> Iterator[Family]:
        for name, type, text, number in (
            (
                "pod_scheduling_attempts",
                "histogram",
                "Number of attempts to successfully schedule a pod.",
                self._tries,
            ),
            (
                "preemption_attempts_total",
                "counter",
                "Total preemption attempts in the cluster till now",
                self._preemptions,
            ),
            ("preemption_victims", "histogram", "Number of selected preemption victims", self._victims),
        ):
            yield Family(f"scheduler_{name}", type, text, stability=STABLE).add([], number)


def _pending(pending: Mapping[str, int]) -> Family:
    family = Family(
        "scheduler_pending_pods",
        "gauge",
        "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number "
        "of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted "
        "to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to "
        "schedule because they are gated.",
        labels=["queue"],
        stability=STABLE,
    )
    for queue, count in pending.items():
        family.add([queue], count)
    return family


def _incoming(counts: Mapping[tuple[str, str], int]) -> Family:
    family = Family(
        "scheduler_queue_incoming_pods_total",
        "counter",
        "Number of pods added to scheduling queues by event and queue type.",
        labels=["queue", "event"],
        stability=STABLE,
    )
    for key, count in counts.items():
        family.add(key, count)
    return family
