"""What the store in front of the backends promises, on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest

from mamekube.foundation import limits
from mamekube.store.backend import Backend, Compacted, FutureRevision, KeyExists, RevisionMismatch, WatchLost
from mamekube.store.store import Store, StoreEvent

PODS = "/registry/core/pods/"


def pod(name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **fields}


def key(name: str) -> str:
    return f"{PODS}default/{name}"


async def collect(batches: AsyncIterator[Sequence[StoreEvent]], count: int) -> list[StoreEvent]:
    events: list[StoreEvent] = []
    while len(events) < count:
        async with asyncio.timeout(5):
            events += await anext(batches)
    assert len(events) == count
    return events


async def test_an_item_carries_its_resource_version(store: Store) -> None:
    item = await store.create(key=key("a"), obj=pod("a", spec={"x": 1}))
    assert item.object == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"resourceVersion": str(item.revision), "name": "a", "namespace": "default"},
        "spec": {"x": 1},
    }
    assert orjson.loads(item.value) == item.object
    assert await store.get(key=key("a")) is item


async def test_the_resource_version_of_a_written_object_is_not_stored(store: Store, backend: Backend) -> None:
    item = await store.create(key=key("a"), obj=pod("a"))
    await store.update(key=key("a"), obj={**item.object, "spec": {}}, expected=item.revision)
    record = await backend.get(key=key("a"))
    assert record is not None
    assert b"resourceVersion" not in record.value


async def test_an_annotation_that_looks_like_metadata_is_left_alone(store: Store) -> None:
    trap = '{"metadata":{"resourceVersion":"7"}}'
    obj = {
        "spec": {"template": {"metadata": {"labels": {}}}},
        "kind": '"metadata":{',
        "metadata": {"annotations": {"last": trap}, "name": "a"},
        "apiVersion": "v1",
    }
    item = await store.create(key=key("a"), obj=obj)
    assert item.object["metadata"] == {"resourceVersion": "2", "annotations": {"last": trap}, "name": "a"}
    removed = await store.delete(key=key("a"), expected=item.revision)
    assert removed.object["metadata"] == {"resourceVersion": "3", "annotations": {"last": trap}, "name": "a"}


async def test_an_object_without_metadata_is_stamped_too(store: Store) -> None:
    item = await store.create(key=key("a"), obj={"kind": "Pod"})
    assert item.value == b'{"kind":"Pod","metadata":{"resourceVersion":"2"}}'


async def test_writes_are_refused_as_the_backend_refuses_them(store: Store) -> None:
    item = await store.create(key=key("a"), obj=pod("a"))
    with pytest.raises(KeyExists):
        await store.create(key=key("a"), obj=pod("a"))
    with pytest.raises(RevisionMismatch) as refused:
        await store.update(key=key("a"), obj=pod("a"), expected=item.revision - 1)
    assert refused.value.current == item.revision


async def test_an_acknowledged_write_can_be_read_at_once(store: Store) -> None:
    async def write(n: int) -> None:
        item = await store.create(key=key(f"p{n:03}"), obj=pod(f"p{n:03}"))
        assert await store.get(key=item.key) is item
        assert store.revision >= item.revision

    await asyncio.gather(*(write(n) for n in range(300)))
    snapshot = await store.list(prefix=PODS)
    assert [item.key for item in snapshot.items] == [key(f"p{n:03}") for n in range(300)]


async def test_a_list_joins_into_the_wire_form(store: Store) -> None:
    for name in ("b", "a"):
        await store.create(key=key(name), obj=pod(name))
    snapshot = await store.list(prefix=PODS)
    decoded = orjson.loads(b"[%b]" % b",".join(item.value for item in snapshot.items))
    assert [obj["metadata"]["name"] for obj in decoded] == ["a", "b"]


async def test_a_list_of_one_namespace_does_not_reach_into_the_next(store: Store) -> None:
    for namespace in ("a", "a-b", "ab"):
        await store.create(key=f"{PODS}{namespace}/x", obj=pod("x"))
    snapshot = await store.list(prefix=f"{PODS}a/")
    assert [item.key for item in snapshot.items] == [f"{PODS}a/x"]
    everything = await store.list(prefix="/registry/")
    assert [item.key for item in everything.items] == [f"{PODS}{n}/x" for n in ("a-b", "a", "ab")]


async def test_continued_pages_show_one_revision(store: Store) -> None:
    items = [await store.create(key=key(f"p{n}"), obj=pod(f"p{n}")) for n in range(5)]
    first = await store.list(prefix=PODS, limit=2)
    assert (first.more, first.remaining) == (True, 3)
    await store.create(key="/registry/core/nodes/n", obj={"metadata": {}})
    unchanged = await store.list(prefix=PODS, revision=first.revision, start=key("p1") + "\0", limit=2)
    assert [item.key for item in unchanged.items] == [key("p2"), key("p3")]
    await store.delete(key=key("p3"), expected=items[3].revision)
    await store.update(key=key("p4"), obj=pod("p4", spec={}), expected=items[4].revision)
    rest = await store.list(prefix=PODS, revision=first.revision, start=key("p1") + "\0")
    assert [item.value for item in rest.items] == [item.value for item in items[2:]]
    assert (rest.revision, rest.more) == (first.revision, False)


async def test_one_object_can_be_read_as_of_the_past(store: Store) -> None:
    created = await store.create(key=key("a"), obj=pod("a"))
    updated = await store.update(key=key("a"), obj=pod("a", spec={}), expected=created.revision)
    await store.delete(key=key("a"), expected=updated.revision)
    past = [await store.get(key=key("a"), revision=revision) for revision in (1, 2, 3, 4)]
    assert [item and item.value for item in past] == [None, created.value, updated.value, None]
    with pytest.raises(FutureRevision):
        await store.get(key=key("a"), revision=5)


async def test_a_watch_carries_previous_states(store: Store) -> None:
    async with store.watch(prefix=PODS, after=0) as batches:
        created = await store.create(key=key("a"), obj=pod("a"))
        updated = await store.update(key=key("a"), obj=pod("a", spec={}), expected=created.revision)
        removed = await store.delete(key=key("a"), expected=updated.revision)
        events = await collect(batches, 3)
    assert [(event.type, event.item, event.previous) for event in events] == [
        ("ADDED", created, None),
        ("MODIFIED", updated, created),
        ("DELETED", removed, updated),
    ]
    assert orjson.loads(events[2].wire) == {"type": "DELETED", "object": removed.object}
    assert removed.object == {
        **updated.object,
        "metadata": {**updated.object["metadata"], "resourceVersion": "4"},
    }


async def test_a_removal_can_show_a_last_state_of_its_own(store: Store) -> None:
    created = await store.create(key=key("a"), obj=pod("a"))
    async with store.watch(prefix=PODS, after=created.revision) as batches:
        removed = await store.delete(
            key=key("a"), expected=created.revision, last=pod("a", status={"phase": "Failed"})
        )
        (event,) = await collect(batches, 1)
    assert event.item is removed
    assert removed.object["status"] == {"phase": "Failed"}
    assert removed.object["metadata"]["resourceVersion"] == "3"


async def test_the_last_state_is_told_although_nobody_waited_for_the_removal(store: Store) -> None:
    created = await store.create(key=key("a"), obj=pod("a"))
    async with store.watch(prefix=PODS, after=created.revision) as batches:
        removing = asyncio.ensure_future(
            store.delete(key=key("a"), expected=created.revision, last=pod("a", status={"phase": "Failed"}))
        )
        await asyncio.sleep(0)
        removing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await removing
        (event,) = await collect(batches, 1)
    assert (event.type, event.item.object["status"]) == ("DELETED", {"phase": "Failed"})


@pytest.mark.parametrize(
    "obj",
    [
        pod("a", spec={"metadata": {}}, status={}),
        {"metadata": {"name": "a", "labels": {"spec": "x"}, "annotations": {"a": '},"spec":'}}, "spec": {}},
        {"metadata": {"managedFields": [{"fieldsV1": {}, "manager": "m"}], "name": "a"}, "manager": "other"},
        {"metadata": {"annotations": {}, "name": "a"}, "name": "other"},
        {"metadata": {}, "spec": {}},
        {"metadata": {}},
        {"metadata": {"name": "a", "labels": {"a": "b"}}},
    ],
)
async def test_the_metadata_of_an_item_can_be_cut_out_of_it(store: Store, obj: dict[str, Any]) -> None:
    item = await store.create(key=key("a"), obj=obj)
    decoded = item.transient()
    span = item.metadata_span(decoded)
    assert (span is None) == bool({"manager", "name"} & obj.keys())
    assert span is None or orjson.loads(item.value[slice(*span)]) == decoded["metadata"]
    assert not item.decoded


async def test_watchers_share_one_encoding(store: Store) -> None:
    async with (
        store.watch(prefix=PODS, after=0) as first,
        store.watch(prefix="/registry/", after=0) as second,
    ):
        await store.create(key=key("a"), obj=pod("a"))
        assert (await collect(first, 1))[0].wire is (await collect(second, 1))[0].wire


async def test_a_watch_can_start_before_what_memory_holds(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HISTORY_EVENTS_MAX", 3)
    async with Store(backend) as store:
        item = await store.create(key=key("a"), obj=pod("a"))
        for n in range(8):
            item = await store.update(key=key("a"), obj=pod("a", spec={"n": n}), expected=item.revision)
        async with store.watch(prefix=PODS, after=3) as batches:
            item = await store.update(key=key("a"), obj=pod("a", spec={"n": 8}), expected=item.revision)
            events = await collect(batches, 8)
    assert [event.item.object["spec"]["n"] for event in events] == list(range(1, 9))
    assert [event.previous and event.previous.revision for event in events] == list(range(3, 11))


async def test_a_watch_from_before_the_compaction_is_refused(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HISTORY_EVENTS_MAX", 3)
    async with Store(backend) as store:
        for n in range(8):
            await store.create(key=key(f"p{n}"), obj=pod("p"))
        await store.compact(revision=5)
        with pytest.raises(Compacted):
            async with store.watch(prefix=PODS, after=3):
                pass
        with pytest.raises(Compacted):
            await store.list(prefix=PODS, revision=3)


async def test_what_was_compacted_cannot_be_read_though_nothing_has_changed_since(store: Store) -> None:
    await store.create(key=key("a"), obj=pod("a"))
    for n in range(3):
        await store.create(key=f"/registry/core/configmaps/default/{n}", obj=pod("other"))
    assert (await store.list(prefix=PODS, revision=2)).items
    await store.compact(revision=4)
    with pytest.raises(Compacted):
        await store.list(prefix=PODS, revision=2)
    with pytest.raises(Compacted):
        await store.get(key=key("a"), revision=2)
    assert (await store.list(prefix=PODS, revision=4)).items


async def test_a_watcher_that_falls_behind_is_dropped_and_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store.watch(prefix=PODS, after=0) as slow, store.watch(prefix=PODS, after=0) as fast:
        seen = 0
        for n in range(limits.WATCH_EVENTS_PENDING_MAX + 1):
            await store.create(key=key(f"p{n}"), obj=pod("p"))
            seen += len(await anext(fast))
        assert seen == limits.WATCH_EVENTS_PENDING_MAX + 1
        with pytest.raises(WatchLost):
            await anext(slow)


async def test_a_burst_of_writes_drops_no_watcher_that_reads(store: Store) -> None:
    count = 3 * limits.WATCH_EVENTS_PENDING_MAX
    async with store.watch(prefix=PODS, after=0) as batches:
        reading = asyncio.ensure_future(collect(batches, count))
        await asyncio.gather(*(store.create(key=key(f"p{n}"), obj=pod("p")) for n in range(count)))
        events = await reading
    assert [event.revision for event in events] == list(range(2, count + 2))


async def test_compaction_spares_what_is_younger_than_a_period(store: Store) -> None:
    item = await store.create(key=key("a"), obj=pod("a"))
    compacting = asyncio.ensure_future(store.compact_periodically(period_s=0.01))
    await asyncio.sleep(0)
    item = await store.update(key=key("a"), obj=pod("a", spec={}), expected=item.revision)
    with pytest.raises(Compacted) as refused:
        async with asyncio.timeout(5):
            while True:
                await store.list(prefix=PODS, revision=2)
                item = await store.update(key=key("a"), obj=pod("a"), expected=item.revision)
    assert refused.value.oldest < store.revision
    compacting.cancel()
    await asyncio.wait([compacting])
