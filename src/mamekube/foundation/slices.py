"""Long computations beside an event loop, in slices: nobody waits for one longer than a slice.

`run(compute)` begins at once, where almost everything ends, too. What takes longer than a slice is begun again in a
thread that takes turns with the loop: it works while the loop stands still, hands back when its slice is over, and
waits for its next turn. The two never run at the same time, so what is computed sees no state half changed, and
neither fights for the interpreter. A computation says `breathe()` wherever it can be held; CEL does with every step
that costs. All that run at once take turns for the one slice, so that many are no worse for others than one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from mamekube.foundation import sidetrack
from mamekube.foundation.limits import HEAVY_BYTES

SLICE_S = 0.0005
ITEMS_AT_ONCE = 500
REST_S = 0.001
"""How long the loop has for others between two slices, at least."""

T = TypeVar("T")


class _Interrupted(BaseException):
    """Not for those who handle errors of the computation: it is begun again, or given up."""


class _Turn(threading.local):
    """What `breathe` does in this thread."""

    hold: Callable[[], None] | None = None


_turn = _Turn()
_next_slice: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Who works next on a loop: a lock hands on in the order of asking."""


def breathe() -> None:
    """A place where a computation may be held. It costs nothing to speak of."""
    hold = _turn.hold
    if hold is not None:
        hold()


def each(items: Sequence[T]) -> Iterable[T]:
    """The items, with a place to be held every now and then where they are many."""
    return items if len(items) <= ITEMS_AT_ONCE else _held(items)


def _held(items: Sequence[T]) -> Iterator[T]:
    for start in range(0, len(items), ITEMS_AT_ONCE):
        breathe()
        yield from items[start : start + ITEMS_AT_ONCE]


async def run(compute: Callable[[], T], *, heavy: bool = False) -> T:
    """What `compute()` returns or raises. It changes nothing but what it made itself, since it may be begun twice.

    `heavy`: it works on so much that it is no matter for slices.
    """
    if heavy:
        return await sidetrack.run(compute, size_bytes=HEAVY_BYTES)
    ends_s = time.perf_counter() + SLICE_S

    def hold() -> None:
        if time.perf_counter() > ends_s:
            raise _Interrupted

    _turn.hold = hold
    try:
        return compute()
    except _Interrupted:
        pass
    finally:
        _turn.hold = None
    return await _run_in_turns(compute)


async def _run_in_turns(compute: Callable[[], T]) -> T:
    next_slice = _next_slice.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    strand = _Strand(compute)
    ended = False
    try:
        while not ended:
            async with next_slice:
                await asyncio.sleep(REST_S)
                ended = strand.work(SLICE_S)
    finally:
        strand.give_up()
    return strand.outcome()


class _Strand(Generic[T]):
    """A thread that works only while `work` waits for it."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._mine = threading.Semaphore(0)
        self._loops = threading.Semaphore(0)
        self._ends_s = 0.0
        self._given_up = self._ended = False
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="slices", daemon=True)
        self._thread.start()

    def work(self, for_s: float) -> bool:
        """Let it work for about so long; whether it came to its end."""
        if not self._ended:
            self._ends_s = time.perf_counter() + for_s
            self._mine.release()
            self._loops.acquire()
        return self._ended

    def give_up(self) -> None:
        """End it, wherever it is. To be called in any case."""
        self._given_up = True
        self.work(0.0)
        self._thread.join()

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _main(self) -> None:
        self._mine.acquire()
        _turn.hold = self._hold
        try:
            if not self._given_up:
                self._result.append(self._compute())
        except BaseException as error:
            self._error = error
        finally:
            self._ended = True
            self._loops.release()

    def _hold(self) -> None:
        if time.perf_counter() > self._ends_s:
            self._loops.release()
            self._mine.acquire()
            if self._given_up:
                raise _Interrupted
