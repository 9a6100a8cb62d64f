"""WATCH: the changes of a resource from one revision on, selected, as an explicit sequence of batches.

A watcher sees an object come (ADDED) when it starts to match the selectors and go (DELETED) when it stops to,
whatever the write was. Between changes it gets bookmarks, if it asked for them, so that it may resume from a
recent revision.

Without selectors the bytes of an event are the store's, encoded once for all watchers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from mamekube.apiserver.documents import Document, Made
from mamekube.apiserver.listing import too_large_revision
from mamekube.apiserver.options import ListOptions, parse_revision
from mamekube.apiserver.selecting import Predicate, predicate
from mamekube.apiserver.versions import converts, shown_all, storage_key, storage_prefix
from mamekube.foundation.limits import WATCH_TIMEOUT_MIN_S
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.status import expired
from mamekube.store.backend import Compacted, WatchLost
from mamekube.store.store import Store, StoreEvent
from mamekube.store.watchers import Watcher

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"
BOOKMARK = "BOOKMARK"
ERROR = "ERROR"

BOOKMARK_PERIOD_S = 60.0
BOOKMARK_BEFORE_END_S = 2.0
"""A last bookmark goes out so long before the watch times out. Upstream: bookmarkFrequency, forgetWatcher."""

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Told(Protocol):
    """What one watcher is told: a change as it is in the store, or an event of its own."""

    @property
    def type(self) -> str: ...

    @property
    def document(self) -> Document: ...

    @property
    def wire(self) -> bytes:
        """The line of the response."""
        ...


@dataclass(slots=True)
class WatchEvent:
    """What one watcher is told that others may not be."""

    type: str
    document: Document
    shared: StoreEvent | None = None
    """The store's event, where this watcher is told exactly that."""

    @property
    def wire(self) -> bytes:
        """The line of the response."""
        if self.shared is not None:
            return self.shared.wire
        return b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.document.value)


class Batches(Protocol):
    """Events in the order of the store: to iterate over, or to have poured out."""

    def __aiter__(self) -> AsyncIterator[Sequence[Told]]: ...

    async def __anext__(self) -> Sequence[Told]: ...

    async def pour(self, send: Callable[[Sequence[Told]], bool]) -> bool: ...


@asynccontextmanager
async def watch(store: Store, kind: Kind, *, namespace: str, options: ListOptions) -> AsyncIterator[Batches]:
    """Batches of events. Entering raises 400, 410 and 504; iterating raises 410. It ends when its time is over."""
    selected = predicate(kind, options)
    prefix = storage_prefix(kind, namespace)
    name = options.fields.exact("metadata.name")
    if name is not None and (namespace or not kind.namespaced):
        prefix = storage_key(kind, namespace, name)
    revision = parse_revision(options.revision)
    initial = options.send_initial if options.send_initial is not None else revision == 0
    if revision > store.revision:
        raise too_large_revision(revision, store.revision)
    if initial:
        snapshot = await store.list(prefix=prefix)
        first: list[WatchEvent] = []
        for document in await shown_all(kind, snapshot.items):
            if selected is None or selected(document):
                first.append(WatchEvent(ADDED, document))
        revision = snapshot.revision
        if options.send_initial and options.bookmarks:
            first.append(bookmark(kind, revision, initial_end=True))
    else:
        first = []
        revision = revision or store.revision
    try:
        async with store.watch(prefix=prefix, after=revision) as changes:
            watching = _Watch(store, kind, selected, options, first, changes)
            with watching.while_served():
                yield watching
    except Compacted as error:
        raise expired(f"too old resource version: {revision} ({error.oldest})") from None


