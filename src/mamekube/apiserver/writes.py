"""What admission sees: one write on its way to the store, and a window to look at other objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.apiserver.request import User
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.store.store import Collection, Store

CREATE = "CREATE"
UPDATE = "UPDATE"
DELETE = "DELETE"
CONNECT = "CONNECT"


@dataclass(slots=True, kw_only=True)
class Write:
    """One write. Mutating admission may change `object`, which belongs to this request; `old` is read-only.

    For a subresource with a kind of its own (`binding`, `eviction`, `scale`, `token`) `kind` is still the
    parent's and `object` is what the client sent.
    """

    operation: str
    kind: Kind
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    object: Object | None = None
    old: Object | None = None
    user: User
    verb: str = ""
    """Of the request: an update may be a `patch`."""
    dry_run: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    """The CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, as the JSON that webhooks see."""
    warnings: list[str] = field(default_factory=list)
    """Texts for the `Warning` header of the answer."""
    waits: list[float] = field(default_factory=list)
    """Seconds that were spent on asking outside code."""
    heavy_bytes: int = 0
    """Of its request."""
    reinvoke: bool = False
    """Set by a plugin when outside code changed the object: the plugins before it have to see it again."""
    reinvoking: bool = False
    """Whether this is the second pass of mutating admission."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What a plugin keeps from the first pass for the second, by its name."""


KEPT_LISTS_MAX = 2_000
"""Lists that a reader keeps: a few for each namespace."""
KEPT_OBJECTS_MAX = 64
"""Objects in a list that is worth keeping: limits, quotas and classes are few."""


class Reader:
    """Objects as they are now, for admission, authorization and authentication. They are read-only."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self.registry = registry
        self._lists: dict[str, tuple[Collection, int, Sequence[Object]]] = {}
        """By prefix: what admission asks for with every write, and the revision of the last change when it was read."""

    async def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object | None:
        """The object in the version it is stored in, or None."""
        item = self._store.current(key_for(resource, namespace=namespace, name=name))
        return item.object if item else None

    async def list(self, resource: Resource, *, namespace: str = "") -> Iterable[Object]:
        prefix = prefix_for(resource, namespace=namespace)
        kept = self._lists.get(prefix)
        if kept is not None and kept[0].changed == kept[1]:
            return kept[2]
        collection = self._store.collection(prefix)
        changed = collection.changed
        snapshot = await self._store.list(prefix=prefix)
        objects = tuple(item.object for item in snapshot.items)
        if len(objects) <= KEPT_OBJECTS_MAX:
            if len(self._lists) >= KEPT_LISTS_MAX:
                self._lists.clear()
            self._lists[prefix] = collection, changed, objects
        return objects

    @property
    def revision(self) -> int:
        """Of the newest change: equal revisions mean that nothing at all has changed."""
        return self._store.revision


def prefix_for(resource: Resource, *, namespace: str = "") -> str:
    """The prefix of the store's keys of one resource, in one namespace or in all."""
    prefix = f"/registry/{resource.group or 'core'}/{resource.plural}/"
    return f"{prefix}{namespace}/" if namespace and resource.namespaced else prefix


def key_for(resource: Resource, *, namespace: str = "", name: str) -> str:
    return prefix_for(resource, namespace=namespace) + name
