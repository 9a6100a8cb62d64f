"""What the API server stores objects in: a backend, with all current objects in memory in front of it.

Duty: objects become bytes once, on their way in; lists, gets and watches hand out the same bytes to everybody.
Every change comes out of one watch of the backend, so the cache, the watches and the acknowledgements follow the
backend's order, and a write that was acknowledged can be read at once.

Invariants:

* `_items` is the state of the backend as of `_revision`; a batch of changes is applied without a pause.
* A stored value has no metadata.resourceVersion and begins with apiVersion, kind and metadata, so the first
  `"metadata":{` in it is the object's own. An `Item` has the version stamped in at that place; the labels follow.

It knows nothing of kinds, selectors or HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter
from time import perf_counter
from typing import Any

import orjson

from mamekube.foundation import limits
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.metrics import Histogram
from mamekube.objects.meta import Object
from mamekube.store.backend import (
    FIRST_REVISION,
    Backend,
    Change,
    Compacted,
    FutureRevision,
    Page,
    Record,
    StoreFailed,
)
from mamekube.store.watchers import Watcher, Watchers

METADATA = b'"metadata":{'
STAMP = b'"resourceVersion":"'
LABELS = re.compile(rb'"metadata":\{(?:"resourceVersion":"\d+",)?"labels":(\{(?:"[^"\\]*":"[^"\\]*",?)*\})')
"""Where they are in what `encode` made. A value that was stored otherwise is decoded."""
AFTER_METADATA = frozenset(
    {"data", "roleRef", "rules", "secrets", "spec", "status", "subsets", "type", "webhooks"}
)
"""Keys that follow metadata and are none of its own, nor the start of a field's path in it."""
NO_LABELS = b"{}"
LABELS_SHARED_BYTES = 1024
LABELS_SHARED_MAX = 10_000
"""Sets of labels that all items with them share: the pods of one template have equal ones."""
COLLECTION_DEPTH = 4
"""Slashes in the prefix of a resource, `/registry/apps/deployments/`."""
NO_COLLECTION = "\0"
"""No key begins so."""
WRITE_BOUNDS_S = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
"""Upstream's buckets of etcd_request_duration_seconds."""
APPLY_CHUNK = 250
"""Events published before the watchers get a turn; far fewer than they may have pending."""
LOADED_EVENTS = 2_000
"""Changes before a start that watches may resume from at no cost; older ones are read from the backend."""
RECENT_EVENTS_MIN = 1_000
"""Events kept however large they are: a writer finds its own among them when it is woken."""
WARM_EVENTS = 256
"""Newest events that keep what was decoded and encoded for them; watchers that keep up read no older ones."""

_revision = attrgetter("revision")
log = logging.getLogger(__name__)


class Item:
    """One object as of one revision. Immutable, and shared by the cache, the watches and in-process clients.

    `stored` is the value without its version: it is stamped for the first who asks, since of the objects that a
    start loads most are asked for late or never.
    """

    __slots__ = ("_bytes", "_labels", "_object", "_stamped", "aside", "created", "key", "revision")

    def __init__(self, key: str, stored: bytes, revision: int, created: int) -> None:
        self.key = key
        self.revision = revision
        self.created = created
        self._bytes = stored
        self._stamped = False
        self._labels: bytes | None = None
        self.aside: Any = None
        """What a reader keeps with it, to have it at once the next time: less than a tenth of the value."""
        self._object: Object | None = None

    @property
    def value(self) -> bytes:
        """The wire JSON, with metadata.resourceVersion stamped in."""
        if not self._stamped:
            self._bytes = stamp(self._bytes, self.revision)
            self._stamped = True
        return self._bytes

    @property
    def raw(self) -> bytes:
        """The JSON as it is at hand, with its version or without: for a look inside."""
        return self._bytes

    @property
    def labels(self) -> bytes:
        """The JSON of metadata.labels, found without decoding the rest; `{}` where there are none."""
        if self._labels is None:
            self._labels = self._find_labels()
        return self._labels

    def _find_labels(self) -> bytes:
        found = LABELS.match(self._bytes, self._bytes.index(METADATA))
        if found is not None:
            labels = found.group(1)
            return _shared(labels) if len(labels) <= LABELS_SHARED_BYTES else labels
        if b'"labels":{' not in self._bytes:
            return NO_LABELS
        return orjson.dumps(self.transient()["metadata"].get("labels") or {})

    @property
    def object(self) -> Object:
        """The decoded value; read-only."""
        if self._object is None:
            self._object = orjson.loads(self.value)
        return self._object

    @property
    def decoded(self) -> bool:
        return self._object is not None

    def transient(self) -> Object:
        """The decoded value, kept only where it is already: for whoever looks at many objects and is done with them."""
        return self._object if self._object is not None else orjson.loads(self.value)

    def metadata_span(self, obj: Object) -> tuple[int, int] | None:
        """Where in the value the metadata begins and ends, `obj` being decoded from it; None where that is not certain.

        It ends before the key that follows it, which after a brace cannot stand within.
        """
        value = self.value
        start = value.index(METADATA) + len(METADATA) - 1
        keys = iter(obj)
        for key in keys:
            if key == "metadata":
                break
        following = next(keys, None)
        if following is None:
            return start, len(value) - 1
        if following not in AFTER_METADATA:
            return None
        return start, value.index(b'},"%b":' % following.encode(), start) + 1

    def cool(self) -> None:
        """Drop what can be had again by decoding."""
        self._object = None

    def __repr__(self) -> str:
        return f"Item({self.key!r}, revision={self.revision})"


