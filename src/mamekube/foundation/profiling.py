"""What a running program does: a sampling profile of all its threads, its tasks, and what it allocates.

Nothing here runs before somebody asks. While a profile is taken, a thread looks a hundred times a second where each
other thread is, and puts down to that place the processor time that the thread has used since the last look. So idle
threads count for nothing, and what is measured is processor time, not presence.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import NamedTuple

PERIOD_S = 0.01
DEPTH_MAX = 128
"""Frames of a stack, from the innermost on."""
ALLOCATION_DEPTH = 16


class Frame(NamedTuple):
    """A line of a function."""

    function: str
    """`module.Class.function`."""
    file: str
    line: int
    first_line: int
    """Of the function."""


Stack = tuple[Frame, ...]
"""The innermost frame first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was measured, by stack."""

    types: tuple[tuple[str, str], ...]
    """(what, in which unit) of each value of a sample."""
    samples: Sequence[tuple[Stack, tuple[int, ...]]]
    period: int = 0
    """Between two looks, in the unit of the last type."""
    started_s: float = 0.0
    """Since the epoch."""
    duration_s: float = 0.0


class Sampler:
    """Samples while it is entered."""

    def __init__(self) -> None:
        self._samples: Counter[tuple[tuple[CodeType, int, str], ...]] = Counter()
        self._used_ns: Counter[tuple[tuple[CodeType, int, str], ...]] = Counter()
        self._last_ns: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profiler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def profile(self, *, started_s: float, duration_s: float) -> Profile:
        samples = [
            (tuple(_frame(*place) for place in places), (count, self._used_ns[places]))
            for places, count in self._samples.items()
        ]
        return Profile(
            types=(("samples", "count"), ("cpu", "nanoseconds")),
            samples=samples,
            period=int(PERIOD_S * 1e9),
            started_s=started_s,
            duration_s=duration_s,
        )

    def _run(self) -> None:
        self._look()
        self._samples.clear()  # the first look only learns what was used before
        self._used_ns.clear()
        while not self._ended.wait(PERIOD_S):
            self._look()

    def _look(self) -> None:
        own = threading.get_ident()
        for identity, frame in sys._current_frames().items():
            used_ns = _used_ns(identity) if identity != own else 0
            before_ns = self._last_ns.get(identity, 0)
            self._last_ns[identity] = used_ns
            if used_ns > before_ns:
                places = _places(frame)
                self._samples[places] += 1
                self._used_ns[places] += used_ns - before_ns


def _used_ns(identity: int) -> int:
    """Processor time of a thread; 0 of one that has ended."""
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(identity))
    except (OSError, ValueError):
        return 0


def _places(frame: FrameType | None) -> tuple[tuple[CodeType, int, str], ...]:
    places: list[tuple[CodeType, int, str]] = []
    while frame is not None and len(places) < DEPTH_MAX:
        places.append((frame.f_code, frame.f_lineno or 0, str(frame.f_globals.get("__name__", ""))))
        frame = frame.f_back
    return tuple(places)


def _frame(code: CodeType, line: int, module: str) -> Frame:
    return Frame(f"{module}.{code.co_qualname}", code.co_filename, line, code.co_firstlineno)


def stack_of(frame: FrameType | None) -> Stack:
    return tuple(_frame(*place) for place in _places(frame))


class Running(NamedTuple):
    """A thread, or a task that waits in one."""

    kind: str
    """`thread` or `task`."""
    name: str
    state: str
    stack: Stack


def everything_running() -> list[Running]:
    """All threads and all tasks of the running loop, with where they are."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = [
        Running("thread", names.get(identity, str(identity)), "running", stack_of(frame))
        for identity, frame in sys._current_frames().items()
    ]
    current = asyncio.current_task()
    for task in asyncio.all_tasks():
        state = "running" if task is current else "waiting"
        stack = tuple(stack_of(frame)[0] for frame in reversed(task.get_stack()))
        found.append(Running("task", task.get_name(), state, stack))
    return found


def counted(running: Iterable[Running]) -> Profile:
    """How many are at the same place."""
    counts = Counter(one.stack for one in running)
    return Profile(
        types=(("goroutine", "count"),),
        samples=[(stack, (count,)) for stack, count in counts.most_common()],
        period=1,
    )


def allocations(before: tracemalloc.Snapshot, after: tracemalloc.Snapshot) -> Profile:
    """What was allocated between two looks and is still there, by where it was allocated."""
    samples = []
    for difference in after.compare_to(before, "traceback"):
        if difference.size_diff > 0:
            frames = reversed(difference.traceback)
            stack = tuple(
                Frame(f"{one.filename}:{one.lineno}", one.filename, one.lineno, 0) for one in frames
            )
            samples.append((stack, (max(0, difference.count_diff), difference.size_diff)))
    return Profile(types=(("inuse_objects", "count"), ("inuse_space", "bytes")), samples=samples)
