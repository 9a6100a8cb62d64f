"""What a store is: ten methods over keys, opaque values and one counter of revisions.

The contract is etcd's, and `tests/contract/` runs one suite over every backend:

* Every write takes the next revision; revisions of one store are strictly increasing and never reused,
  also after a restart.
* A write is acknowledged (its method returns) once it is durable; only then can anyone read it or see it in
  a watch. Writes become visible in the order of their revisions.
* `update` and `delete` name the revision that they expect the key to have, and change nothing if it has
  another one.
* History is kept until it is compacted: `get` and `list` can look at any revision that is not, and `watch`
  can start from one.
* Values are bytes and never looked into. Keys are text; a prefix selects by text.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

FIRST_REVISION = 1
"""The revision of an empty store, as in etcd."""


class StoreError(Exception):
    """Something the store refused or failed to do."""


class KeyExists(StoreError):
    """create: the key is there already."""


class KeyMissing(StoreError):
    """update, delete: the key is not there."""


class RevisionMismatch(StoreError):
    """update, delete: the key is at another revision than expected; `current` is the one it is at."""

    def __init__(self, key: str, current: int) -> None:
        super().__init__(f"{key} is at revision {current}")
        self.current = current


class Compacted(StoreError):
    """get, list, watch: the revision asked for is older than `oldest`, the oldest one kept."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"revisions before {oldest} were compacted")
        self.oldest = oldest


class FutureRevision(StoreError):
    """get, list: no write has taken the revision asked for yet."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the current revision is {current}")
        self.current = current


class WatchLost(StoreError):
    """watch: the reader fell behind by more than the limit, or the store closed; list and watch again."""


class StoreFailed(StoreError):
    """The disk or the remote store failed: what was not acknowledged is not stored."""


class Record(NamedTuple):
    """A key with its value, as of the write that took `revision`."""

    key: str
    value: bytes
    revision: int
    created: int
    """The revision of the write that created the key."""


class Change(NamedTuple):
    """One write: a put, or a deletion, whose record has the deletion's revision and no value."""

    record: Record
    previous: int
    """The revision of the record that it replaced or removed; 0 for a creation."""
    deleted: bool

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def revision(self) -> int:
        return self.record.revision


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, in order of keys, all as of `revision`."""

    records: Sequence[Record]
    revision: int
    more: bool = False
    remaining: int = 0
    """How many records follow the page; 0 where `more` is false."""


class Backend(Protocol):
    """A store. All methods may raise StoreFailed."""

    async def create(self, *, key: str, value: bytes) -> int:
        """Store a new key; answer its revision. Raises KeyExists."""
        ...

    async def update(self, *, key: str, value: bytes, expected: int) -> int:
        """Replace a value; answer the new revision. Raises KeyMissing, RevisionMismatch."""
        ...

    async def delete(self, *, key: str, expected: int) -> int:
        """Remove a key; answer the revision of the removal. Raises KeyMissing, RevisionMismatch."""
        ...

    async def get(self, *, key: str, revision: int = 0) -> Record | None:
        """The record now, or as of `revision`. Raises Compacted, FutureRevision."""
        ...

    async def list(self, *, prefix: str, revision: int = 0, start: str = "", limit: int = 0) -> Page:
        """Records under `prefix` from key `start` on, `limit` at most (0: all). Raises as `get`."""
        ...

    def watch(
        self, *, prefix: str, after: int
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[Change]]]:
        """Every change under `prefix` with a revision above `after`, in order, in batches.

        Entering it raises Compacted; iterating it raises WatchLost. It never ends by itself.
        """
        ...

    async def compact(self, *, revision: int) -> None:
        """Forget the history before `revision`; what is current stays.

        `revision` itself can still be read, and watched from. Raises FutureRevision.
        """
        ...

    async def revision(self) -> int:
        """The revision of the last acknowledged write; FIRST_REVISION for an empty store."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, end every watch, release the files."""
        ...
