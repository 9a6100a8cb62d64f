"""A cache of one resource that follows the API server, and those who want to hear of its changes.

Duty: list once, watch from there, and after any interruption resume without losing or repeating a change. The
`Reflector` is the state machine that does so; the `Cache` is what others read; the `CacheWriter` is the only one
that changes it.

Invariants:

* Handlers and cache agree: when a handler runs, the cache already shows the state it is told of.
* A relist replaces the whole content in one step, and handlers are told of the differences as if they were events.
* Objects are read-only: they are shared by every reader.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum

from mamekube.client.client import Client, Event
from mamekube.foundation.backoff import Backoff
from mamekube.foundation.lifecycle import Component
from mamekube.objects.meta import Object, key_of, namespace_of, revision_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

Index = Callable[[Object], Iterable[str]]
"""The values under which an object is found."""
Handler = Callable[[str, Object | None, Object | None], None]
"""`(type, old, new)`, type ADDED, MODIFIED or DELETED; called in the loop, must not block."""

BACKOFF_INITIAL_S = 0.8
BACKOFF_LIMIT_S = 30.0
"""Waits between tries. Upstream: the reflector's backoff manager, with the same jitter of up to as much again."""
WATCH_TIMEOUT_S = 300
"""Watches are renewed after this long to twice this long. Upstream: minWatchTimeout."""
SHORT_WATCH_S = 1.0
"""A watch that ended sooner, without an event, is a failure: renewing it at once would be a busy loop."""

log = logging.getLogger(__name__)


class Cache:
    """The read side: the objects of one resource by key, and by the values of its indexes."""

    def __init__(self) -> None:
        self._objects: dict[str, Object] = {}
        self._namespaces: dict[str, dict[str, Object]] = {}
        self._indexes: dict[str, dict[str, dict[str, Object]]] = {}

    def get(self, key: str) -> Object | None:
        """The object with the key `namespace/name`, or `name` where there are no namespaces."""
        return self._objects.get(key)

    def list(self, *, namespace: str = "") -> list[Object]:
        """All objects, or those of one namespace, in no order that means anything."""
        if namespace:
            return list(self._namespaces.get(namespace, {}).values())
        return list(self._objects.values())

    def by_index(self, index: str, value: str) -> Sequence[Object]:
        """The objects for which the index function named `index` answered `value`."""
        return list(self._indexes[index].get(value, {}).values())

    def keys(self) -> Iterable[str]:
        return self._objects.keys()

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects


