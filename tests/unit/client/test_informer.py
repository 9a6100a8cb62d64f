"""The reflector's state machine and the cache, against a server that misbehaves on cue, on virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.virtual import on_virtual_time, settled

from mamekube.client.client import Event, Listing
from mamekube.client.informer import Informer, InformerFactory, State
from mamekube.objects.meta import Object, key_of, labels_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, expired, unavailable

PODS = Resource(group="", version="v1", plural="pods", kind="Pod")


def pod(name: str, revision: int, *, namespace: str = "default", app: str = "") -> Object:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "resourceVersion": str(revision)}
    return {"kind": "Pod", "metadata": {**metadata, **({"labels": {"app": app}} if app else {})}}


class Script:
    """A client whose lists and watches are written down: each call takes the next line.

    A list is a Listing or an error; a watch is a list of events, errors and delays. A watch with nothing left to say
    stays open; `None` ends it.
    """

    def __init__(self, *, lists: list[Any], watches: list[list[Any]]) -> None:
        self.lists = deque(lists)
        self.watches = deque(watches)
        self.calls: list[str] = []

    async def list(self, resource: Resource, **options: Any) -> Listing:
        self.calls.append(f"{self.now()} list")
        answer = self.lists.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def watch(self, resource: Resource, *, revision: str = "", **options: Any) -> AsyncIterator[Any]:
        self.calls.append(f"{self.now()} watch {revision}")
        steps = self.watches.popleft() if self.watches else []
        if steps and isinstance(steps[0], Exception):
            raise steps[0]
        yield self.play(steps)

    async def play(self, steps: list[Any]) -> AsyncIterator[Event]:
        for step in steps:
            if step is None:
                return
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            yield step
        await asyncio.Event().wait()

    @staticmethod
    def now() -> str:
        return f"{asyncio.get_running_loop().time():.0f}s"


class Trace:
    """What a subscriber was told, and whether the cache agreed at that moment."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.lines: list[str] = []
        informer.subscribe(self.handle)

    def handle(self, type: str, old: Object | None, new: Object | None) -> None:
        newest = new or old
        assert newest is not None
        key = key_of(newest)
        assert (self.informer.cache.get(key) is None) == (type == "DELETED")
        versions = [obj["metadata"]["resourceVersion"] if obj else "-" for obj in (old, new)]
        self.lines.append(f"{type} {key} {'>'.join(versions)}")


def informer_of(client: Script, **options: Any) -> Informer:
    return Informer(client, PODS, **options)  # type: ignore[arg-type]


@on_virtual_time
async def test_it_lists_and_then_watches_from_there() -> None:
    client = Script(
        lists=[Listing([pod("a", 3)], "5")],
        watches=[
            [
                Event("ADDED", pod("b", 6)),
                Event("MODIFIED", pod("a", 7)),
                Event("BOOKMARK", pod("", 8)),
                Event("DELETED", pod("b", 9)),
            ]
        ],
    )
    informer = informer_of(client)
    trace = Trace(informer)
    async with informer:
        await informer.synced()
        await settled()
        assert client.calls == ["0s list", "0s watch 5"]
        assert trace.lines == [
            "ADDED default/a ->3",
            "ADDED default/b ->6",
            "MODIFIED default/a 3>7",
            "DELETED default/b 6>9",
        ]
        assert [key_of(obj) for obj in informer.cache.list()] == ["default/a"]


@on_virtual_time
async def test_an_ended_watch_resumes_from_the_last_revision_seen_also_in_a_bookmark() -> None:
    client = Script(
        lists=[Listing([], "5")],
        watches=[[Event("ADDED", pod("a", 6)), 10.0, Event("BOOKMARK", pod("", 9)), None], [5.0, None], []],
    )
    async with informer_of(client):
        await asyncio.sleep(20)
        assert client.calls == ["0s list", "0s watch 5", "10s watch 9", "15s watch 9"]


@on_virtual_time
async def test_a_dropped_watch_waits_and_resumes() -> None:
    client = Script(
        lists=[Listing([], "5")], watches=[[Event("ADDED", pod("a", 6)), 10.0, unavailable("reset")], []]
    )
    async with informer_of(client) as informer:
        await asyncio.sleep(10.5)
        assert informer.state is State.WAIT
        await asyncio.sleep(5)
        assert client.calls[:2] == ["0s list", "0s watch 5"]
        assert client.calls[2].endswith("watch 6")
        assert len(client.calls) == 3


@on_virtual_time
async def test_an_expired_revision_lists_again_and_tells_the_differences() -> None:
    client = Script(
        lists=[
            Listing([pod("gone", 1), pod("same", 2), pod("changed", 3)], "5"),
            Listing([pod("same", 2), pod("changed", 8), pod("new", 9)], "10"),
        ],
        watches=[[5.0, expired("too old resource version")], []],
    )
    informer = informer_of(client)
    trace = Trace(informer)
    async with informer:
        await informer.synced()
        trace.lines.clear()
        await asyncio.sleep(6)
        assert client.calls == ["0s list", "0s watch 5", "5s list", "5s watch 10"]
        assert trace.lines == [
            "MODIFIED default/changed 3>8",
            "ADDED default/new ->9",
            "DELETED default/gone 1>1",
        ]


