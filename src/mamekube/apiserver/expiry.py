"""Events do not live for ever: each is removed when nothing was written to it for an hour.

Upstream gives them a lease in etcd; here one task keeps the due times and deletes what is due, so that a restart
only begins the hours anew from what the events themselves say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from mamekube.apiserver.writes import prefix_for
from mamekube.foundation.clock import Clock, Deadlines, parse_time
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import EVENTS_TTL_S
from mamekube.objects.meta import Object, metadata
from mamekube.objects.resource import Resource
from mamekube.store.backend import Compacted, StoreError, WatchLost
from mamekube.store.store import Item, Store

EVENTS = Resource(group="", version="v1", plural="events", kind="Event")
SWEEP_S = 30.0
"""Due events are removed together, this often."""
READ_AT_ONCE = 50
"""Events that are decoded in one turn of the loop."""


class EventExpiry(Component):
    """Follows the events of the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__()
        self._store = store
        self._clock = clock
        self._prefix = prefix_for(EVENTS)
        self._due = Deadlines()

    async def start(self) -> None:
        self.spawn(self._follow(), name="events-follow")
        self.spawn(self._sweep(), name="events-sweep")

    async def _follow(self) -> None:
        while True:
            snapshot = await self._store.list(prefix=self._prefix)
            for key, time_s in await self._read(snapshot.items):
                self._due.set(key, time_s + EVENTS_TTL_S)
            with contextlib.suppress(WatchLost, Compacted):
                await self._follow_from(snapshot.revision)

    async def _read(self, items: Sequence[Item]) -> list[tuple[str, float]]:
        """When each event was written. Others have their turns meanwhile: there may be many, and nothing is urgent."""
        written = []
        for position, item in enumerate(items):
            if position % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
            written.append((item.key, written_s(item.transient(), self._clock.now())))
        return written

    async def _follow_from(self, revision: int) -> None:
        async with self._store.watch(prefix=self._prefix, after=revision) as batches:
            async for batch in batches:
                for event in batch:
                    if event.type == "DELETED":
                        self._due.discard(event.item.key)
                    else:
                        self._due.set(event.item.key, self._clock.now() + EVENTS_TTL_S)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            for key in self._due.pop_due(self._clock.now()):
                item = await self._store.get(key=key)
                if item is not None:
                    # A write in this very moment wins: it has set a new due time.
                    with contextlib.suppress(StoreError):
                        await self._store.delete(key=key, expected=item.revision)


def written_s(event: Object, now_s: float) -> float:
    """When the event was last written, as far as it says so itself."""
    series = event.get("series") or {}
    for text in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        metadata(event).get("creationTimestamp"),
    ):
        if text:
            return min(parse_time(text), now_s)
    return now_s
