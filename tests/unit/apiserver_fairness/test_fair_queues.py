"""Seats and queues of one priority level, without time and without tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mamekube.apiserver.flow.fair_queues import Level, Shape, Waiter, deal, share_out

QUEUED = Shape(shares=10, queues=64, hand_size=6, queue_length_max=50)


def level(shape: Shape = QUEUED, *, seats: int = 2) -> Level:
    made = Level("level", shape)
    made.nominal = seats
    return made


def waiter(flow: str, seats: int = 1) -> Waiter:
    return Waiter(flow, seats, None)


def drain(queued: Level) -> list[str]:
    """The flows in the order in which they are let in, with one seat given back after each."""
    order = []
    while queued.waiting:
        found = queued.next()
        assert found is not None
        order.append(found.flow)
        queued.executing -= found.seats
    return order


def test_a_flow_with_many_requests_waits_for_one_with_few() -> None:
    queued = level(seats=1)
    for _ in range(40):
        assert queued.enqueue(waiter("flood"))
    for _ in range(3):
        assert queued.enqueue(waiter("other"))
    order = drain(queued)
    # The flood lies in six queues, the other in three at most, and all of them take turns.
    assert [at for at, flow in enumerate(order) if flow == "other"][-1] <= 9
    assert len(order) == 43


def test_a_wide_request_counts_for_its_width() -> None:
    shape = Shape(shares=1, queues=64, hand_size=1, queue_length_max=50)
    queued = level(shape, seats=10)
    queued.enqueue(waiter("wide", 10))
    queued.enqueue(waiter("wide", 10))
    for _ in range(9):
        queued.enqueue(waiter("narrow"))
    order = drain(queued)
    assert order.index("wide", order.index("wide") + 1) == 10


def test_an_idle_queue_gains_no_claim() -> None:
    shape = Shape(shares=1, queues=64, hand_size=1, queue_length_max=50)
    queued = level(shape, seats=1)
    for _ in range(20):
        queued.enqueue(waiter("busy"))
    for _ in range(10):
        queued.next()
        queued.executing = 0
    for _ in range(5):
        queued.enqueue(waiter("late"))
    assert drain(queued)[:6].count("late") in (2, 3, 4)


def test_a_full_queue_takes_no_more() -> None:
    queued = level(Shape(shares=1, queues=4, hand_size=2, queue_length_max=3))
    taken = [queued.enqueue(waiter("flood")) for _ in range(8)]
    assert taken == [True] * 6 + [False] * 2


def test_a_level_without_queues_takes_none() -> None:
    assert not level(Shape(shares=1)).enqueue(waiter("any"))


def test_nothing_is_let_in_without_a_seat() -> None:
    queued = level(seats=1)
    queued.executing = 1
    queued.enqueue(waiter("one"))
    assert queued.next() is None and queued.waiting == 1
    assert queued.next(spare=1) is None
    queued.borrowed_max = 1
    found = queued.next(spare=1)
    assert found is not None and found.seated


def test_a_request_wider_than_its_level_runs_alone() -> None:
    queued = level(seats=2)
    assert queued.has_seats(10)
    queued.executing = 1
    assert not queued.has_seats(10)


def test_a_level_without_seats_is_a_jail() -> None:
    assert not level(seats=0).has_seats(1)


def test_who_gives_up_leaves_room() -> None:
    queued = level(Shape(shares=1, queues=1, queue_length_max=1))
    first = waiter("a")
    assert queued.enqueue(first) and not queued.enqueue(waiter("b"))
    queued.withdraw(first)
    assert queued.enqueue(waiter("b"))


def test_what_waits_survives_another_shape() -> None:
    queued = level(seats=1)
    for flow in "abc":
        queued.enqueue(waiter(flow))
    queued.reshape(Shape(shares=1))
    assert sorted(drain(queued)) == ["a", "b", "c"]


def test_seats_are_shared_out_as_upstream_does() -> None:
    shares = {"system": 30, "node-high": 40, "leader-election": 10, "workload-high": 40, "workload-low": 100}
    shares |= {"global-default": 20, "catch-all": 5}
    levels = [Level(name, Shape(shares=count, lendable_percent=50)) for name, count in shares.items()]
    share_out(levels, 600)
    nominal = {one.name: one.nominal for one in levels}
    assert nominal == {
        "system": 74,
        "node-high": 98,
        "leader-election": 25,
        "workload-high": 98,
        "workload-low": 245,
        "global-default": 49,
        "catch-all": 13,
    }
    assert levels[0].lendable == 37


@given(st.text(max_size=20), st.integers(1, 128), st.integers(1, 10))
def test_a_hand_is_different_queues_and_always_the_same(flow: str, deck: int, hand: int) -> None:
    hand = min(hand, deck)
    cards = deal(flow, deck, hand)
    assert cards == deal(flow, deck, hand)
    assert len(set(cards)) == hand and all(0 <= card < deck for card in cards)