@on_virtual_time
async def test_a_server_that_is_away_is_asked_less_and_less_often() -> None:
    client = Script(lists=[unavailable("refused")] * 50, watches=[])
    async with informer_of(client) as informer:
        await asyncio.sleep(300)
        assert not informer.has_synced
        assert 6 <= len(client.calls) <= 17  # waits of 0.8 s doubling to 30 s, each up to twice as long


@on_virtual_time
async def test_watches_that_end_at_once_do_not_spin() -> None:
    client = Script(lists=[Listing([], "5")], watches=[[None]] * 1000)
    async with informer_of(client):
        await asyncio.sleep(60)
        assert len(client.calls) < 12


@on_virtual_time
async def test_recovery_resets_the_back_off() -> None:
    client = Script(
        lists=[unavailable("refused")] * 5 + [Listing([], "5")],
        watches=[[1.0, Event("ADDED", pod("a", 6)), 300.0, unavailable("reset")], []],
    )
    async with informer_of(client):
        await asyncio.sleep(900)
        resumed_s = [float(call.split("s")[0]) for call in client.calls if "watch" in call]
        assert 300 <= resumed_s[1] - resumed_s[0] <= 304


@on_virtual_time
async def test_a_refused_list_is_tried_again() -> None:
    refused = StatusError(403, "Forbidden", "pods is forbidden")
    client = Script(lists=[refused, Listing([pod("a", 3)], "5")], watches=[[]])
    async with informer_of(client) as informer:
        await informer.synced()
        assert informer.cache.get("default/a") is not None


@on_virtual_time
async def test_a_late_subscriber_hears_of_everything_there_is() -> None:
    async with informer_of(
        Script(lists=[Listing([pod("a", 3), pod("b", 4)], "5")], watches=[[]])
    ) as informer:
        await informer.synced()
        assert sorted(Trace(informer).lines) == ["ADDED default/a ->3", "ADDED default/b ->4"]


@on_virtual_time
async def test_one_handlers_fault_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    informer = informer_of(
        Script(lists=[Listing([pod("a", 3)], "5")], watches=[[Event("ADDED", pod("b", 6))]])
    )

    def broken(type: str, old: Object | None, new: Object | None) -> None:
        raise ValueError("broken")

    informer.subscribe(broken)
    trace = Trace(informer)
    async with informer:
        await asyncio.sleep(1)
    assert trace.lines == ["ADDED default/a ->3", "ADDED default/b ->6"]
    assert "a handler failed" in caplog.text


@on_virtual_time
async def test_indexes_follow_every_change() -> None:
    client = Script(
        lists=[Listing([pod("a", 1, app="x"), pod("b", 2, app="x"), pod("c", 3, namespace="other")], "5")],
        watches=[
            [
                1.0,
                Event("MODIFIED", pod("a", 6, app="y")),
                Event("DELETED", pod("b", 7, app="x")),
                Event("ADDED", pod("d", 8, app="y")),
            ]
        ],
    )
    informer = informer_of(client, indexes={"app": lambda obj: labels_of(obj).values()})

    def names(value: str) -> list[str]:
        return sorted(key_of(obj) for obj in informer.cache.by_index("app", value))

    async with informer:
        await informer.synced()
        assert (names("x"), names("y")) == (["default/a", "default/b"], [])
        assert [key_of(obj) for obj in informer.cache.list(namespace="other")] == ["other/c"]
        await asyncio.sleep(2)
        assert (names("x"), names("y")) == ([], ["default/a", "default/d"])
        informer.add_indexes({"name": lambda obj: [obj["metadata"]["name"]]})
        assert [key_of(obj) for obj in informer.cache.by_index("name", "d")] == ["default/d"]


@on_virtual_time
async def test_a_factory_shares_informers_and_starts_late_ones() -> None:
    client = Script(lists=[Listing([], "5"), Listing([], "6"), Listing([], "7")], watches=[])
    factory = InformerFactory(client)  # type: ignore[arg-type]
    first = factory.informer(PODS)
    assert factory.informer(PODS) is first
    async with factory:
        await factory.synced()
        other = factory.informer(PODS, field_selector="spec.nodeName=n1")
        assert other is not first
        await factory.synced()
        assert other.has_synced


async def test_a_factory_forgets_a_resource_that_is_gone() -> None:
    """Its subscribers hear that all is gone; whoever asks again gets a new informer."""
    lists = [Listing([pod("a", 1)], "1"), Listing([], "2")]
    client = Script(lists=lists, watches=[[], []])
    factory = InformerFactory(client)  # type: ignore[arg-type]
    told: list[tuple[str, str]] = []
    async with factory:
        first = factory.informer(PODS)
        first.subscribe(lambda event, old, new: told.append((event, key_of(new or old or {}))))
        await factory.synced()
        factory.forget(PODS)
        assert told == [("ADDED", "default/a"), ("DELETED", "default/a")]
        again = factory.informer(PODS)
        assert again is not first
        await factory.synced()
        assert again.cache.list() == []
