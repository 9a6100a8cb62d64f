"""The store in memory: for tests, for scenarios on virtual time, and the simplest reading of the contract.

Nothing here waits, so a write is acknowledged in the step of the event loop that asked for it.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter

from mamekube.store.backend import (
    FIRST_REVISION,
    Change,
    Compacted,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Page,
    Record,
    RevisionMismatch,
)
from mamekube.store.watchers import Watchers

_revision = attrgetter("revision")


class MemoryBackend:
    """Every change in a list, and per key the changes that made it."""

    def __init__(self) -> None:
        self._revision = FIRST_REVISION
        self._compacted = 0
        self._changes: list[Change] = []
        self._changes_of: dict[str, list[Change]] = {}
        self._keys: list[str] = []  # sorted; every key of _changes_of
        self._watchers: Watchers[Change] = Watchers(pending_max=sys.maxsize)

    async def create(self, *, key: str, value: bytes) -> int:
        last = self._last(key)
        if last is not None:
            raise KeyExists(key)
        revision = self._revision + 1
        return self._write(Change(Record(key, value, revision, revision), 0, False))

    async def update(self, *, key: str, value: bytes, expected: int) -> int:
        last = self._expect(key, expected)
        revision = self._revision + 1
        return self._write(Change(Record(key, value, revision, last.created), last.revision, False))

    async def delete(self, *, key: str, expected: int) -> int:
        last = self._expect(key, expected)
        revision = self._revision + 1
        return self._write(Change(Record(key, b"", revision, last.created), last.revision, True))

    async def get(self, *, key: str, revision: int = 0) -> Record | None:
        return self._at(key, self._readable(revision))

    async def list(self, *, prefix: str, revision: int = 0, start: str = "", limit: int = 0) -> Page:
        revision = self._readable(revision)
        records = list(self._under(prefix, revision=revision, start=start))
        page = records[:limit] if limit else records
        remaining = len(records) - len(page)
        return Page(page, revision, more=remaining > 0, remaining=remaining)

    @asynccontextmanager
    async def watch(self, *, prefix: str, after: int) -> AsyncIterator[AsyncIterator[Sequence[Change]]]:
        if after < self._compacted:
            raise Compacted(self._compacted)
        watcher = self._watchers.add(prefix, after=max(after, self._revision))
        try:
            since = bisect_right(self._changes, after, key=_revision)
            watcher.replay([change for change in self._changes[since:] if change.key.startswith(prefix)])
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def compact(self, *, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(self._revision)
        self._compacted = max(self._compacted, revision)
        del self._changes[: bisect_right(self._changes, revision, key=_revision)]
        for key, changes in list(self._changes_of.items()):
            superseded = bisect_right(changes, revision, key=_revision) - 1
            if superseded >= 0 and changes[superseded].deleted:
                superseded += 1
            del changes[: max(superseded, 0)]
            if not changes:
                del self._changes_of[key]
        self._keys = sorted(self._changes_of)

    async def revision(self) -> int:
        return self._revision

    async def close(self) -> None:
        self._watchers.lose_all("the store closed")

    def _write(self, change: Change) -> int:
        self._revision = change.revision
        self._changes.append(change)
        if change.key not in self._changes_of:
            self._changes_of[change.key] = []
            insort(self._keys, change.key)
        self._changes_of[change.key].append(change)
        self._watchers.publish([change])
        return change.revision

    def _last(self, key: str) -> Record | None:
        return self._at(key, self._revision)

    def _expect(self, key: str, expected: int) -> Record:
        last = self._last(key)
        if last is None:
            raise KeyMissing(key)
        if last.revision != expected:
            raise RevisionMismatch(key, last.revision)
        return last

    def _readable(self, revision: int) -> int:
        if revision > self._revision:
            raise FutureRevision(self._revision)
        if 0 < revision < self._compacted:
            raise Compacted(self._compacted)
        return revision or self._revision

    def _at(self, key: str, revision: int) -> Record | None:
        changes = self._changes_of.get(key, ())
        index = bisect_right(changes, revision, key=_revision) - 1
        return changes[index].record if index >= 0 and not changes[index].deleted else None

    def _under(self, prefix: str, *, revision: int, start: str) -> Iterator[Record]:
        for index in range(bisect_left(self._keys, max(prefix, start)), len(self._keys)):
            key = self._keys[index]
            if not key.startswith(prefix):
                return
            record = self._at(key, revision)
            if record is not None:
                yield record
