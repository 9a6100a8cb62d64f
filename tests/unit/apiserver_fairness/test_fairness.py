"""Requests take seats and wait for them: the component with a store, and the server over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mamekube.apiserver import builtin
from mamekube.apiserver.flow import fairness, flow_control
from mamekube.apiserver.flow.fair_queues import TURN_REQUESTS_MAX
from mamekube.apiserver.flow.fairness import Fairness, Flow, Rejected
from mamekube.apiserver.request import Request, User
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.apiserver.writes import key_for
from mamekube.foundation.clock import Clock
from mamekube.objects.meta import Object
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

AUTHENTICATED = "system:authenticated"


def request(user: str = "alice", *groups: str, verb: str = "get", **query: list[str]) -> Request:
    return Request(
        method="GET",
        path="/api/v1/namespaces/default/configmaps",
        user=User(user, (*groups, AUTHENTICATED)),
        verb=verb,
        is_resource=True,
        version="v1",
        resource="configmaps",
        namespace="default",
        query=query,
    )


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with Store(MemoryBackend()) as store:
        for resource, objects in (
            (builtin.PRIORITY_LEVELS, flow_control.priority_levels()),
            (builtin.FLOW_SCHEMAS, flow_control.flow_schemas()),
        ):
            for obj in objects:
                obj["metadata"]["uid"] = f"uid-{obj['metadata']['name']}"
                await store.create(key=key_for(resource, name=obj["metadata"]["name"]), obj=obj)
        yield store


async def turn(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def take_all(fair: Fairness, flow: Flow) -> int:
    taken = 0
    while fair.try_enter(flow):
        taken += 1
    return taken


async def test_requests_wait_for_a_seat_and_go_on_in_the_next_turn(store: Store) -> None:
    async with Fairness(store, seats=24) as fair:
        flow = fair.flow_of(request())
        assert take_all(fair, flow) == flow.level.nominal
        waiting = asyncio.ensure_future(fair.enter(flow))
        await turn()
        spare = flow.level.executing - flow.level.nominal
        while not waiting.done():
            fair.leave(flow)
            await turn()
        assert flow.level.executing <= flow.level.nominal + max(spare, 0)


async def test_administrators_are_never_kept_waiting(store: Store) -> None:
    async with Fairness(store, seats=1) as fair:
        flow = fair.flow_of(request("admin", "system:masters"))
        assert flow.level.name == "exempt"
        assert all(fair.try_enter(flow) for _ in range(100))


async def test_a_client_with_many_requests_does_not_starve_another(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    async with Fairness(store, seats=24) as fair:

        async def one(user: str) -> None:
            flow = fair.flow_of(request(user))
            await fair.enter(flow)
            order.append(user)
            fair.leave(flow)

        flood = [asyncio.ensure_future(one("flood")) for _ in range(200)]
        await asyncio.sleep(0)
        await one("alice")
        await asyncio.gather(*flood)
    assert order.index("alice") < 100


async def test_a_full_level_rejects_and_counts_it(store: Store) -> None:
    async with Fairness(store, seats=24) as fair:
        flow = fair.flow_of(request())
        take_all(fair, flow)
        waiting = [asyncio.ensure_future(fair.enter(flow)) for _ in range(6 * 50 + 40)]
        await turn()
        rejected = [task for task in waiting if task.done() and isinstance(task.exception(), Rejected)]
        assert rejected and flow.counts.rejected == {"queue-full": len(rejected)}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert flow.level.waiting == 0 and flow.counts.waiting == 0


async def test_who_waits_too_long_is_rejected(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "WAIT_S_MAX", 0.01)
    async with Fairness(store, seats=7) as fair:
        flow = fair.flow_of(request())
        take_all(fair, flow)
        with pytest.raises(Rejected):
            while True:
                await fair.enter(flow)
        assert flow.counts.rejected == {"time-out": 1}
        assert flow.level.waiting == 0


async def test_seats_of_those_who_go_are_not_lost(store: Store) -> None:
    async with Fairness(store, seats=7) as fair:
        flow = fair.flow_of(request())
        taken = take_all(fair, flow)
        waiting = [asyncio.ensure_future(fair.enter(flow)) for _ in range(20)]
        await turn()
        taken += sum(task.done() for task in waiting)
        for _ in range(taken):
            fair.leave(flow)
        for task in waiting:
            # Some of them are given a seat in the very turn in which they are cancelled.
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await turn()
        assert (flow.level.executing, flow.level.waiting) == (0, 0)


async def test_a_list_is_as_wide_as_it_was_the_last_time(store: Store) -> None:
    async with Fairness(store) as fair:
        assert fair.seats_of(request(verb="list")) == 1
        fair.note_size(request(verb="list"), 450)
        assert fair.seats_of(request(verb="list")) == 5
        assert fair.seats_of(request(verb="list", limit=["100"])) == 1
        fair.note_size(request(verb="list"), 100_000)
        assert fair.seats_of(request(verb="list")) == 10


async def test_a_new_schema_takes_effect_and_its_end_too(store: Store) -> None:
    schema: Object = {
        "metadata": {"name": "mine", "uid": "u"},
        "spec": {
            "matchingPrecedence": 1,
            "priorityLevelConfiguration": {"name": "workload-high"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "alice"}}],
                    "resourceRules": [
                        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
                    ],
                }
            ],
        },
    }
    key = key_for(builtin.FLOW_SCHEMAS, name="mine")
    async with Fairness(store) as fair:
        assert fair.flow_of(request()).schema.name == "global-default"
        item = await store.create(key=key, obj=schema)
        await turn(10)
        flow = fair.flow_of(request())
        assert (flow.schema.name, flow.level.name) == ("mine", "workload-high")
        assert flow.headers == {
            "X-Kubernetes-PF-FlowSchema-UID": "u",
            "X-Kubernetes-PF-PriorityLevel-UID": "uid-workload-high",
        }
        await store.delete(key=key, expected=item.revision)
        await turn(10)
        assert fair.flow_of(request()).schema.name == "global-default"


async def test_without_any_configuration_the_mandatory_levels_remain() -> None:
    async with Store(MemoryBackend()) as store, Fairness(store) as fair:
        assert fair.flow_of(request()).level.name == "catch-all"
        assert fair.flow_of(request("admin", "system:masters")).level.name == "exempt"


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, aiohttp.ClientSession, str]]:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('admin,admin,1,"system:masters"\nuser,alice,2\n')
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(port=0, token_file=str(tokens)), store, Clock())
    async with store, api, aiohttp.ClientSession() as session:
        await api.ready()
        yield api, session, f"http://127.0.0.1:{api.port}"


async def test_a_rejected_request_is_429_and_says_when_to_come_back(web: Any) -> None:
    api, session, url = web
    level: Object = {
        "metadata": {"name": "none"},
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 0,
                "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    }
    schema: Object = {
        "metadata": {"name": "none"},
        "spec": {
            "matchingPrecedence": 2,
            "priorityLevelConfiguration": {"name": "none"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "alice"}}],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/version"]}],
                }
            ],
        },
    }
    admin = api.client("admin", ("system:masters",))
    await admin.create(builtin.PRIORITY_LEVELS, level)
    await admin.create(builtin.FLOW_SCHEMAS, schema)
    await turn(20)
    found = (await admin.get(builtin.FLOW_SCHEMAS, "none"))["metadata"]["uid"]
    headers = {"Authorization": "Bearer user"}

    for _ in range(3):
        async with session.get(f"{url}/version", headers=headers) as answer:
            assert answer.status == 429
            assert await answer.text() == "Too many requests, please try again later.\n"
            assert answer.headers["Retry-After"] == "1"
            assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] == found
    async with session.get(f"{url}/metrics", headers={"Authorization": "Bearer admin"}) as answer:
        metrics = await answer.text()
    labels = '{flow_schema="none",priority_level="none",reason="concurrency-limit"}'
    assert f"apiserver_flowcontrol_rejected_requests_total{labels} 3" in metrics


async def test_a_level_starts_only_so_much_in_one_turn_of_the_loop(store: Store) -> None:
    async with Fairness(store) as fair:
        flow = fair.flow_of(request())
        started: list[str] = []

        async def one(user: str) -> None:
            mine = fair.flow_of(request(user))
            if not fair.try_enter(mine):
                await fair.enter(mine)
            started.append(user)
            fair.leave(mine)

        flood = [asyncio.ensure_future(one("flood")) for _ in range(100)]
        other = asyncio.ensure_future(one("alice"))
        await asyncio.sleep(0)
        assert started == ["flood"] * TURN_REQUESTS_MAX
        await other
        assert len(started) <= 3 * TURN_REQUESTS_MAX
        await asyncio.gather(*flood)
        await turn()
        assert (flow.level.executing, flow.level.turn) == (0, 0)