class StoreEvent:
    """One change, as every watcher of it gets it."""

    __slots__ = ("_wire", "item", "key", "previous", "revision", "type")

    def __init__(self, type: str, item: Item, previous: Item | None) -> None:
        self.type = type
        self.item = item
        self.key = item.key
        self.revision = item.revision
        self.previous = previous
        self._wire: bytes | None = None

    @property
    def document(self) -> Item:
        return self.item

    @property
    def wire(self) -> bytes:
        """The event as a line of a watch's response."""
        if self._wire is None:
            self._wire = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.item.value)
        return self._wire

    def cool(self) -> None:
        self._wire = None

    def __repr__(self) -> str:
        return f"StoreEvent({self.type}, {self.item!r})"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Items in the order of their keys, all as of `revision`; `remaining` of them follow where `more` is true."""

    items: Sequence[Item]
    revision: int
    more: bool = False
    remaining: int = 0


class Writes:
    """How long writes of a sort took until they were durable, refused or failed, and how many failed."""

    __slots__ = ("failed", "took")

    def __init__(self) -> None:
        self.took = Histogram(WRITE_BOUNDS_S)
        self.failed = 0


class Store(Component):
    """Owns its backend: stopping the store closes it."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        self._revision = 0
        self._compacted = 0
        self._loaded = 0
        """The cache was loaded as of this revision: of what changed before, only the backend knows."""
        self._items: dict[str, Item] = {}
        self._collections: dict[str, Collection] = {}
        self._recent = _Recent()
        self._watchers: Watchers[StoreEvent] = Watchers(pending_max=limits.WATCH_EVENTS_PENDING_MAX)
        self._written: dict[int, asyncio.Future[Item]] = {}
        self._last_states: dict[tuple[str, int], bytes] = {}
        self._feed = AsyncExitStack()
        self._stopped = False
        self.writes: dict[tuple[str, str], Writes] = {}
        """What was written, by operation and by the prefix of the resource."""
        self._failure: StoreFailed | None = None
        """Why the last write was not stored."""

    async def start(self) -> None:
        newest = await self._backend.revision()
        page = await self._page_before(newest)
        self._fill(page.records)
        self._revision = self._loaded = self._recent.floor = page.revision
        batches = await self._feed.enter_async_context(self._backend.watch(prefix="", after=page.revision))
        while self._revision < newest:
            self._apply(await anext(batches))
        self.spawn(self._follow(batches), name="store-follow")

    def _fill(self, records: Iterable[Record]) -> None:
        collection, name = Collection(), NO_COLLECTION
        for record in records:
            key = record.key
            if not key.startswith(name):
                collection = self.collection(key)
                name = _collection_of(key) if key.count("/") >= COLLECTION_DEPTH else NO_COLLECTION
            self._items[key] = _item(record)
            collection.keys.append(key)

    async def stop(self) -> None:
        self._end()
        await self._feed.aclose()
        await self._backend.close()

    @property
    def revision(self) -> int:
        """The revision of the newest change that can be read."""
        return self._revision

    async def check(self) -> None:
        """Ask the backend for something. Raises StoreFailed if it cannot tell, or could not keep the last write."""
        if self._failure is not None:
            raise self._failure
        await self._backend.get(key="health")

    # Writing ------------------------------------------------------------------------------------

    async def create(self, *, key: str, obj: Object) -> Item:
        """Store a new object. Raises KeyExists."""
        return await self._write("create", key, self._backend.create(key=key, value=encode(obj)))

    async def update(self, *, key: str, obj: Object, expected: int) -> Item:
        """Replace the object that is at revision `expected`. Raises KeyMissing, RevisionMismatch."""
        written = self._backend.update(key=key, value=encode(obj), expected=expected)
        return await self._write("update", key, written)

    async def delete(self, *, key: str, expected: int, last: Object | None = None) -> Item:
        """Remove the object; the answer, and the DELETED event, are its last state at the removal's revision.

        `last` is that state where it differs from what is stored. Raises KeyMissing, RevisionMismatch.
        """
        if last is None:
            return await self._write("delete", key, self._backend.delete(key=key, expected=expected))
        self._last_states[key, expected] = encode(last)
        # It is written also where nobody waits for it any more, and those who watch are told of the last state then.
        deleted = self._backend.delete(key=key, expected=expected)
        writing = asyncio.ensure_future(self._write("delete", key, deleted))
        writing.add_done_callback(partial(self._deleted, key, expected))
        return await asyncio.shield(writing)

    def _deleted(self, key: str, expected: int, writing: asyncio.Future[Item]) -> None:
        self._last_states.pop((key, expected), None)
        if not writing.cancelled():
            writing.exception()  # Whoever still waits is told; for nobody it is no news.

    async def _write(self, operation: str, key: str, written: Awaitable[int]) -> Item:
        began_s = perf_counter()
        try:
            revision = await written
        except StoreFailed as error:
            self._failure = error
            self._writes(operation, key).failed += 1
            raise
        finally:
            self._writes(operation, key).took.observe(perf_counter() - began_s)
        self._failure = None
        return await self._visible(revision)

    def _writes(self, operation: str, key: str) -> Writes:
        collection = _collection_of(key)
        writes = self.writes.get((operation, collection))
        if writes is None:
            writes = self.writes[operation, collection] = Writes()
        return writes

    async def _visible(self, revision: int) -> Item:
        """The item that the write with this revision made, as soon as it can be read."""
        if revision <= self._revision:
            event = self._recent.at(revision)
            assert event is not None, "a write older than the whole recent history"
            return event.item
        if self._stopped:
            raise StoreFailed("the store closed")
        written = self._written[revision] = asyncio.get_running_loop().create_future()
        return await written

    # Reading ------------------------------------------------------------------------------------

    def current(self, key: str) -> Item | None:
        """The object now: what can be told without waiting."""
        return self._items.get(key)

    async def get(self, *, key: str, revision: int = 0) -> Item | None:
        """The object now, or as of `revision`. Raises Compacted, FutureRevision."""
        self._check_kept(revision)
        item = self._items.get(key)
        if not revision or (item is not None and item.revision <= revision):
            return item
        before = self._before(revision, key)
        if before is not None:
            return before.get(key, item)
        record = await self._backend.get(key=key, revision=revision)
        return _item(record) if record else None

    async def list(self, *, prefix: str, revision: int = 0, start: str = "", limit: int = 0) -> Snapshot:
        """Objects under `prefix` from key `start` on, `limit` at most (0: all), now or as of `revision`.

        Raises Compacted, FutureRevision. It waits for the backend only where something under the prefix's
        collection has changed since `revision`, and more has changed than is kept.
        """
        self._check_kept(revision)
        before = self._before(revision, prefix) if revision else {}
        if before is None:
            page = await self._backend.list(prefix=prefix, revision=revision, start=start, limit=limit)
            items = [_item(record) for record in page.records]
            return Snapshot(items, page.revision, more=page.more, remaining=page.remaining)
        collections = self._collections_under(prefix)
        keys = [key for collection in collections for key in collection.between(prefix, start)]
        if before:
            absent = {key for key, item in before.items() if item is None}
            present = {key for key, item in before.items() if item is not None and key >= start}
            keys = sorted(present.union(keys) - absent)
        total = len(keys)
        if limit and total > limit:
            keys = keys[:limit]
        known = self._items
        return Snapshot(
            [before.get(key) or known[key] for key in keys] if before else [known[key] for key in keys],
            revision or self._revision,
            more=len(keys) < total,
            remaining=total - len(keys),
        )

    def _before(self, revision: int, prefix: str) -> dict[str, Item | None] | None:
        """How everything under `prefix` was at `revision` that has changed since; None where that is not known here."""
        if self._unchanged_since(revision, self._collections_under(prefix)):
            return {}
        if revision < self._recent.floor:
            return None
        return {event.key: event.previous for event in reversed(self._recent.since(revision, prefix))}

    def collection(self, key: str) -> Collection:
        """What tells whether anything of the key's resource has changed: its `changed` is another then."""
        name = _collection_of(key)
        collection = self._collections.get(name)
        if collection is None:
            collection = self._collections[name] = Collection()
        return collection

    @asynccontextmanager
    async def watch(self, *, prefix: str, after: int) -> AsyncIterator[Watcher[StoreEvent]]:
        """Batches of every event under `prefix` with a revision above `after`, in order.

        Entering it raises Compacted, iterating it WatchLost. It never ends by itself.
        """
        after = max(after, FIRST_REVISION)  # nothing happened before
        watcher = self._watchers.add(prefix, after=max(after, self._revision))
        try:
            if after < self._revision:
                floor = self._recent.floor
                recent = self._recent.since(max(after, floor), prefix)
                older = await self._history(prefix, after=after, until=floor) if after < floor else []
                watcher.replay([*older, *recent])
            yield watcher
        finally:
            self._watchers.discard(watcher)

    # History ------------------------------------------------------------------------------------

    async def compact(self, *, revision: int) -> None:
        """Forget the history before `revision`. Raises FutureRevision."""
        await self._backend.compact(revision=revision)
        self._compacted = max(self._compacted, revision)

    async def compact_periodically(self, *, period_s: float = limits.COMPACTION_PERIOD_S) -> None:
        """Never return; every `period_s` forget what was history already one period ago."""
        while True:
            reached = self._revision
            await asyncio.sleep(period_s)
            try:
                await self.compact(revision=reached)
            except StoreFailed as error:
                log.warning("compaction: %s; again in %.0f s", error, period_s)

    async def _history(self, prefix: str, *, after: int, until: int) -> Sequence[StoreEvent]:
        """Events of the backend's history after `after`, up to and including `until`."""
        events: list[StoreEvent] = []
        latest: dict[str, Item] = {}
        # The watch is of everything, although little of it is wanted: only so it tells when `until` is reached.
        async with self._backend.watch(prefix="", after=after) as batches:
            async for batch in batches:
                for change in batch:
                    if change.revision <= until and change.key.startswith(prefix):
                        previous = latest.get(change.key) or await self._item_before(change)
                        event = _event(change, previous if change.previous else None)
                        latest[change.key] = event.item
                        events.append(event)
                if batch[-1].revision >= until:
                    break
        return events

    async def _item_before(self, change: Change) -> Item | None:
        if not change.previous:
            return None
        record = await self._backend.get(key=change.key, revision=change.revision - 1)
        return _item(record) if record else None

    async def _page_before(self, newest: int) -> Page:
        """Everything as of a revision so far before `newest` as watches should find recent events."""
        try:
            return await self._backend.list(prefix="", revision=max(newest - LOADED_EVENTS, 1))
        except Compacted as error:
            return await self._backend.list(prefix="", revision=error.oldest)

    # Following the backend ----------------------------------------------------------------------

    async def _follow(self, batches: AsyncIterator[Sequence[Change]]) -> None:
        try:
            async for batch in batches:
                for start in range(0, len(batch), APPLY_CHUNK):
                    self._apply(batch[start : start + APPLY_CHUNK])
                    if start + APPLY_CHUNK < len(batch):
                        await asyncio.sleep(0)
        finally:
            self._end()

    def _end(self) -> None:
        """Nobody follows the backend any more: let nobody wait for it either."""
        self._stopped = True
        self._watchers.lose_all("the store closed")
        for written in self._written.values():
            if not written.done():
                written.set_exception(StoreFailed("the store closed"))
        self._written.clear()

    def _apply(self, changes: Sequence[Change]) -> None:
        events = [self._applied(change) for change in changes]
        self._watchers.publish(events)
        if self._written:
            for event in events:
                written = self._written.pop(event.revision, None)
                if written is not None and not written.done():
                    written.set_result(event.item)

    def _applied(self, change: Change) -> StoreEvent:
        key = change.key
        event = _event(change, self._items.get(key), last=self._last_states.get((key, change.previous)))
        collection = self.collection(key)
        collection.changed = change.revision
        if change.deleted:
            del self._items[key]
            del collection.keys[bisect_left(collection.keys, key)]
        else:
            self._items[key] = event.item
            if not change.previous:
                insort(collection.keys, key)
        self._revision = change.revision
        self._recent.append(event)
        return event

    def _check_kept(self, revision: int) -> None:
        """Refuse what is still to come, and what was forgotten even where nothing has changed since.

        How long a moment can be read must not depend on who else wrote.
        """
        if revision > self._revision:
            raise FutureRevision(self._revision)
        if 0 < revision < self._compacted:
            raise Compacted(self._compacted)

    def _collections_under(self, prefix: str) -> Sequence[Collection]:
        if prefix.count("/") >= COLLECTION_DEPTH:
            collection = self._collections.get(_collection_of(prefix))
            return [collection] if collection else []
        return [self._collections[name] for name in sorted(self._collections) if name.startswith(prefix)]

    def _unchanged_since(self, revision: int, collections: Iterable[Collection]) -> bool:
        return revision >= self._loaded and all(collection.changed <= revision for collection in collections)


