"""Long computations take turns with the event loop."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest

from mamekube.foundation import slices
from mamekube.objects import cel


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every breath is beyond the slice, so what is told does not hang on how fast this machine is."""
    monkeypatch.setattr(slices, "SLICE_S", -1.0)
    monkeypatch.setattr(slices, "REST_S", 0)


def count_to(last: int, seen: list[int]) -> int:
    for number in range(last):
        slices.breathe()
        seen.append(number)
    return last


async def test_what_ends_within_its_slice_never_leaves_the_loop() -> None:
    assert await slices.run(threading.get_ident) == threading.get_ident()


@pytest.mark.usefixtures("impatient")
async def test_the_loop_turns_with_every_breath_of_what_takes_longer() -> None:
    seen: list[int] = []
    heard: list[int] = []
    counting = asyncio.create_task(slices.run(lambda: count_to(50, seen)))
    while not counting.done():
        heard.append(len(seen))
        await asyncio.sleep(0)
    assert await counting == 50
    assert seen == list(range(50)), "it was interrupted before the first, and begun again"
    assert len(set(heard)) > 40


@pytest.mark.usefixtures("impatient")
async def test_what_it_raises_comes_out() -> None:
    def fail() -> None:
        slices.breathe()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await slices.run(fail)


@pytest.mark.usefixtures("impatient")
async def test_several_share_the_turns() -> None:
    seen: list[list[int]] = [[], [], []]
    await asyncio.gather(*(slices.run(lambda each=each: count_to(20, each)) for each in seen))
    assert [len(each) for each in seen] == [20, 20, 20]


@pytest.mark.usefixtures("impatient")
async def test_however_many_there_are_the_loop_waits_for_one_slice_at_a_time() -> None:
    seen: list[list[int]] = [[] for _ in range(20)]
    counting = asyncio.gather(*(slices.run(lambda each=each: count_to(5, each)) for each in seen))
    heard = [0]
    while not counting.done():
        heard.append(sum(map(len, seen)))
        await asyncio.sleep(0)
    await counting
    assert max(after - before for before, after in pairwise(heard)) == 1
    assert sum(map(len, seen)) == 100


@pytest.mark.usefixtures("impatient")
async def test_they_go_on_in_the_order_in_which_they_were_held() -> None:
    order: list[str] = []

    def note(name: str) -> None:
        for _ in range(3):
            slices.breathe()
            order.append(name)

    await asyncio.gather(*(slices.run(lambda name=name: note(name)) for name in "abc"))
    assert order == list("abcabcabc")


@pytest.mark.usefixtures("impatient")
async def test_one_that_gives_up_while_it_waits_for_its_turn_holds_up_nobody() -> None:
    seen: list[list[int]] = [[], [], []]
    first, given_up, last = (
        asyncio.create_task(slices.run(lambda each=each: count_to(20, each))) for each in seen
    )
    for _ in range(9):
        await asyncio.sleep(0)
    given_up.cancel()
    assert await asyncio.gather(first, last) == [20, 20]
    assert given_up.cancelled()


@pytest.mark.usefixtures("impatient")
async def test_one_that_nobody_waits_for_any_more_ends_where_it_is() -> None:
    seen: list[int] = []
    counting = asyncio.create_task(slices.run(lambda: count_to(10**9, seen)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen
    counting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await counting
    assert [thread.name for thread in threading.enumerate() if thread.name == "slices"] == []


@pytest.mark.usefixtures("impatient")
async def test_an_expression_can_be_held_at_every_few_steps() -> None:
    program = cel.compile("xs.all(x, xs.all(y, x + y >= 0))", variables=("xs",))
    bindings = {"xs": list(range(100))}
    turns = 0
    running = asyncio.create_task(slices.run(lambda: program.evaluate(bindings, budget=1_000_000)))
    while not running.done():
        turns += 1
        await asyncio.sleep(0)
    assert await running is True
    assert turns > 100


@pytest.mark.parametrize("expression", ["xs == ys", "'b' in xs", "sets.contains(xs, ys)", "xs.isSorted()"])
@pytest.mark.usefixtures("impatient")
async def test_a_function_that_goes_through_a_long_list_can_be_held_within(expression: str) -> None:
    """One call that costs little by upstream's count may still take long."""
    program = cel.compile(expression, variables=("xs", "ys"))
    bindings = {"xs": ["a"] * 900, "ys": ["a"] * 900}
    turns = 0
    running = asyncio.create_task(slices.run(lambda: program.evaluate(bindings, budget=1_000_000)))
    while not running.done():
        turns += 1
        await asyncio.sleep(0)
    await running
    assert turns > 3
