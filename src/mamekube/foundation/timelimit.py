"""A time limit on what is begun again and again, with one timer for all that runs.

`asyncio.timeout` sets and cancels a timer of the loop each time, which costs a short request as much as its
authorization. Here what is begun is only noted; as all have the same time, the first to begin is the first whose time
is over.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class TimeLimit:
    """`with limit.begin():` raises TimeoutError in the task that is still in it after `after_s`."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._running: dict[Limited, None] = {}
        """In the order of their ends."""
        self._timed = False

    def begin(self) -> Limited:
        return Limited(self)

    def add(self, limited: Limited) -> None:
        loop = asyncio.get_running_loop()
        limited.at_s = loop.time() + self._after_s
        self._running[limited] = None
        if not self._timed:
            self._timed = True
            loop.call_at(limited.at_s, self._expire)

    def discard(self, limited: Limited) -> None:
        self._running.pop(limited, None)

    def _expire(self) -> None:
        """End those whose time is over, and look again when that of the next one is."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        while self._running:
            limited = next(iter(self._running))
            if limited.at_s > now_s:
                loop.call_at(limited.at_s, self._expire)
                return
            del self._running[limited]
            limited.expire()
        self._timed = False


class Limited:
    """One task, for as long as it is in the `with` statement."""

    __slots__ = ("_cancelling", "_expired", "_limit", "_task", "at_s")

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self._expired = False
        self.at_s = 0.0

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a time limit is for a task"
        self._task = task
        self._cancelling = task.cancelling()
        self._limit.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._expired:
            self._limit.discard(self)
        # Where others want the task to end, too, it ends.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
