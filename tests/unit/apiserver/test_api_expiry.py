"""Events go away an hour after they were last written."""

import asyncio

from tests.virtual import on_virtual_time

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import LoopClock
from mamekube.objects.resource import Resource
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

EVENTS = Resource(group="", version="v1", plural="events", kind="Event")


def event(name):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
        "reason": "Started",
        "message": "started",
        "type": "Normal",
    }


async def names(client):
    return [item["metadata"]["name"] for item in (await client.list(EVENTS)).items]


@on_virtual_time
async def test_an_event_lives_an_hour_from_its_last_write():
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(), store, LoopClock(), serve_http=False)
    async with store, api:
        await api.ready()
        client = api.client("admin", ("system:masters",))
        await client.create(EVENTS, event("once"))
        await client.create(EVENTS, event("again"))
        await asyncio.sleep(1800)
        await client.patch(EVENTS, "again", {"count": 2}, namespace="default")
        await asyncio.sleep(1700)
        assert await names(client) == ["again", "once"]
        await asyncio.sleep(200)
        assert await names(client) == ["again"]
        await asyncio.sleep(1800)
        assert await names(client) == []
