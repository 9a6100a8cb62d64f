"""The pods that wait for a node, in the order in which they are tried.

A pod is in exactly one of three places: `active`, where the scheduler takes it from, by priority and age;
`unschedulable`, where it waits for an event that could make a difference to one of the filters that refused it;
`backoff`, where it waits until its last failure is long enough ago.

How many came into each of them is counted by what brought them there, in upstream's words (`incoming`).

A pod that an event brings back soon after its last failure is tried only when nobody else waits, and after many
failures not before its back-off is over: pods that fail again and again take neither turns nor time from others.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

from mamekube.scheduler.facts import PodFacts

BACKOFF_INITIAL_S = 1.0
BACKOFF_LIMIT_S = 10.0
"""Waits after failures, doubling. Upstream: podInitialBackoffSeconds, podMaxBackoffSeconds."""
EARLY_TRIES_MAX = 10
"""Failures after which an event no longer shortens the back-off."""
UNSCHEDULABLE_MAX_S = 300.0
"""A pod that no event helped is tried again after this long. Upstream: podMaxInUnschedulablePodsDuration."""
LEFT_OVER_PERIOD_S = 30.0
"""How often such pods are looked for."""

GATES = "SchedulingGates"
GATED = "gated"
ANY: frozenset[str] = frozenset()
"""Refused by no filter in particular: any event may help."""

CAME, CHANGED = "UnschedulablePodAdd", "UnschedulablePodUpdate"
FAILED, BACKED_OFF, LEFT_OVER = "ScheduleAttemptFailure", "BackoffComplete", "UnschedulableTimeout"
"""What happens to pods in the queue by itself; the other events are the scheduler's to name."""


class Place(Enum):
    ACTIVE = "active"
    BACKOFF = "backoff"
    UNSCHEDULABLE = "unschedulable"


@dataclass(slots=True, eq=False)
class Waiting:
    """A pod that has no node yet."""

    facts: PodFacts
    added_s: float
    place: Place = Place.UNSCHEDULABLE
    attempts: int = 0
    failed_s: float = 0.0
    refused_by: frozenset[str] = field(default=ANY)


