"""How a part of the program starts and ends.

A `Component` is entered, runs its tasks in one TaskGroup, and on exit has ended all of them. A program
enters its components in order of dependency on one AsyncExitStack, so they end in the opposite order.
`begin` and `settle` keep the search for garbage out of a start, and out of what a start has loaded.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self


def begin() -> None:
    """Call first in a program: what a start makes stays, so nothing is looked through for garbage until `settle`.

    With a large store the search costs more than all the rest of a start: it goes through everything that was
    loaded, again and again.
    """
    gc.disable()


def settle() -> None:
    """Call once everything is loaded: what is there now stays for ever, and need not be looked through again.

    Afterwards garbage in cycles is rare, and is looked for rarely: with Python's own threshold of 700 objects a
    request that decodes one pod starts a search, and one in hundreds of them goes through the whole cache.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


class Lifetime:
    """How long something may be relied on. It ends once; whoever asked is told at that moment, in the loop."""

    def __init__(self) -> None:
        self.ended = False
        self._watching: set[Callable[[], None]] = set()

    def tell(self, ending: Callable[[], None]) -> None:
        self._watching.add(ending)

    def forget(self, ending: Callable[[], None]) -> None:
        self._watching.discard(ending)

    def end(self) -> None:
        self.ended = True
        watching, self._watching = self._watching, set()
        for ending in watching:
            ending()


class Component:
    """An async context manager that owns a group of tasks.

    A subclass overrides `start`, and calls `spawn` for what runs until the end; on exit the tasks are
    cancelled and awaited, then `stop` releases what `start` acquired. A task that raises ends the program's
    task group through `failed`, which `wait` re-raises: a broken part never dies silently.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[None] | None = None
        self._started = False

    async def start(self) -> None:
        """Acquire and spawn; on return the component serves."""

    async def stop(self) -> None:
        """Release what `start` acquired; the tasks have ended."""

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str = "") -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name or None)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    @property
    def running(self) -> bool:
        """It has started, has not ended, and no task of it has failed."""
        return self._started and self._failed is not None and not self._failed.done()

    async def wait(self) -> None:
        """Return never; raise what a task of this component raised."""
        assert self._failed is not None, "wait() before the component was entered"
        await asyncio.shield(self._failed)

    async def __aenter__(self) -> Self:
        self._failed = asyncio.get_running_loop().create_future()
        try:
            await self.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._started = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.stop()
        if self._failed is not None:
            self._failed.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(task.exception())  # type: ignore[arg-type]
            self._failed.exception()  # mark as retrieved: nobody is obliged to call wait()


async def run_until_failure(*components: Component) -> None:
    """Enter the components in order, wait until one fails or this task is cancelled, exit in reverse."""
    async with AsyncExitStack() as stack:
        for component in components:
            await stack.enter_async_context(component)
        waits = [asyncio.ensure_future(component.wait()) for component in components]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
