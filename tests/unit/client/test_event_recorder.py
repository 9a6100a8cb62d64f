"""Events: what is aggregated, counted and held back, and that telling never fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.virtual import on_virtual_time, settled

from mamekube.client.correlation import COMBINED, Correlator
from mamekube.client.events import RETRY_S, Recorder, reference
from mamekube.foundation import limits
from mamekube.foundation.clock import LoopClock
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.objects.status import forbidden, not_found, unavailable

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "7"},
}
PODS = Resource(group="", version="v1", plural="pods", kind="Pod")


class Events:
    """The `events` resource of an API server, by name; it can be told to refuse."""

    def __init__(self) -> None:
        self.stored: dict[str, Object] = {}
        self.patches: list[dict[str, Any]] = []
        self.refusals: list[Exception] = []

    async def create(self, resource: Resource, obj: Object, *, namespace: str) -> Object:
        self._maybe_refuse()
        assert obj["metadata"]["name"] not in self.stored
        self.stored[obj["metadata"]["name"]] = obj
        return obj

    async def patch(
        self, resource: Resource, name: str, patch: Any, *, namespace: str, patch_type: str
    ) -> Object:
        self._maybe_refuse()
        if name not in self.stored:
            raise not_found(resource, name)
        self.patches.append(patch)
        self.stored[name] = {**self.stored[name], **patch}
        return self.stored[name]

    def _maybe_refuse(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)

    def lines(self) -> list[str]:
        return [f"{e['reason']} x{e['count']} {e['message']}" for e in self.stored.values()]


def recorder(events: Events) -> Recorder:
    return Recorder(events, LoopClock(), component="kubelet", host="n1")  # type: ignore[arg-type]


@on_virtual_time
async def test_an_event_says_what_happened_to_whom_by_whom() -> None:
    events = Events()
    async with recorder(events) as told:
        told.event(POD, "Normal", "Pulled", "Container image pulled")
        await settled()
    (event,) = events.stored.values()
    assert event["metadata"]["name"].startswith("web.")
    assert event["metadata"]["namespace"] == "default"
    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "web",
        "uid": "u1",
        "apiVersion": "v1",
        "resourceVersion": "7",
    }
    assert event["source"] == {"component": "kubelet", "host": "n1"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "n1")
    assert (event["type"], event["reason"], event["count"]) == ("Normal", "Pulled", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"


@on_virtual_time
async def test_the_same_again_raises_the_count() -> None:
    events = Events()
    async with recorder(events) as told:
        for _ in range(4):
            told.event(POD, "Warning", "BackOff", "Back-off restarting failed container")
            await asyncio.sleep(30)
    assert events.lines() == ["BackOff x4 Back-off restarting failed container"]
    (event,) = events.stored.values()
    assert (event["firstTimestamp"], event["lastTimestamp"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:01:30Z",
    )
    assert set(events.patches[0]) == {"count", "lastTimestamp", "message"}


@on_virtual_time
async def test_a_burst_of_the_same_is_one_event() -> None:
    events = Events()
    async with recorder(events) as told:
        for _ in range(20):
            told.event(POD, "Normal", "Pulling", "Pulling image")
        await settled()
    assert events.lines() == ["Pulling x20 Pulling image"]


@on_virtual_time
async def test_the_tenth_different_message_is_combined_with_the_earlier_ones() -> None:
    events = Events()
    async with recorder(events) as told:
        for number in range(12):
            told.event(POD, "Normal", "SuccessfulCreate", f"Created pod: web-{number}")
            await settled()
    assert events.lines() == [
        *(f"SuccessfulCreate x1 Created pod: web-{number}" for number in range(9)),
        f"SuccessfulCreate x3 {COMBINED}Created pod: web-11",
    ]


@on_virtual_time
async def test_combining_begins_anew_after_ten_quiet_minutes() -> None:
    events = Events()
    async with recorder(events) as told:
        for number in range(9):
            told.event(POD, "Normal", "Created", f"m{number}")
        await asyncio.sleep(601)
        told.event(POD, "Normal", "Created", "m9")
        await settled()
    assert events.lines()[-1] == "Created x1 m9"


def test_a_source_may_say_25_things_about_an_object_and_one_more_every_five_minutes() -> None:
    correlator = Correlator()

    def passes(number: int, now_s: float) -> bool:
        event = {
            "metadata": {"name": f"e{number}"},
            "involvedObject": {"kind": "Pod", "name": "web"},
            "source": {"component": "kubelet"},
            "type": "Normal",
            "reason": f"Reason{number}",
            "message": "m",
            "count": 1,
            "firstTimestamp": "",
            "lastTimestamp": "",
        }
        return correlator.correlate(event, now_s) is not None

    assert [passes(number, 0) for number in range(27)] == [True] * 25 + [False] * 2
    assert [passes(100, 299), passes(101, 301), passes(102, 302)] == [False, True, False]


def test_other_objects_and_sources_have_their_own_allowance() -> None:
    correlator = Correlator()
    for name in ("a", "b"):
        for component in ("kubelet", "scheduler"):
            for number in range(25):
                event = {
                    "metadata": {"name": f"{name}{component}{number}"},
                    "involvedObject": {"kind": "Pod", "name": name},
                    "source": {"component": component},
                    "type": "Normal",
                    "reason": f"Reason{number}",
                    "message": "m",
                    "count": 1,
                    "firstTimestamp": "",
                    "lastTimestamp": "",
                }
                assert correlator.correlate(event, 0) is not None


@on_virtual_time
async def test_containers_of_a_pod_are_counted_apart() -> None:
    events = Events()
    async with recorder(events) as told:
        for container in ("a", "b"):
            about = {**reference(POD), "fieldPath": f"spec.containers{{{container}}}"}
            told.event(about, "Normal", "Started", "Container started")
        await settled()
    assert events.lines() == ["Started x1 Container started"] * 2


@on_virtual_time
async def test_a_count_of_an_event_that_expired_makes_a_new_one() -> None:
    events = Events()
    async with recorder(events) as told:
        told.event(POD, "Normal", "Pulling", "m")
        await settled()
        events.stored.clear()
        told.event(POD, "Normal", "Pulling", "m")
        await settled()
    assert events.lines() == ["Pulling x2 m"]


@on_virtual_time
async def test_a_server_that_is_away_is_asked_again() -> None:
    events = Events()
    events.refusals = [unavailable("refused")] * 3
    async with recorder(events) as told:
        told.event(POD, "Normal", "Pulling", "m")
        await asyncio.sleep(3 * RETRY_S + 1)
        assert told.idle()
    assert events.lines() == ["Pulling x1 m"]


@on_virtual_time
async def test_a_refused_event_is_dropped_and_the_next_one_written() -> None:
    events = Events()
    events.refusals = [forbidden(PODS, "", "no")]
    async with recorder(events) as told:
        told.event(POD, "Normal", "First", "m")
        await settled()
        told.event(POD, "Normal", "Second", "m")
        await settled()
    assert events.lines() == ["Second x1 m"]


@on_virtual_time
async def test_events_that_do_not_fit_are_dropped_and_the_teller_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "EVENTS_QUEUED_MAX", 3)
    events = Events()
    async with recorder(events) as told:
        for number in range(10):
            told.event(POD, "Normal", f"Reason{number}", "m")
        await settled()
    assert events.lines() == [f"Reason{number} x1 m" for number in range(3)]


@on_virtual_time
async def test_events_about_objects_of_cluster_scope_are_kept_in_default() -> None:
    events = Events()
    async with recorder(events) as told:
        told.event({"kind": "Node", "name": "n1", "uid": "n1"}, "Normal", "Starting", "Starting kubelet.")
        await settled()
    (event,) = events.stored.values()
    assert event["metadata"]["namespace"] == "default"
    assert event["involvedObject"] == {"kind": "Node", "name": "n1", "uid": "n1"}
