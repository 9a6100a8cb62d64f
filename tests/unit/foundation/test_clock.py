"""Time: formats, virtual loops, deadlines."""

from __future__ import annotations

import asyncio

import pytest
from tests.virtual import on_virtual_time, run_virtually, settled, until

from mamekube.foundation.clock import (
    Clock,
    Deadlines,
    LoopClock,
    VirtualLoop,
    format_micro_time,
    format_time,
    parse_time,
)


def test_years_have_four_digits():
    """Clients may well write the first year: it is what their zero time is."""
    first = parse_time("0001-01-01T00:00:02Z")
    assert format_time(first) == "0001-01-01T00:00:02Z"
    assert format_micro_time(first) == "0001-01-01T00:00:02.000000Z"


def test_times_are_written_as_metav1_writes_them() -> None:
    assert format_time(1_767_225_600.9) == "2026-01-01T00:00:00Z"
    assert format_micro_time(1_767_225_600.25) == "2026-01-01T00:00:00.250000Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T00:00:00Z", 1_767_225_600.0),
        ("2026-01-01T01:00:00+01:00", 1_767_225_600.0),
        ("2026-01-01T00:00:00.250000Z", 1_767_225_600.25),
    ],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "now", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


def test_a_clock_can_be_moved() -> None:
    clock = Clock(offset_s=-3600)
    assert Clock().now() - clock.now() == pytest.approx(3600, abs=5)


@on_virtual_time
async def test_a_day_of_sleep_takes_no_time() -> None:
    clock = LoopClock()
    before = clock.now()
    await asyncio.sleep(86_400)
    assert clock.now() - before == pytest.approx(86_400)
    assert clock.timestamp() == "2026-01-02T00:00:00Z"


@on_virtual_time
async def test_timers_fire_in_order_of_virtual_time() -> None:
    order: list[str] = []

    async def note(name: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        order.append(f"{name} {asyncio.get_running_loop().time():.1f}")

    await asyncio.gather(note("late", 100), note("early", 0.5), note("middle", 7))
    assert order == ["early 0.5", "middle 7.0", "late 100.0"]


@on_virtual_time
async def test_timeouts_are_virtual_too() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.sleep(3601)
    assert asyncio.get_running_loop().time() == pytest.approx(3600)


@on_virtual_time
async def test_settling_lets_everybody_run() -> None:
    steps: list[int] = []

    async def work() -> None:
        for step in range(100):
            await asyncio.sleep(0)
            steps.append(step)

    task = asyncio.ensure_future(work())
    await settled()
    assert len(steps) == 100
    await task


@on_virtual_time
async def test_waiting_for_a_condition_answers_when() -> None:
    flags: list[bool] = []
    asyncio.get_running_loop().call_later(5, flags.append, True)
    assert await until(lambda: flags) == pytest.approx(5, abs=0.01)


def test_waiting_for_ever_is_noticed() -> None:
    loop = VirtualLoop()
    try:
        with pytest.raises(RuntimeError, match="deadlock on virtual time"):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()


def test_a_result_comes_back_from_virtual_time() -> None:
    async def answer() -> int:
        await asyncio.sleep(10)
        return 42

    assert run_virtually(answer()) == 42


def test_deadlines_come_due_in_order_and_once() -> None:
    deadlines = Deadlines()
    deadlines.set("b", 2)
    deadlines.set("a", 1)
    deadlines.set("c", 3)
    assert (deadlines.next_due_s(), len(deadlines)) == (1, 3)
    assert deadlines.pop_due(2.5) == ["a", "b"]
    assert deadlines.pop_due(2.5) == []
    assert deadlines.next_due_s() == 3


def test_a_deadline_can_be_moved_and_dropped() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 1)
    deadlines.set("a", 5)
    deadlines.set("b", 2)
    deadlines.discard("b")
    deadlines.discard("never set")
    assert (deadlines.next_due_s(), len(deadlines)) == (5, 1)
    assert deadlines.pop_due(4) == []
    deadlines.set("a", 2)
    assert deadlines.pop_due(4) == ["a"]
    assert deadlines.pop_due(9) == []
    assert deadlines.next_due_s() is None
