"""What matters of one resource, kept up to date by a watch on the store, for code with an index of its own.

A mirror keeps a digest per object, not the object: ten thousand decoded pods would cost more memory than all
the rest of the server. It tells its handler about every digest that changes, in order; at the start, and
again after a watch was lost, about the difference between what it knows and what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mamekube.apiserver.writes import prefix_for
from mamekube.foundation.lifecycle import Component
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.store.backend import Compacted, WatchLost
from mamekube.store.store import Item, Store

D = TypeVar("D")


class ItemMirror(Component, Generic[D]):
    """`digest(item, old digest)` answers None for what does not matter; `handler(old, new)` must not block.

    A digest that finds in an item's bytes what it needs spares the decoding of ten thousand pods.
    """

    def __init__(
        self,
        store: Store,
        resource: Resource,
        *,
        digest: Callable[[Item, D | None], D | None],
        handler: Callable[[D | None, D | None], None],
    ) -> None:
        super().__init__()
        self._digests: dict[str, D] = {}
        self._store = store
        self._prefix = prefix_for(resource)
        self._digest = digest
        self._handler = handler

    async def start(self) -> None:
        revision = await self._fill()
        self.spawn(self._follow(revision), name=f"mirror {self._prefix}")

    async def _follow(self, revision: int) -> None:
        while True:
            try:
                async with self._store.watch(prefix=self._prefix, after=revision) as batches:
                    async for batch in batches:
                        for event in batch:
                            revision = event.item.revision
                            self._note(event.item, deleted=event.type == "DELETED")
            except (WatchLost, Compacted):
                revision = await self._fill()

    async def _fill(self) -> int:
        snapshot = await self._store.list(prefix=self._prefix)
        present = {item.key for item in snapshot.items}
        for key in [key for key in self._digests if key not in present]:
            self._keep(key, None)
        for item in snapshot.items:
            self._note(item)
        return snapshot.revision

    def _note(self, item: Item, *, deleted: bool = False) -> None:
        self._keep(item.key, None if deleted else self._digest(item, self._digests.get(item.key)))

    def _keep(self, key: str, new: D | None) -> None:
        old = self._digests.get(key)
        if new is old:
            return
        if new is None:
            del self._digests[key]
        else:
            self._digests[key] = new
        self._handler(old, new)


class Mirror(ItemMirror[D]):
    """One whose digest is of the decoded object."""

    def __init__(
        self,
        store: Store,
        resource: Resource,
        *,
        digest: Callable[[Object, D | None], D | None],
        handler: Callable[[D | None, D | None], None],
    ) -> None:
        super().__init__(store, resource, digest=lambda item, old: digest(item.object, old), handler=handler)
