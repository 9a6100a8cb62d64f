"""Time, injected.

Everything that reads the wall clock takes a `Clock`, so that a scenario can run on virtual time and a
cluster's clock can be moved. Waiting is `asyncio.sleep` and `asyncio.timeout` as usual: in a scenario the
event loop itself is virtual (`VirtualLoop`), so whatever waits on the loop waits no real time at all.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import time
from datetime import UTC, datetime
from typing import Any


class Clock:
    """The machine's wall clock, moved by `offset_s` seconds."""

    def __init__(self, *, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.offset_s

    def timestamp(self) -> str:
        """Now as `metav1.Time`: RFC 3339 in UTC, whole seconds."""
        return format_time(self.now())

    def timestamp_micro(self) -> str:
        """Now as `metav1.MicroTime`: RFC 3339 in UTC with six decimals."""
        return format_micro_time(self.now())


class LoopClock(Clock):
    """A wall clock that follows the running event loop's time: virtual where the loop is."""

    def __init__(self, *, epoch_s: float = 1_767_225_600.0) -> None:
        super().__init__()
        self.epoch_s = epoch_s

    def now(self) -> float:
        return self.epoch_s + asyncio.get_running_loop().time() + self.offset_s


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing else is ready.

    It must not be used with threads or real sockets: it would not wait for them.
    """

    def __init__(self) -> None:
        self._virtual_now_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._virtual_now_s

    def jump(self, timeout_s: float) -> None:
        self._virtual_now_s += timeout_s


class _JumpingSelector(selectors.DefaultSelector):
    """Answers every wait at once, and moves the loop's time by what the wait would have taken."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("deadlock on virtual time: every task waits and no timer is set")
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready


def format_time(seconds: float) -> str:
    """Seconds since the epoch as `metav1.Time`."""
    return _utc(int(seconds)).isoformat(timespec="seconds") + "Z"


def format_micro_time(seconds: float) -> str:
    """Seconds since the epoch as `metav1.MicroTime`."""
    return _utc(seconds).isoformat(timespec="microseconds") + "Z"


def _utc(seconds: float) -> datetime:
    """Without its time zone, which is written as `Z`. (`strftime` would write the year 1 as `1`.)"""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def parse_time(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time. Raises ValueError on anything else."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return parsed.timestamp()


class Deadlines:
    """A heap of (due time, key), each key once, for code that keeps many timers and one waiter."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Any]] = []
        self._due: dict[Any, float] = {}
        self._sequence = 0

    def set(self, key: Any, due_s: float) -> None:
        """Make `key` due at `due_s`; an earlier due time it already has is replaced."""
        self._due[key] = due_s
        self._sequence += 1
        heapq.heappush(self._heap, (due_s, self._sequence, key))

    def discard(self, key: Any) -> None:
        self._due.pop(key, None)

    def next_due_s(self) -> float | None:
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_s: float) -> list[Any]:
        """Every key due at `now_s`, in order of due time."""
        due: list[Any] = []
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now_s:
            _, _, key = heapq.heappop(self._heap)
            del self._due[key]
            due.append(key)
            self._drop_stale()
        return due

    def __len__(self) -> int:
        return len(self._due)

    def _drop_stale(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
