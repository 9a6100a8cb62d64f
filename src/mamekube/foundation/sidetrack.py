"""Heavy work beside an event loop: in a thread, while the loop goes first.

`slices` is for what says itself where it can be held. What one large request makes code do that was not written for
it, a decoder, a validation, a patch, is held by the interpreter: for as long as there is such work, threads hand over
within `TURN_S` instead of Python's 5 ms, so the loop waits that long when something happens, and no longer. A lane
does one work at a time, in the order of asking; the smaller works have a lane that the larger ones cannot block.

Such work reads what nobody changes, and changes only what nobody else sees: it and the loop do run at the same time.
What it works out once for everybody it keeps in one step, since others may ask for it meanwhile, and it may be ended
anywhere; only what it imports is imported to the end, lest it leave the locks of that behind.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from mamekube.foundation.clock import VirtualLoop

TURN_S = 0.0001
SMALL_BYTES_MAX = 256 * 1024
"""Of the small lane: a few tenths of a second at worst."""

T = TypeVar("T")

_lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[asyncio.Lock, asyncio.Lock]] = WeakKeyDictionary()
"""For small works and for large ones."""


class _GivenUp(BaseException):
    """Not for those who handle errors of the work: nobody waits for it any more."""


async def run(compute: Callable[[], T], *, size_bytes: int) -> T:
    """What `compute()` returns or raises.

    `size_bytes`: of what it works on, which chooses the lane. Nothing, and all on virtual time, is done at once.
    """
    if not size_bytes:
        return compute()
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        return compute()
    lanes = _lanes.setdefault(loop, (asyncio.Lock(), asyncio.Lock()))
    async with lanes[size_bytes > SMALL_BYTES_MAX]:
        with _turns.soon():
            work = _Work(compute)
            try:
                await work.ended.wait()
            finally:
                work.give_up()
    return work.outcome()


class _Work(Generic[T]):
    """A thread that works beside the loop. Being told that it ended is all that the loop needs to know of it."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self.ended = asyncio.Event()
        self._compute = compute
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._done = threading.Lock()
        """Held by who ends the work: whether it came to its end or was given up is decided once."""
        self._told = threading.Event()
        """Set once it was told that it is given up, or is not going to be."""
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="sidetrack", daemon=True)
        self._thread.start()

    def give_up(self) -> None:
        """End it at its next instruction, if it has not come to its end and does not import anything."""
        ident = self._thread.ident
        if ident is None or not self._done.acquire(blocking=False):
            return
        if not _imports(ident):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(_GivenUp))
        self._told.set()

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _main(self) -> None:
        try:
            try:
                self._result.append(self._context.run(self._compute))
            except BaseException as error:
                self._error = error
            if self._done.acquire(blocking=False):
                self._loop.call_soon_threadsafe(self.ended.set)
            else:
                # What it is told must reach it here, and not where the thread tidies up after itself.
                self._told.wait()
        except _GivenUp:
            pass


def _imports(ident: int) -> bool:
    """Whether this thread is in the middle of an import."""
    frame = sys._current_frames().get(ident)
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


class _Turns:
    """How soon threads hand over, set to `TURN_S` for as long as there is work."""

    def __init__(self) -> None:
        self._works = 0
        self._usual_s = 0.0

    @contextmanager
    def soon(self) -> Iterator[None]:
        self._works += 1
        if self._works == 1:
            self._usual_s = sys.getswitchinterval()
            sys.setswitchinterval(TURN_S)
        try:
            yield
        finally:
            self._works -= 1
            if not self._works:
                sys.setswitchinterval(self._usual_s)


_turns = _Turns()