class _Watch:
    """The iterator; to be read by one task."""

    def __init__(
        self,
        store: Store,
        kind: Kind,
        selected: Predicate | None,
        options: ListOptions,
        first: list[WatchEvent],
        changes: Watcher[StoreEvent],
    ) -> None:
        self._store = store
        self._kind = kind
        self._selected = selected
        self._first = first
        self._changes = changes
        self._plain = selected is None and not converts(kind)
        loop = asyncio.get_running_loop()
        timeout_s = options.timeout_s or WATCH_TIMEOUT_MIN_S * (1 + random.random())
        self._loop = loop
        self._ends_s = loop.time() + timeout_s
        self._bookmarks = options.bookmarks
        self._bookmark_s = self._next_bookmark_s()
        self._timer = self._set_timer()

    @contextmanager
    def while_served(self) -> Iterator[None]:
        """Where the kind may come to an end, the watch ends with it."""
        lifetime = self._kind.lifetime
        try:
            if lifetime is None:
                yield
                return
            if lifetime.ended:
                self._end()
            lifetime.tell(self._end)
            try:
                yield
            finally:
                lifetime.forget(self._end)
        finally:
            self._timer.cancel()

    def _end(self) -> None:
        self._ends_s = self._loop.time()
        self._changes.nudge()

    def _set_timer(self) -> asyncio.TimerHandle:
        """One timer from bookmark to bookmark: a timeout around every wait costs more than a whole event."""
        return self._loop.call_at(min(self._ends_s, self._bookmark_s), self._changes.nudge)

    async def pour(self, send: Callable[[Sequence[Told]], bool]) -> bool:
        """Give every batch to `send` until the time is over (False), or until `send` says that the reader is slow
        (True): wait for it then, and call again. Raises 410."""
        if self._plain:
            return await self._pour_at_once(send)
        async for batch in self:
            if not send(batch):
                return True
        return False

    async def _pour_at_once(self, send: Callable[[Sequence[Told]], bool]) -> bool:
        """The shortest way from the store to the client: the store's loop calls, and no task is woken."""
        ended: asyncio.Future[bool] = self._loop.create_future()

        def step() -> None:
            if ended.done():
                return
            try:
                batch = self._next_now()
                if batch and not send(batch):
                    ended.set_result(True)
            except StopAsyncIteration:
                ended.set_result(False)
            except Exception as error:
                ended.set_exception(error)

        self._changes.call(step)
        try:
            step()
            return await ended
        finally:
            self._changes.call(None)

    def _next_now(self) -> Sequence[Told]:
        """What there is to tell without waiting. Raises 410, and StopAsyncIteration at the end."""
        if self._first:
            first, self._first = self._first, []
            self._changes.nudge()
            return first
        try:
            return self._changes.take() or self._due()
        except WatchLost as error:
            raise expired(f"the watch was lost: {error}") from None

    def __aiter__(self) -> _Watch:
        return self

    async def __anext__(self) -> Sequence[Told]:
        if self._first:
            first, self._first = self._first, []
            return first
        while True:
            try:
                batch = await anext(self._changes)
            except WatchLost as error:
                raise expired(f"the watch was lost: {error}") from None
            events: Sequence[Told]
            if not batch:
                events = self._due()
            else:
                events = batch if self._plain else await self._told(batch)
            if events:
                return events

    def _due(self) -> Sequence[WatchEvent]:
        """What it is time for, now that no change has woken the watch. Raises StopAsyncIteration at its end."""
        now_s = self._loop.time()
        if now_s >= self._ends_s:
            raise StopAsyncIteration
        if now_s < self._bookmark_s:
            return ()
        self._bookmark_s = self._next_bookmark_s()
        self._timer = self._set_timer()
        return [bookmark(self._kind, self._store.revision)]

    async def _told(self, batch: Sequence[StoreEvent]) -> Sequence[WatchEvent]:
        selected = self._selected
        now = await shown_all(self._kind, [event.item for event in batch])
        previous = [event.previous for event in batch if event.previous is not None and selected]
        before = iter(await shown_all(self._kind, previous))
        told = [
            tell(selected, event, document, next(before) if event.previous is not None and selected else None)
            for event, document in zip(batch, now, strict=True)
        ]
        return [event for event in told if event is not None]

    def _next_bookmark_s(self) -> float:
        if not self._bookmarks:
            return float("inf")
        now_s = self._loop.time()
        last_s = self._ends_s - BOOKMARK_BEFORE_END_S
        due_s = now_s + BOOKMARK_PERIOD_S
        if now_s < last_s:
            due_s = min(due_s, last_s)
        return due_s


def tell(
    selected: Predicate | None, event: StoreEvent, now: Document, before: Document | None
) -> WatchEvent | None:
    """What a watcher with these selectors is told of a change; None for nothing.

    `now` and `before` are the object in the watcher's version; `before` is of use to selectors only.
    """
    shared = event if now is event.item else None
    if selected is None:
        return WatchEvent(event.type, now, shared)
    matched = before is not None and selected(before)
    if event.type == DELETED:
        return WatchEvent(DELETED, now, shared) if matched else None
    if selected(now):
        kept = (event.type == MODIFIED) == matched
        return WatchEvent(MODIFIED if matched else ADDED, now, shared if kept else None)
    if before is None or not matched:
        return None
    gone = before.object
    stamped = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(event.revision)}}
    return WatchEvent(DELETED, Made(stamped))


def bookmark(kind: Kind, revision: int, *, initial_end: bool = False) -> WatchEvent:
    metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return WatchEvent(
        BOOKMARK, Made({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})
    )
