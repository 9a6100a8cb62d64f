"""One priority level: seats, and queues in which requests wait for them. Pure: the caller owns time and waiting.

A flow is dealt a hand of queues and waits in the shortest of it (shuffle sharding), so flows that share a queue
rarely share all of them. Among the queues, the one that has been given the least goes first (start-time fair
queueing): a queue's tag is where its next request starts in virtual time, which goes on with each request's seats.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mamekube.foundation.metrics import Histogram

HASH_BYTES = 8

TURN_REQUESTS_MAX = 16
"""What one level with queues starts in one turn of the event loop: some milliseconds of work."""

WAIT_BOUNDS_S = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
"""Upstream's buckets of apiserver_flowcontrol_request_wait_duration_seconds."""


@dataclass(slots=True, eq=False)
class Waiter:
    """A request in a queue. `wake` is the caller's: what to do when it may go on."""

    flow: str
    seats: int
    wake: Any
    seated: bool = False
    queue: Queue | None = None
    """Where it waits."""


@dataclass(slots=True, eq=False)
class Queue:
    waiting: deque[Waiter] = field(default_factory=deque)
    seats: int = 0
    """Of all that wait in it."""
    start: float = 0.0
    """The virtual time at which its next request starts."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The configuration of a level. No queues: what finds no seat is rejected."""

    exempt: bool = False
    shares: int = 0
    lendable_percent: int = 0
    borrowing_percent: int | None = None
    """Of the nominal seats; None: without limit."""
    queues: int = 0
    hand_size: int = 1
    queue_length_max: int = 0


@dataclass(slots=True)
class Counts:
    """Of one flow schema within its level."""

    dispatched: int = 0
    executing: int = 0
    seats: int = 0
    """That are taken by those that execute."""
    waiting: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    waits: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS_S))
    """Of requests that waited and were let in."""
    vain_waits: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS_S))
    """Of those that were not."""

    def all_waits(self) -> Histogram:
        """Of all that were let in: those who did not wait are in the first part."""
        every = Histogram(WAIT_BOUNDS_S)
        every.add(self.waits)
        every.counts[0] += max(0, self.dispatched - self.waits.count)
        return every


class Level:
    """The seats and queues of one priority level."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.uid = ""
        self.shape = shape
        self.nominal = 0
        """Seats that are its own."""
        self.lendable = 0
        """Of these, seats that others may have while it does not need them."""
        self.borrowed_max = 0
        self.executing = 0
        """Seats that are taken."""
        self.waiting = 0
        """Requests in the queues."""
        self.turn = 0
        """Requests that started in this turn of the event loop."""
        self.turn_max = turn_max(shape)
        self._virtual = 0.0
        self._queues: list[Queue] = [Queue() for _ in range(shape.queues)]

    def reshape(self, shape: Shape) -> None:
        """Take another configuration; what waits keeps its order as far as the new queues allow."""
        waiters = [waiter for queue in self._queues for waiter in queue.waiting]
        self.shape = shape
        self.turn_max = turn_max(shape)
        self._queues = [Queue() for _ in range(max(shape.queues, 1 if waiters else 0))]
        self.waiting = 0
        for waiter in waiters:
            self._put(self._shortest(waiter.flow), waiter)

    def has_seats(self, seats: int, *, spare: int = 0) -> bool:
        """Whether a request may start; `spare`: what other levels lend at the moment.

        A request that is wider than the level starts when nothing else runs, or it never would. A level without
        any seats is a jail: nothing starts.
        """
        if self.shape.exempt or self.executing + seats <= self.nominal:
            return True
        borrowed = self.executing + seats - self.nominal
        return borrowed <= min(spare, self.borrowed_max) or (self.nominal > 0 and not self.executing)

    @property
    def idle_lendable(self) -> int:
        return max(0, min(self.lendable, self.nominal - self.executing))

    def enqueue(self, waiter: Waiter) -> bool:
        """Whether there was room for it."""
        if not self.shape.queues:
            return False
        queue = self._shortest(waiter.flow)
        if len(queue.waiting) >= self.shape.queue_length_max:
            return False
        self._put(queue, waiter)
        return True

    def next(self, *, spare: int = 0) -> Waiter | None:
        """Take the request whose turn it is out of its queue, and seat it. None where there is no seat for it."""
        if self.waiting:
            queue = min((queue for queue in self._queues if queue.waiting), key=lambda queue: queue.start)
            waiter = queue.waiting[0]
            if not self.has_seats(waiter.seats, spare=spare):
                return None
            self.withdraw(waiter)
            waiter.seated = True
            self._virtual = queue.start
            queue.start += waiter.seats
            self.executing += waiter.seats
            return waiter
        return None

    def withdraw(self, waiter: Waiter) -> None:
        """Take a request out of its queue."""
        queue = waiter.queue
        assert queue is not None, "it waits"
        queue.waiting.remove(waiter)
        queue.seats -= waiter.seats
        self.waiting -= 1
        waiter.queue = None

    def _put(self, queue: Queue, waiter: Waiter) -> None:
        if not queue.waiting:
            # A queue that was idle has no claim on what it did not use.
            queue.start = max(queue.start, self._virtual)
        queue.waiting.append(waiter)
        waiter.queue = queue
        queue.seats += waiter.seats
        self.waiting += 1

    def _shortest(self, flow: str) -> Queue:
        hand = deal(flow, len(self._queues), max(1, min(self.shape.hand_size, len(self._queues))))
        return min((self._queues[card] for card in hand), key=lambda queue: queue.seats)


def turn_max(shape: Shape) -> int:
    """Requests in one turn. A level without queues has nowhere to put what is too much."""
    return TURN_REQUESTS_MAX if shape.queues else sys.maxsize


def deal(flow: str, deck: int, hand: int) -> list[int]:
    """`hand` different cards out of `deck`, the same ones for the same flow each time."""
    entropy = int.from_bytes(hashlib.sha256(flow.encode()).digest()[:HASH_BYTES], "little")
    left = list(range(deck))
    cards = []
    for _ in range(hand):
        entropy, card = divmod(entropy, len(left))
        cards.append(left.pop(card))
    return cards


def share_out(levels: list[Level], total: int) -> None:
    """Give each level its part of the server's seats, as upstream rounds it."""
    shares = sum(level.shape.shares for level in levels)
    for level in levels:
        shape = level.shape
        level.nominal = -(-total * shape.shares // shares) if shares else 0
        level.lendable = (level.nominal * shape.lendable_percent + 50) // 100
        if shape.borrowing_percent is None:
            level.borrowed_max = total
        else:
            level.borrowed_max = (level.nominal * shape.borrowing_percent + 50) // 100
