"""A queue of keys in which a key waits once, is worked on by one worker at a time, and may be delayed.

The contract of client-go's work queue: a key added while it is being worked on is worked on again after
`done`; a key added twice before anyone took it is taken once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from mamekube.foundation.backoff import Backoff
from mamekube.foundation.metrics import Histogram, exponential

K = TypeVar("K", bound=Hashable)

RETRY_INITIAL_S = 0.005
RETRY_LIMIT_S = 1000.0
DURATION_BOUNDS_S = exponential(1e-8, 10, 12)
"""client-go's."""


class WorkQueue(Generic[K]):
    """Bounded by the number of different keys: it never holds a key more than once."""

    def __init__(self, *, backoff: Backoff | None = None) -> None:
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._wakeup = asyncio.Event()
        self._backoff = backoff or Backoff(initial_s=RETRY_INITIAL_S, limit_s=RETRY_LIMIT_S)
        self._failures: dict[K, int] = {}
        self.added = self.retried = 0
        """How often a key was put in, and how often because working on it had failed."""
        self._since_s: dict[K, float] = {}
        self.waited = Histogram(DURATION_BOUNDS_S)
        """How long keys waited to be taken."""

    def add(self, key: K) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        self._since_s[key] = time.perf_counter()
        self.added += 1
        if key not in self._working:
            self._ready.append(key)
            self._wakeup.set()

    def add_after(self, key: K, delay_s: float) -> None:
        """Add `key` after `delay_s` seconds; of several delays the earliest holds."""
        if delay_s <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due_s = loop.time() + delay_s
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due_s:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due_s, self._fire, key)

    def retry(self, key: K) -> float:
        """Add `key` after its back-off; answer the delay in seconds."""
        delay_s = self._backoff.next_s(key)
        self._failures[key] = self._failures.get(key, 0) + 1
        self.retried += 1
        self.add_after(key, delay_s)
        return delay_s

    def failures(self, key: K) -> int:
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """The key was worked on with success: its next failure starts the back-off anew."""
        self._backoff.forget(key)
        self._failures.pop(key, None)

    @property
    def depth(self) -> int:
        """Keys that wait to be taken."""
        return len(self._ready)

    async def take(self) -> K:
        """Wait for a key. Whoever takes it calls `done` in the end, whatever happened."""
        while not self._ready:
            self._wakeup.clear()
            await self._wakeup.wait()
        key = self._ready.popleft()
        self._dirty.discard(key)
        self.waited.observe(time.perf_counter() - self._since_s.pop(key))
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wakeup.set()

    def idle(self) -> bool:
        """No key is ready or being worked on (delayed ones do not count)."""
        return not self._ready and not self._working

    def close(self) -> None:
        """Cancel every delayed key."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def __len__(self) -> int:
        return len(self._ready)

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
