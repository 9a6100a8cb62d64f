"""One time limit for what is begun again and again."""

import asyncio

import pytest
from tests.virtual import on_virtual_time

from mamekube.foundation.timelimit import TimeLimit

AFTER_S = 60.0


async def too_long(limit: TimeLimit) -> None:
    with limit.begin():
        await asyncio.sleep(1000)


@on_virtual_time
async def test_what_takes_longer_is_ended_when_its_time_is_over() -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(TimeoutError):
        await too_long(TimeLimit(AFTER_S))
    assert loop.time() - began_s == pytest.approx(AFTER_S)


@on_virtual_time
async def test_what_ends_in_time_is_left_alone() -> None:
    limit = TimeLimit(AFTER_S)
    with limit.begin():
        await asyncio.sleep(AFTER_S - 1)
    await asyncio.sleep(1000)


@on_virtual_time
async def test_each_has_its_own_time_from_its_own_beginning() -> None:
    loop = asyncio.get_running_loop()
    limit = TimeLimit(AFTER_S)
    ends: list[float] = []

    async def begin_after(delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        try:
            await too_long(limit)
        except TimeoutError:
            ends.append(loop.time())

    began_s = loop.time()
    await asyncio.gather(begin_after(0), begin_after(10), begin_after(200))
    assert [end_s - began_s for end_s in ends] == pytest.approx([AFTER_S, AFTER_S + 10, AFTER_S + 200])


@on_virtual_time
async def test_who_is_cancelled_by_others_is_not_told_of_a_timeout() -> None:
    task = asyncio.ensure_future(too_long(TimeLimit(AFTER_S)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_virtual_time
async def test_an_error_of_its_own_comes_through() -> None:
    with pytest.raises(KeyError), TimeLimit(AFTER_S).begin():
        raise KeyError("mine")
