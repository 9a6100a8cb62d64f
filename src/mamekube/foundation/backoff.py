"""Exponential back-off per key: how long to wait after the nth failure, and when to forget."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """`initial_s` doubling up to `limit_s`; `jitter` adds up to that share, at random.

    The caller owns the clock: every method that depends on time is given it.
    """

    initial_s: float
    limit_s: float
    factor: float = 2.0
    jitter: float = 0.0
    forget_after_s: float = float("inf")
    _entries: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def next_s(self, key: Hashable, *, now_s: float = 0.0) -> float:
        """Note a failure of `key` at `now_s`; answer how long to wait before its next try."""
        delay_s, noted_s = self._entries.get(key, (0.0, now_s))
        if now_s - noted_s > self.forget_after_s:
            delay_s = 0.0
        delay_s = min(self.limit_s, delay_s * self.factor if delay_s else self.initial_s)
        self._entries[key] = (delay_s, now_s)
        return delay_s * (1.0 + random.random() * self.jitter) if self.jitter else delay_s

    def current_s(self, key: Hashable) -> float:
        """The wait that followed the last failure of `key`; 0 where there was none."""
        return self._entries.get(key, (0.0, 0.0))[0]

    def forget(self, key: Hashable) -> None:
        self._entries.pop(key, None)