def _collection_of(key: str) -> str:
    """The prefix of the key's resource; the key itself where it is shorter than that."""
    end = 0
    for _ in range(COLLECTION_DEPTH):
        end = key.find("/", end) + 1
        if not end:
            return key
    return key[:end]


class Collection:
    """The sorted keys of one resource, and the revision of its last change."""

    __slots__ = ("changed", "keys")

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.changed = 0

    def between(self, prefix: str, start: str) -> list[str]:
        first = bisect_left(self.keys, max(prefix, start))
        end = bisect_left(self.keys, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else len(self.keys)
        return self.keys[first:end]


class _Recent:
    """The newest events, in order: what a watch can start from without asking the backend.

    Every event above `floor` is here. The oldest go when there are too many, or too large ones.
    """

    def __init__(self) -> None:
        self.floor = 0
        self._events: list[StoreEvent] = []
        self._first = 0  # the events before it are gone; the list is cut when they are half of it
        self._bytes = 0

    def append(self, event: StoreEvent) -> None:
        self._events.append(event)
        self._bytes += len(event.item.value)
        if len(self._events) - self._first > WARM_EVENTS:
            self._cool(self._events[-WARM_EVENTS - 1])
        while self._too_many(len(self._events) - self._first):
            oldest = self._events[self._first]
            self.floor = oldest.revision
            self._bytes -= len(oldest.item.value)
            self._first += 1
        if self._first > len(self._events) // 2 and self._first > WARM_EVENTS:
            del self._events[: self._first]
            self._first = 0

    def _too_many(self, count: int) -> bool:
        too_large = self._bytes > limits.HISTORY_BYTES_MAX and count > RECENT_EVENTS_MIN
        return too_large or count > limits.HISTORY_EVENTS_MAX

    def at(self, revision: int) -> StoreEvent | None:
        index = bisect_left(self._events, revision, lo=self._first, key=_revision)
        event = self._events[index] if index < len(self._events) else None
        return event if event is not None and event.revision == revision else None

    def since(self, after: int, prefix: str) -> list[StoreEvent]:
        first = bisect_right(self._events, after, lo=self._first, key=_revision)
        return [event for event in self._events[first:] if event.key.startswith(prefix)]

    def _cool(self, event: StoreEvent) -> None:
        event.cool()
        if event.previous is not None:
            event.previous.cool()  # Superseded by this event, so no cache holds it any more.
        if event.type == "DELETED":
            event.item.cool()


def encode(obj: Object) -> bytes:
    """The object as it is stored: apiVersion, kind and metadata first, and in the metadata the labels.

    metadata.resourceVersion is left out.
    """
    metadata = dict(obj.get("metadata") or {})
    metadata.pop("resourceVersion", None)
    if metadata.get("labels"):
        metadata = {"labels": metadata["labels"], **metadata}
    ordered: dict[str, Any] = {}
    for name in ("apiVersion", "kind"):
        if name in obj:
            ordered[name] = obj[name]
    ordered["metadata"] = metadata
    for name, value in obj.items():
        if name not in ordered:
            ordered[name] = value
    return orjson.dumps(ordered)


def stamp(value: bytes, revision: int) -> bytes:
    """A stored value with its resourceVersion."""
    at = value.index(METADATA) + len(METADATA)
    comma = b"" if value[at : at + 1] == b"}" else b","
    return b'%b%b%d"%b%b' % (value[:at], STAMP, revision, comma, value[at:])


def unstamp(value: bytes) -> bytes:
    """A stamped value as it was stored."""
    at = value.index(METADATA) + len(METADATA)
    end = value.index(b'"', at + len(STAMP)) + 1
    return value[:at] + value[end + 1 if value[end : end + 1] == b"," else end :]


@lru_cache(maxsize=LABELS_SHARED_MAX)
def _shared(labels: bytes) -> bytes:
    return labels


def _item(record: Record) -> Item:
    return Item(*record)


def _event(change: Change, previous: Item | None, *, last: bytes | None = None) -> StoreEvent:
    if not change.deleted:
        return StoreEvent("MODIFIED" if change.previous else "ADDED", _item(change.record), previous)
    assert previous is not None, "a deletion of what was not there"
    record = change.record
    item = Item(
        record.key, last if last is not None else unstamp(previous.value), record.revision, record.created
    )
    return StoreEvent("DELETED", item, previous)
