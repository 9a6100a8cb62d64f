"""Tests on virtual time: hours pass in milliseconds, in the same order every time.

    @on_virtual_time
    async def test_the_back_off_doubles(): ...
        await asyncio.sleep(300)

Inside, waiting takes no real time: the loop's clock jumps to the next timer as soon as nobody can run. So nothing
may wait for threads or sockets: a store is a `MemoryBackend`, a client the in-process one, and a clock a `LoopClock`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from mamekube.foundation.clock import VirtualLoop

LIMIT_S = 7 * 24 * 3600.0
"""Virtual seconds after which a test is stuck."""
TICK_S = 0.001


def on_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test coroutine on a loop of virtual time."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        run_virtually(test(*arguments, **named))

    return run


def run_virtually(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine from virtual second 0; answer what it answers."""

    async def limited() -> Any:
        async with asyncio.timeout(LIMIT_S):
            return await work

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(limited())


async def settled() -> None:
    """Wait until nobody can go on without time passing (a millisecond of it passes)."""
    await asyncio.sleep(TICK_S)


async def until(condition: Callable[[], Any], *, within_s: float = 60.0) -> float:
    """Wait until `condition()` is true; answer the loop's time. Raises TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - any condition, and no time is lost
            await asyncio.sleep(TICK_S)
    return asyncio.get_running_loop().time()