class CacheWriter:
    """The write side of a cache. There is one, and the reflector has it."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._functions: dict[str, Index] = {}

    def add_index(self, name: str, function: Index) -> None:
        """Keep an index from now on; one of the same name that exists already stays."""
        if name in self._functions:
            return
        self._functions[name] = function
        values: dict[str, dict[str, Object]] = {}
        for key, obj in self._cache._objects.items():
            for value in function(obj):
                values.setdefault(value, {})[key] = obj
        self._cache._indexes[name] = values

    def put(self, obj: Object) -> Object | None:
        """Add or replace; answer what was there."""
        cache, key = self._cache, key_of(obj)
        old = cache._objects.get(key)
        cache._objects[key] = obj
        cache._namespaces.setdefault(namespace_of(obj), {})[key] = obj
        for name, function in self._functions.items():
            values = cache._indexes[name]
            now = set(function(obj))
            if old is not None:
                _unlink(values, key, [value for value in function(old) if value not in now])
            for value in now:
                values.setdefault(value, {})[key] = obj
        return old

    def remove(self, key: str) -> Object | None:
        """Take out; answer what was there."""
        cache = self._cache
        old = cache._objects.pop(key, None)
        if old is None:
            return None
        _unlink(cache._namespaces, key, [namespace_of(old)])
        for name, function in self._functions.items():
            _unlink(cache._indexes[name], key, function(old))
        return old


def _unlink(values: dict[str, dict[str, Object]], key: str, which: Iterable[str]) -> None:
    for value in which:
        entries = values.get(value)
        if entries is not None:
            entries.pop(key, None)
            if not entries:
                del values[value]


class State(Enum):
    """What a reflector does next."""

    LIST = "list"
    """Nothing is known, or what is known is too old to watch from."""
    WATCH = "watch"
    """Everything up to `revision` is in the cache."""
    WAIT = "wait"
    """The last step failed: wait, then do it again."""


class Informer(Component):
    """Keeps a cache of one resource up to date, and tells its subscribers of every change."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        indexes: Mapping[str, Index] = {},
    ) -> None:
        super().__init__()
        self.resource = resource
        self.cache = Cache()
        self.state = State.LIST
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._writer = CacheWriter(self.cache)
        self._handlers: list[Handler] = []
        self._revision = ""
        self._listed = asyncio.Event()
        self._backoff = Backoff(initial_s=BACKOFF_INITIAL_S, limit_s=BACKOFF_LIMIT_S, jitter=1.0)
        self.add_indexes(indexes)

    async def start(self) -> None:
        self.spawn(self._run(), name=f"informer {self.resource.group_resource}")

    def add_indexes(self, indexes: Mapping[str, Index]) -> None:
        for name, function in indexes.items():
            self._writer.add_index(name, function)

    def subscribe(self, handler: Handler) -> None:
        """Call `handler` for every change from now on, and now with ADDED for all that is there."""
        self._handlers.append(handler)
        for obj in self.cache.list():
            self._call(handler, "ADDED", None, obj)

    async def synced(self) -> None:
        """Wait until the cache holds the first list, and the handlers have been told of it."""
        await self._listed.wait()

    @property
    def has_synced(self) -> bool:
        return self._listed.is_set()

    # The state machine --------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self.state = await self._step(self.state)

    async def _step(self, state: State) -> State:
        """Do what `state` asks for; answer the state that follows."""
        if state is State.WAIT:
            await asyncio.sleep(self._backoff.next_s(self.resource.plural))
            return State.WATCH if self._revision else State.LIST
        try:
            if state is State.LIST:
                await self._list()
                return State.WATCH
            return await self._watch()
        except StatusError as error:
            return self._after_failure(error)

    def _after_failure(self, error: StatusError) -> State:
        if error.code == 410:
            log.debug("%s: %s; listing again", self.resource.group_resource, error.message)
            expired_at, self._revision = self._revision, ""
            return State.LIST if expired_at else State.WAIT
        log.warning("%s: %s: %s", self.resource.group_resource, self.state.value, error.message)
        return State.WAIT

    async def _list(self) -> None:
        listing = await self._client.list(
            self.resource,
            namespace=self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        self._replace(listing.items)
        self._revision = listing.revision
        self._listed.set()

    async def _watch(self) -> State:
        loop = asyncio.get_running_loop()
        started_s, revision = loop.time(), self._revision
        watching = self._client.watch(
            self.resource,
            namespace=self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            revision=self._revision,
            timeout_s=int(WATCH_TIMEOUT_S * (1 + random.random())),
        )
        async with watching as events:
            async for event in events:
                self._apply(event)
        if self._revision == revision and loop.time() - started_s < SHORT_WATCH_S:
            return State.WAIT
        return State.WATCH

    def clear(self) -> None:
        """Let go of everything, and tell that it is gone."""
        self._replace(())

    def _apply(self, event: Event) -> None:
        if event.type == "DELETED":
            old = self._writer.remove(key_of(event.object))
            if old is not None:
                self._tell("DELETED", old, event.object)
        elif event.type != "BOOKMARK":
            old = self._writer.put(event.object)
            self._tell("MODIFIED" if old is not None else "ADDED", old, event.object)
        self._revision = revision_of(event.object)
        self._backoff.forget(self.resource.plural)

    def _replace(self, objects: Iterable[Object]) -> None:
        """Make `objects` the whole content, before anyone hears of it; then tell the differences."""
        differences: list[tuple[str, Object | None, Object | None]] = []
        listed: set[str] = set()
        for obj in objects:
            listed.add(key_of(obj))
            old = self._writer.put(obj)
            if old is None:
                differences.append(("ADDED", None, obj))
            elif revision_of(old) != revision_of(obj):
                differences.append(("MODIFIED", old, obj))
        for key in [key for key in self.cache.keys() if key not in listed]:  # noqa: SIM118 - not a dict
            gone = self._writer.remove(key)
            differences.append(("DELETED", gone, gone))
        for difference in differences:
            self._tell(*difference)

    def _tell(self, type: str, old: Object | None, new: Object | None) -> None:
        for handler in self._handlers:
            self._call(handler, type, old, new)

    def _call(self, handler: Handler, type: str, old: Object | None, new: Object | None) -> None:
        try:
            handler(type, old, new)
        except Exception:
            # One subscriber's fault must not keep the change from the others, or end the informer.
            log.exception("%s: a handler failed on %s", self.resource.group_resource, type)


class InformerFactory(Component):
    """One informer for each resource and selector, shared by all who ask for it.

    Informers asked for before the factory is entered start with it; later ones start at once.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._informers: dict[tuple[str, str, str, str], Informer] = {}
        self._running: dict[tuple[str, str, str, str], asyncio.Task[None]] = {}
        self._entered = False

    def informer(
        self,
        resource: Resource,
        *,
        field_selector: str = "",
        indexes: Mapping[str, Index] = {},
    ) -> Informer:
        key = (resource.group, resource.version, resource.plural, field_selector)
        informer = self._informers.get(key)
        if informer is None:
            informer = Informer(self._client, resource, field_selector=field_selector)
            self._informers[key] = informer
            if self._entered:
                self._running[key] = self.spawn(self._run(informer))
        informer.add_indexes(indexes)
        return informer

    def forget(self, resource: Resource) -> None:
        """End the informers of a resource that is not served any more; their subscribers hear that all is gone."""
        names = (resource.group, resource.version, resource.plural)
        for key in [key for key in self._informers if key[:3] == names]:
            informer = self._informers.pop(key)
            running = self._running.pop(key, None)
            if running is not None:
                running.cancel()
            informer.clear()

    async def start(self) -> None:
        self._entered = True
        for key, informer in self._informers.items():
            self._running[key] = self.spawn(self._run(informer))

    async def synced(self) -> None:
        """Wait until every informer asked for so far has its first list."""
        for informer in list(self._informers.values()):
            await informer.synced()

    async def _run(self, informer: Informer) -> None:
        async with informer:
            await informer.wait()
