"""WATCH: from a revision on, by selector, with bookmarks, until its time is over."""

import asyncio

import pytest
from tests.unit.apiserver.samples import CONFIGMAPS, config_map
from tests.virtual import on_virtual_time

from mamekube.apiserver import watching
from mamekube.apiserver.options import ListOptions
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.apiserver.writes import key_for
from mamekube.foundation.clock import LoopClock
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.status import StatusError
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store


async def take(events, count):
    async with asyncio.timeout(5):
        return [await anext(events) for _ in range(count)]


def seen(events):
    return [(event.type, event.object["metadata"].get("name")) for event in events]


async def test_a_watch_without_a_revision_begins_with_what_is_there(client):
    await client.create(CONFIGMAPS, config_map("a"))
    async with client.watch(CONFIGMAPS, namespace="default") as events:
        assert seen(await take(events, 1)) == [("ADDED", "a")]
        await client.create(CONFIGMAPS, config_map("b"))
        assert seen(await take(events, 1)) == [("ADDED", "b")]


async def test_a_watch_from_a_revision_misses_nothing(client):
    listing = await client.list(CONFIGMAPS, namespace="default")
    await client.create(CONFIGMAPS, config_map("a"))
    await client.patch(CONFIGMAPS, "a", {"data": {"k": "v"}}, namespace="default")
    await client.delete(CONFIGMAPS, "a", namespace="default")
    async with client.watch(CONFIGMAPS, namespace="default", revision=listing.revision) as events:
        taken = await take(events, 3)
    assert seen(taken) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in taken]
    assert versions == sorted(set(versions))


async def test_objects_come_and_go_with_the_selector(client):
    listing = await client.list(CONFIGMAPS)

    async def label(value):
        await client.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"in": value}}}, namespace="default")

    await client.create(CONFIGMAPS, config_map("a"))
    await label("yes")
    await client.patch(CONFIGMAPS, "a", {"data": {"k": "v"}}, namespace="default")
    await label("no")
    await client.delete(CONFIGMAPS, "a", namespace="default")
    await client.create(CONFIGMAPS, {**config_map("b"), "metadata": {"name": "b", "namespace": "default"}})
    await client.patch(CONFIGMAPS, "b", {"metadata": {"labels": {"in": "yes"}}}, namespace="default")
    watch = client.watch(CONFIGMAPS, revision=listing.revision, label_selector="in=yes")
    async with watch as events:
        taken = await take(events, 4)
    assert seen(taken) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]
    gone = taken[2].object["metadata"]
    assert gone["labels"] == {"in": "yes"}
    assert int(gone["resourceVersion"]) > int(taken[1].object["metadata"]["resourceVersion"])


async def test_a_watch_of_one_name_sees_no_other(client):
    listing = await client.list(CONFIGMAPS)
    for name in ("ab", "a"):
        await client.create(CONFIGMAPS, config_map(name))
    watch = client.watch(
        CONFIGMAPS, namespace="default", field_selector="metadata.name=a", revision=listing.revision
    )
    async with watch as events:
        assert seen(await take(events, 1)) == [("ADDED", "a")]


async def test_a_revision_that_is_compacted_is_expired(server, client):
    await client.create(CONFIGMAPS, config_map("a"))
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(), store, server.clock, serve_http=False)
    async with store, api:
        await api.ready()
        other = api.client("admin", ("system:masters",))
        with pytest.raises(StatusError) as caught:
            async with other.watch(CONFIGMAPS, revision="999999999"):
                pass
    assert caught.value.code == 504


@on_virtual_time
async def test_bookmarks_come_each_minute_and_the_watch_ends_in_time():
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(), store, LoopClock(), serve_http=False)
    async with store, api:
        await api.ready()
        client = api.client("admin", ("system:masters",))
        listing = await client.list(CONFIGMAPS, namespace="default")
        loop = asyncio.get_running_loop()
        began_s, told = loop.time(), []
        watch = client.watch(CONFIGMAPS, namespace="default", revision=listing.revision, timeout_s=150)
        async with watch as events:
            async for event in events:
                told.append((event.type, round(loop.time() - began_s)))
        assert told == [("BOOKMARK", 60), ("BOOKMARK", 120), ("BOOKMARK", 148)]
        assert round(loop.time() - began_s) == 150


@on_virtual_time
async def test_a_watch_without_bookmarks_stays_silent():
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(), store, LoopClock(), serve_http=False)
    async with store, api:
        await api.ready()
        client = api.client("admin", ("system:masters",))
        listing = await client.list(CONFIGMAPS, namespace="default")
        watch = client.watch(
            CONFIGMAPS, namespace="default", revision=listing.revision, timeout_s=150, bookmarks=False
        )
        async with watch as events:
            assert [event async for event in events] == []


@on_virtual_time
async def test_a_watch_with_something_to_tell_when_its_time_is_over_ends_nevertheless():
    """A client was slow then: what it was not told yet stood in the way of the end."""
    async with Store(MemoryBackend()) as store:
        kind = builtin_registry().find("", "v1", "configmaps")
        options = ListOptions(revision="1", timeout_s=30)
        told = []
        async with watching.watch(store, kind, namespace="default", options=options) as batches:

            def send(batch):
                told.extend(event.type for event in batch)
                return len(told) > 1

            async def write(number):
                obj = config_map(str(number))
                await store.create(key=key_for(CONFIGMAPS, namespace="default", name=str(number)), obj=obj)

            await write(0)
            assert await batches.pour(send)
            await write(1)
            await asyncio.sleep(40)
            async with asyncio.timeout(60):
                while await batches.pour(send):
                    pass
        assert told == ["ADDED", "ADDED"]
