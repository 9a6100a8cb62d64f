"""The condition of FlowSchemas."""

from __future__ import annotations

import asyncio

import pytest

from mamekube.apiserver import builtin
from mamekube.apiserver.flow import flow_status
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.objects import conditions
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store


async def condition(client: Client, status: str) -> str:
    """The message of the condition, as soon as it has this status."""
    async with asyncio.timeout(5):
        async with client.watch(
            builtin.FLOW_SCHEMAS, field_selector="metadata.name=mine", revision="0"
        ) as events:
            async for event in events:
                found = conditions.find(conditions.conditions_of(event.object), "Dangling")
                if found is not None and found["status"] == status:
                    return str(found["message"])
    raise AssertionError("the watch ended")


async def test_a_schema_dangles_while_its_level_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_status, "SETTLE_S", 0.01)
    store, clock = Store(MemoryBackend()), Clock()
    api = ApiServer(ApiServerConfig(), store, clock, serve_http=False)
    async with store, api:
        await api.ready()
        client = api.client("admin", ("system:masters",))
        spec = {"priorityLevelConfiguration": {"name": "later"}, "matchingPrecedence": 500, "rules": []}
        async with flow_status.FlowStatus(store, client, clock):
            await client.create(builtin.FLOW_SCHEMAS, {"metadata": {"name": "mine"}, "spec": spec})
            text = 'This FlowSchema references the PriorityLevelConfiguration object named "later" '
            assert await condition(client, "True") == text + "but there is no such object"
            level = {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
            await client.create(builtin.PRIORITY_LEVELS, {"metadata": {"name": "later"}, "spec": level})
            assert await condition(client, "False") == text + "and it exists"
