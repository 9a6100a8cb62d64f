"""A decoded copy of one resource, kept by a watch on the store, for code that keeps an index of its own.

Handlers are called in the loop with every change in order; at the start, and again after a watch was lost,
they are told the difference between what they know and what is there.
"""

from __future__ import annotations

from collections.abc import Callable

from mamekube.apiserver.writes import prefix_for
from mamekube.foundation.lifecycle import Component
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.store.backend import Compacted, WatchLost
from mamekube.store.store import Store

Handler = Callable[[str, Object | None, Object | None], None]
"""`(type, old, new)` with type ADDED, MODIFIED or DELETED; must not block."""


class Mirror(Component):
    """`objects` by store key; read-only for everybody else."""

    def __init__(self, store: Store, resource: Resource, handler: Handler) -> None:
        super().__init__()
        self.objects: dict[str, Object] = {}
        self._store = store
        self._prefix = prefix_for(resource)
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
                            self._note(event.item.key, None if event.type == "DELETED" else event.item.object)
            except (WatchLost, Compacted):
                revision = await self._fill()

    async def _fill(self) -> int:
        snapshot = await self._store.list(prefix=self._prefix)
        present = {item.key: item.object for item in snapshot.items}
        for key in [key for key in self.objects if key not in present]:
            self._note(key, None)
        for key, obj in present.items():
            self._note(key, obj)
        return snapshot.revision

    def _note(self, key: str, new: Object | None) -> None:
        old = self.objects.get(key)
        if new is None:
            if self.objects.pop(key, None) is not None:
                self._handler("DELETED", old, None)
        elif new is not old:
            self.objects[key] = new
            self._handler("MODIFIED" if old is not None else "ADDED", old, new)