class SchedulingQueue:
    def __init__(self) -> None:
        self.incoming: Counter[tuple[str, str]] = Counter()
        """(place, event) -> how many pods it brought there."""
        self._waiting: dict[str, Waiting] = {}
        self._active: list[tuple[float, int, float, int, Waiting]] = []
        self._backoff: list[tuple[float, int, Waiting]] = []
        self._sequence = itertools.count()
        self._wakeup = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, facts: PodFacts) -> None:
        """A pod appeared, or changed."""
        waiting = self._waiting.get(facts.uid)
        if waiting is None:
            waiting = self._waiting[facts.uid] = Waiting(facts, _now_s())
            self._try_soon(waiting, CAME)
            return
        waiting.facts = facts
        if waiting.place is Place.UNSCHEDULABLE:
            self._try_soon(waiting, CHANGED)

    def replace(self, facts: PodFacts) -> None:
        """A pod changed in a way that cannot make it schedulable."""
        waiting = self._waiting.get(facts.uid)
        if waiting is not None:
            waiting.facts = facts

    def discard(self, uid: str) -> None:
        self._waiting.pop(uid, None)

    async def take(self) -> Waiting:
        """The next pod to try. It has left the queue: the scheduler binds it, or puts it back."""
        while True:
            waiting = self._pop()
            if waiting is not None:
                return waiting
            self._wakeup.clear()
            await self._wakeup.wait()

    def put_back(self, waiting: Waiting, refused_by: frozenset[str]) -> None:
        """It could not be placed: wait for an event that can help one of these filters."""
        waiting.failed_s = _now_s()
        waiting.refused_by = refused_by
        self._put(waiting, Place.UNSCHEDULABLE, FAILED)
        self._waiting[waiting.facts.uid] = waiting
        self._arm()

    def retry(self, waiting: Waiting) -> None:
        """It could not be placed for a reason that has nothing to do with it: try again after its back-off."""
        waiting.failed_s = _now_s()
        self._waiting[waiting.facts.uid] = waiting
        self._hold_back(waiting, waiting.failed_s + backoff_s(waiting.attempts), FAILED)

    def move(self, helps: Collection[str] | None = None, *, event: str) -> None:
        """Something happened that can help pods refused by one of these filters; None: by any."""
        for waiting in self._waiting.values():
            if waiting.place is not Place.UNSCHEDULABLE or GATES in waiting.refused_by:
                continue
            if helps is None or not waiting.refused_by or not waiting.refused_by.isdisjoint(helps):
                self._try_soon(waiting, event)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __len__(self) -> int:
        return len(self._waiting)

    def count(self, place: Place) -> int:
        return sum(waiting.place is place for waiting in self._waiting.values())

    def pending(self) -> dict[str, int]:
        """How many wait where, by upstream's names of the queues."""
        counts = dict.fromkeys((*(place.value for place in Place), GATED), 0)
        for waiting in self._waiting.values():
            gated = waiting.place is Place.UNSCHEDULABLE and GATES in waiting.refused_by
            counts[GATED if gated else waiting.place.value] += 1
        return counts

    def _put(self, waiting: Waiting, place: Place, event: str) -> None:
        waiting.place = place
        self.incoming[place.value, event] += 1

    def _try_soon(self, waiting: Waiting, event: str) -> None:
        """Make it active, behind all others while it has to back off. Gates keep a pod where it is."""
        if waiting.facts.spec.get("schedulingGates"):
            if GATES not in waiting.refused_by:
                self._put(waiting, Place.UNSCHEDULABLE, event)
            waiting.refused_by = frozenset((GATES,))
            return
        due_s = waiting.failed_s + backoff_s(waiting.attempts) if waiting.attempts else 0.0
        if due_s <= _now_s():
            self._activate(waiting, event)
        elif waiting.attempts < EARLY_TRIES_MAX:
            self._activate(waiting, event, behind_s=due_s)
        else:
            self._hold_back(waiting, due_s, event)

    def _hold_back(self, waiting: Waiting, due_s: float, event: str) -> None:
        self._put(waiting, Place.BACKOFF, event)
        heapq.heappush(self._backoff, (due_s, next(self._sequence), waiting))
        self._arm()

    def _activate(self, waiting: Waiting, event: str, *, behind_s: float = 0.0) -> None:
        self._put(waiting, Place.ACTIVE, event)
        order = (behind_s, -waiting.facts.priority, waiting.added_s, next(self._sequence), waiting)
        heapq.heappush(self._active, order)
        self._wakeup.set()

    def _pop(self) -> Waiting | None:
        while self._active:
            waiting = heapq.heappop(self._active)[-1]
            if waiting.place is Place.ACTIVE and self._waiting.get(waiting.facts.uid) is waiting:
                del self._waiting[waiting.facts.uid]
                waiting.attempts += 1
                return waiting
        return None

    def _arm(self) -> None:
        """Set the one timer to when the next pod's wait ends, or to the next look for pods left over."""
        if not self._waiting:
            return
        due_s = _now_s() + LEFT_OVER_PERIOD_S
        if self._backoff:
            due_s = min(due_s, self._backoff[0][0])
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        while self._backoff and self._backoff[0][0] <= now_s:
            waiting = heapq.heappop(self._backoff)[2]
            if waiting.place is Place.BACKOFF and self._waiting.get(waiting.facts.uid) is waiting:
                self._activate(waiting, BACKED_OFF)
        for waiting in self._waiting.values():
            left = waiting.place is Place.UNSCHEDULABLE and GATES not in waiting.refused_by
            if left and waiting.failed_s + UNSCHEDULABLE_MAX_S <= now_s:
                self._activate(waiting, LEFT_OVER)
        self._arm()


def backoff_s(attempts: int) -> float:
    """How long a pod waits after its `attempts`th failure."""
    return min(BACKOFF_LIMIT_S, BACKOFF_INITIAL_S * 2.0 ** min(attempts - 1, 10))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
