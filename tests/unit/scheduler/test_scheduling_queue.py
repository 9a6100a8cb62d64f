"""Who is tried when: priorities, back-off, and events that help, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.virtual import on_virtual_time, settled

from mamekube.scheduler.facts import PodFacts, read_pod
from mamekube.scheduler.queue import Place, SchedulingQueue, Waiting, backoff_s

FIT = frozenset(("NodeResourcesFit",))


def facts(name: str, *, priority: int = 0, **spec: Any) -> PodFacts:
    metadata = {"name": name, "namespace": "default", "uid": name}
    return read_pod({"metadata": metadata, "spec": {"containers": [], "priority": priority, **spec}})


async def taken(queue: SchedulingQueue) -> str:
    return (await queue.take()).facts.uid


def now_s() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10)])
def test_the_back_off_doubles_up_to_ten_seconds(attempts: int, wait_s: float) -> None:
    assert backoff_s(attempts) == wait_s


@on_virtual_time
async def test_the_more_important_comes_first_and_then_the_older() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    await asyncio.sleep(1)
    for name, priority in (("b", 0), ("c", 5)):
        queue.add(facts(name, priority=priority))
    assert [await taken(queue) for _ in range(3)] == ["c", "a", "b"]


@on_virtual_time
async def test_whoever_waits_is_woken_by_a_new_pod() -> None:
    queue = SchedulingQueue()
    taking = asyncio.ensure_future(queue.take())
    await settled()
    queue.add(facts("a"))
    assert (await taking).facts.uid == "a"


@on_virtual_time
async def test_an_event_that_helps_brings_a_pod_back_at_once() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    queue.put_back(await queue.take(), FIT)
    queue.move(frozenset(("InterPodAffinity",)), event="AssignedPodAdd")
    assert queue.count(Place.UNSCHEDULABLE) == 1
    queue.move(FIT, event="AssignedPodDelete")
    assert await taken(queue) == "a"
    assert now_s() == 0


@on_virtual_time
async def test_a_pod_that_has_just_failed_lets_others_go_first() -> None:
    queue = SchedulingQueue()
    queue.add(facts("failed", priority=5))
    queue.put_back(await queue.take(), FIT)
    queue.move(event="NodeAdd")
    queue.add(facts("new"))
    assert [await taken(queue), await taken(queue)] == ["new", "failed"]


@on_virtual_time
async def test_a_pod_that_has_failed_often_waits_for_the_end_of_its_back_off() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    times = []
    for _ in range(13):
        waiting = await queue.take()
        times.append(round(now_s()))
        queue.put_back(waiting, FIT)
        queue.move(event="NodeAdd")
    assert times == [0] * 10 + [10, 20, 30]


@on_virtual_time
async def test_a_pod_that_failed_long_ago_goes_by_its_priority() -> None:
    queue = SchedulingQueue()
    queue.add(facts("failed", priority=5))
    queue.put_back(await queue.take(), FIT)
    await asyncio.sleep(60)
    queue.move(event="NodeAdd")
    queue.add(facts("new"))
    assert [await taken(queue), await taken(queue)] == ["failed", "new"]


@on_virtual_time
async def test_a_pod_that_no_event_helps_is_tried_again_after_five_minutes() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    queue.put_back(await queue.take(), FIT)
    await queue.take()
    assert 300 <= now_s() <= 330


@on_virtual_time
async def test_failures_that_are_not_the_pods_own_back_off_too() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    times = []
    for _ in range(6):
        waiting: Waiting = await queue.take()
        times.append(round(now_s()))
        queue.retry(waiting)
    assert times == [0, 1, 3, 7, 15, 25]


@on_virtual_time
async def test_a_gated_pod_waits_for_its_gates_and_for_nothing_else() -> None:
    queue = SchedulingQueue()
    queue.add(facts("gated", schedulingGates=[{"name": "example.com/gate"}]))
    queue.move(event="NodeAdd")
    await asyncio.sleep(1000)
    assert queue.count(Place.UNSCHEDULABLE) == 1
    queue.add(facts("gated"))
    assert await taken(queue) == "gated"


@on_virtual_time
async def test_a_changed_pod_is_tried_as_it_is_now() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    queue.add(facts("a", nodeSelector={"disk": "ssd"}))
    assert (await queue.take()).facts.spec["nodeSelector"] == {"disk": "ssd"}
    assert len(queue) == 0


@on_virtual_time
async def test_a_deleted_pod_is_not_tried() -> None:
    queue = SchedulingQueue()
    queue.add(facts("a"))
    queue.add(facts("b"))
    queue.discard("a")
    assert await taken(queue) == "b"
    queue.add(facts("c"))
    queue.put_back(await queue.take(), FIT)
    queue.discard("c")
    queue.move(event="NodeAdd")
    assert len(queue) == 0
    queue.close()
