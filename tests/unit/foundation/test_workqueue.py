"""The contract of the work queue, on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from tests.virtual import on_virtual_time, settled

from mamekube.foundation.backoff import Backoff
from mamekube.foundation.workqueue import WorkQueue


@on_virtual_time
async def test_a_key_waits_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.take(), await queue.take()] == ["a", "b"]
    assert len(queue) == 0


@on_virtual_time
async def test_a_key_added_during_its_work_is_worked_on_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.take()
    queue.add("a")
    queue.add("a")
    taking = asyncio.ensure_future(queue.take())
    await settled()
    assert not taking.done()
    queue.done("a")
    assert await taking == "a"
    queue.done("a")
    assert queue.idle()


@on_virtual_time
async def test_of_several_delays_the_earliest_holds() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for delay_s in (9, 2, 5):
        queue.add_after("a", delay_s)
    await queue.take()
    assert asyncio.get_running_loop().time() == pytest.approx(2)
    queue.done("a")
    await asyncio.sleep(20)
    assert queue.idle()


@on_virtual_time
async def test_failures_back_off_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(backoff=Backoff(initial_s=1, limit_s=4))
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(4):
        queue.retry("a")
        await queue.take()
        queue.done("a")
        times.append(round(loop.time()))
    assert (times, queue.failures("a")) == ([1, 3, 7, 11], 4)
    queue.forget("a")
    assert (queue.retry("a"), queue.failures("a")) == (1, 1)
    queue.close()


@on_virtual_time
async def test_every_waiting_worker_gets_a_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    workers = [asyncio.ensure_future(queue.take()) for _ in range(3)]
    await settled()
    for key in ("a", "b", "c"):
        queue.add(key)
    assert sorted(await asyncio.gather(*workers)) == ["a", "b", "c"]


@on_virtual_time
async def test_closing_forgets_the_delayed() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 5)
    queue.close()
    await asyncio.sleep(10)
    assert queue.idle()
