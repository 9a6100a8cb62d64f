"""Who waits for which changes: every change reaches the watchers of its key's prefixes and touches no other.

Invariant: a watcher gets every event under its prefix above its revision, in order and once, or `WatchLost`.
It knows nothing of where events come from; backends publish changes, the store publishes encoded events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from mamekube.store.backend import WatchLost


class Keyed(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def revision(self) -> int: ...


E = TypeVar("E", bound=Keyed)


class Watcher(Generic[E]):
    """The queue of one reader: an async iterator of batches, to be read by one task."""

    __slots__ = (
        "_after",
        "_called",
        "_lost",
        "_nudged",
        "_pending",
        "_pending_max",
        "_reader",
        "_replayed",
        "_waiter",
        "prefix",
    )

    def __init__(self, prefix: str, *, after: int, pending_max: int) -> None:
        self.prefix = prefix
        self._after = after
        self._pending_max = pending_max
        self._pending: list[E] = []
        self._replayed = 0
        self._waiter: asyncio.Future[None] | None = None
        self._reader: Callable[[], object] | None = None
        self._called = False
        self._lost = ""
        self._nudged = False

    def replay(self, events: Sequence[E]) -> None:
        """Queue, ahead of all else, what happened before the watch began; the limit does not count it."""
        self._pending[:0] = events
        self._replayed = len(events)
        self._wake()

    def push(self, event: E) -> None:
        if event.revision <= self._after or self._lost:
            return
        self._pending.append(event)
        if len(self._pending) - self._replayed > self._pending_max:
            self.lose(f"the watcher fell more than {self._pending_max} events behind")
        else:
            self._wake()

    def lose(self, why: str) -> None:
        """End the watch: what is still queued is dropped, and the reader gets WatchLost."""
        self._lost = why
        self._pending = []
        self._wake()

    def nudge(self) -> None:
        """Let the reader look up from its waiting: it gets an empty batch. Costs less than a timeout each time."""
        self._nudged = True
        self._wake()

    def call(self, reader: Callable[[], object] | None) -> None:
        """Have `reader` called by the loop, once for all that came meanwhile, when there is something to `take`.

        For many watchers of the same events: waking a task for each costs more than what it does then.
        """
        self._reader = reader

    def take(self) -> Sequence[E]:
        """What is there now; an empty batch after a nudge, and after what came with it. Raises WatchLost."""
        if not self._pending:
            if self._lost:
                raise WatchLost(self._lost)
            self._nudged = False
            return ()
        batch, self._pending, self._replayed = self._pending, [], 0
        if self._nudged:
            self._wake()
        return batch

    def __aiter__(self) -> Watcher[E]:
        return self

    async def __anext__(self) -> Sequence[E]:
        while not (self._pending or self._lost or self._nudged):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take()

    def _wake(self) -> None:
        if self._reader is not None:
            if not self._called:
                self._called = True
                asyncio.get_running_loop().call_soon(self._read)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read(self) -> None:
        self._called = False
        if self._reader is not None:
            self._reader()


class Watchers(Generic[E]):
    """All watchers, found by prefix.

    One lookup per length of prefix in use answers who is interested in a key, so ten thousand watchers of other
    resources cost an event nothing.
    """

    def __init__(self, *, pending_max: int) -> None:
        self._pending_max = pending_max
        self._by_prefix: dict[str, set[Watcher[E]]] = {}
        self._lengths: dict[int, int] = {}
        self._sorted_lengths: list[int] = []

    def add(self, prefix: str, *, after: int) -> Watcher[E]:
        watcher: Watcher[E] = Watcher(prefix, after=after, pending_max=self._pending_max)
        self._by_prefix.setdefault(prefix, set()).add(watcher)
        self._count_length(len(prefix), 1)
        return watcher

    def discard(self, watcher: Watcher[E]) -> None:
        watchers = self._by_prefix.get(watcher.prefix)
        if watchers is None or watcher not in watchers:
            return
        watchers.discard(watcher)
        if not watchers:
            del self._by_prefix[watcher.prefix]
        self._count_length(len(watcher.prefix), -1)

    def publish(self, events: Iterable[E]) -> None:
        for event in events:
            key = event.key
            for length in self._sorted_lengths:
                if length > len(key):
                    break  # the whole key again, and whoever watches just that has got it
                for watcher in self._by_prefix.get(key[:length], ()):
                    watcher.push(event)

    def lose_all(self, why: str) -> None:
        for watchers in self._by_prefix.values():
            for watcher in watchers:
                watcher.lose(why)

    def __len__(self) -> int:
        return sum(len(watchers) for watchers in self._by_prefix.values())

    def _count_length(self, length: int, difference: int) -> None:
        count = self._lengths.get(length, 0) + difference
        if count:
            self._lengths[length] = count
        else:
            del self._lengths[length]
        if count == 0 or (count == 1 and difference == 1):
            self._sorted_lengths = sorted(self._lengths)
