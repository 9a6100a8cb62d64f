"""The store in one SQLite file: every acknowledged write is on disk.

How a write goes: the event loop decides it, against an index in memory that includes the writes under way; it
queues; whatever has queued is inserted in one statement, which is one transaction and goes to SQLite's log; the
kernel brings the log to the disk while the loop does other things; then the loop publishes the changes in the order
of their revisions and acknowledges them. What SQLite does now and then, and takes its time for, a thread does.

Invariants:

* `_heads` is what the file holds; `_pending` is the last write under way of each key. A refusal rests on
  `_heads` alone: where a write under way stands in the way, its outcome is awaited first.
* After a failed write nothing is under way, and `_heads` is again what the file holds, and the disk.
* `_writing` is held by who uses the connection that writes: the loop, for a batch, or the thread.
* The file belongs to one process, by a lock that ends with it; a killed process leaves nothing to repair.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

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
    StoreFailed,
)
from mamekube.store.datasync import DataSync, data_sync
from mamekube.store.watchers import Watcher, Watchers

BATCH_MAX = 256
"""Writes in one transaction: enough to share an fsync, few enough that readers see progress."""
BATCH_BYTES_MAX = 4 << 20
"""Of values in one transaction, unless it is one write."""
HEAVY_BYTES = 64 << 10
"""Of values that the thread inserts: the loop would take a millisecond for a megabyte."""
COMMIT_BYTES = 16 << 10
"""What a transaction adds to the log beside its values, about: pages of the table and of its index."""
LOG_BYTES_MAX = 4 << 20
"""From there on the log's content is moved into the table."""
REPLAY_CHUNK = 1_000
"""Changes read from history at a time when a watch starts in the past."""
COMPACT_CHUNK = 2_000
"""Revisions compacted in one transaction, so that writes queue only briefly behind it."""

SCHEMA_VERSION = 1
SCHEMA = """
    CREATE TABLE IF NOT EXISTS history (
        revision INTEGER PRIMARY KEY,
        key      TEXT    NOT NULL,
        deleted  INTEGER NOT NULL,
        previous INTEGER NOT NULL,
        created  INTEGER NOT NULL,
        value    BLOB    NOT NULL
    );
    CREATE INDEX IF NOT EXISTS history_by_key ON history (key, revision);
    CREATE TABLE IF NOT EXISTS compacted (revision INTEGER NOT NULL);
"""
LATEST = """
    history JOIN (
        SELECT max(revision) AS revision FROM history
        WHERE key >= :start AND key < :end AND revision <= :revision GROUP BY key
    ) USING (revision) WHERE NOT deleted
"""
SELECT_PAGE = f"SELECT key, value, revision, created FROM {LATEST} ORDER BY key LIMIT :limit"
COUNT = f"SELECT count(*) FROM {LATEST}"
SELECT_AT = """
    SELECT key, value, revision, created, deleted FROM history
    WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1
"""
SELECT_CHANGES = """
    SELECT key, value, revision, created, previous, deleted FROM history
    WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?
"""
SELECT_EVERYTHING = """
    SELECT key, value, revision, created, deleted FROM history WHERE revision <= ? ORDER BY revision
"""
"""In the order of the file: a start that jumped from key to key would take several times as long."""
DELETE_SUPERSEDED = """
    DELETE FROM history WHERE revision IN
    (SELECT previous FROM history WHERE revision > ? AND revision <= ? AND previous > 0)
"""
DELETE_TOMBSTONES = "DELETE FROM history WHERE revision > ? AND revision <= ? AND deleted"

AFTER_EVERY_KEY = "\U0010ffff"

T = TypeVar("T")
Row = tuple[str, bytes, int, int, int]
"""Key, value, revision, created, deleted."""


class Head(NamedTuple):
    """What is current of a key."""

    revision: int
    created: int


@dataclass(slots=True, eq=False)
class Write:
    """A write under way."""

    change: Change
    done: asyncio.Future[int] = field(repr=False)
    """Of the writer alone: it is cancelled when the writer gives up waiting, which does not undo the write."""
    settled: asyncio.Future[None] | None = field(default=None, repr=False)
    """Of all others who wait for its outcome, whatever that is; made for the first of them."""

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(self.change.revision)
        self._settle()

    def fail(self, error: StoreFailed) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # A writer that is about to give up waiting does not read it.
        self._settle()

    def _settle(self) -> None:
        if self.settled is not None:
            self.settled.set_result(None)


class SqliteBackend:
    """Opens the file at once (blocking; a program does so before it serves) and creates it if it is missing."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = _lock(self._path)
        self._watchers: Watchers[Change] = Watchers(pending_max=sys.maxsize)
        self._queue: list[Write] = []
        self._pending: dict[str, Write] = {}
        self._committing: asyncio.Task[None] | None = None
        self._closed = False
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reader_thread = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._reader: sqlite3.Connection | None = None
        self._heads: dict[str, Head] = {}
        self._opened: tuple[int, Sequence[Row]] = (0, [])
        """The revision the file was opened at, and all of its rows, until they are asked for."""
        self._revision = self._last_taken = FIRST_REVISION
        self._compacted = 0
        self._writing = asyncio.Lock()
        self._log_bytes = 0
        try:
            self._writer, self._log = self._open()
            self._load()
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise StoreFailed(f"{self._path}: {error}") from error

    async def create(self, *, key: str, value: bytes) -> int:
        while True:
            self._check_open()
            if key in self._pending:
                await self._settled(key)
                continue
            if key in self._heads:
                raise KeyExists(key)
            revision = self._next
            return await self._write(Change(Record(key, value, revision, revision), 0, False))

    async def update(self, *, key: str, value: bytes, expected: int) -> int:
        created = await self._expect(key, expected)
        return await self._write(Change(Record(key, value, self._next, created), expected, False))

    async def delete(self, *, key: str, expected: int) -> int:
        created = await self._expect(key, expected)
        return await self._write(Change(Record(key, b"", self._next, created), expected, True))

    async def get(self, *, key: str, revision: int = 0) -> Record | None:
        revision = self._readable(revision)
        rows = await self._read(lambda reader: reader.execute(SELECT_AT, (key, revision)).fetchall())
        return Record(*rows[0][:4]) if rows and not rows[0][4] else None

    async def list(self, *, prefix: str, revision: int = 0, start: str = "", limit: int = 0) -> Page:
        revision = self._readable(revision)
        if not (prefix or start or limit):
            return Page(_current_at(revision, await self._rows(revision)), revision)
        bounds = {"start": max(prefix, start), "end": _end_of(prefix), "revision": revision}

        def read(reader: sqlite3.Connection) -> Page:
            rows = reader.execute(SELECT_PAGE, {**bounds, "limit": limit or -1}).fetchall()
            total = reader.execute(COUNT, bounds).fetchone()[0] if limit else len(rows)
            remaining = total - len(rows)
            return Page(
                [Record._make(row) for row in rows], revision, more=remaining > 0, remaining=remaining
            )

        return await self._read(read)

    async def _rows(self, revision: int) -> Sequence[Row]:
        """The whole history up to `revision`, or further; the first who asks gets what opening the file has read."""
        (opened_at, rows), self._opened = self._opened, (0, [])
        if revision <= opened_at:
            return rows
        return await self._read(lambda reader: reader.execute(SELECT_EVERYTHING, (revision,)).fetchall())

    @asynccontextmanager
    async def watch(self, *, prefix: str, after: int) -> AsyncIterator[AsyncIterator[Sequence[Change]]]:
        self._check_open()
        if after < self._compacted:
            raise Compacted(self._compacted)
        watcher = self._watchers.add(prefix, after=max(after, self._revision))
        try:
            yield (
                self._replay(watcher, after=after, until=self._revision)
                if after < self._revision
                else watcher
            )
        finally:
            self._watchers.discard(watcher)

    async def compact(self, *, revision: int) -> None:
        self._check_open()
        if revision > self._revision:
            raise FutureRevision(self._revision)
        done = self._compacted
        self._compacted = max(done, revision)  # first: no new reader may start what is about to go
        while done < revision:
            chunk_end = min(revision, done + COMPACT_CHUNK)
            async with self._writing:
                await self._on_writer(_compact_range, self._writer, done, chunk_end)
                await self._move_log()
            done = chunk_end

    async def revision(self) -> int:
        return self._revision

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._committing is not None:
            await asyncio.wait([self._committing])
        self._watchers.lose_all("the store closed")
        self._reader_thread.shutdown()
        self._writer_thread.shutdown()
        if self._reader is not None:
            self._reader.close()
        self._log.close()
        self._writer.close()
        os.close(self._lock)

    # Deciding, in the event loop ----------------------------------------------------------------

    @property
    def _next(self) -> int:
        """The revision of the next write: behind every write under way."""
        return (self._queue[-1].change.revision if self._queue else self._last_taken) + 1

    async def _expect(self, key: str, expected: int) -> int:
        """Refuse unless the key is at `expected`; answer the revision of its creation."""
        while True:
            self._check_open()
            if key in self._pending:
                await self._settled(key)
                continue
            head = self._heads.get(key)
            if head is None:
                raise KeyMissing(key)
            if head.revision != expected:
                raise RevisionMismatch(key, head.revision)
            return head.created

    async def _settled(self, key: str) -> None:
        """Wait for the write of `key` that is under way, whatever becomes of it."""
        pending = self._pending[key]
        if pending.settled is None:
            pending.settled = asyncio.get_running_loop().create_future()
        await asyncio.wait([pending.settled])

    async def _write(self, change: Change) -> int:
        loop = asyncio.get_running_loop()
        write = Write(change, loop.create_future())
        self._queue.append(write)
        self._pending[change.key] = write
        if self._committing is None:
            self._committing = loop.create_task(self._commit_queued(), name="store-commit")
        return await write.done

    async def _commit_queued(self) -> None:
        """Write batch after batch until nothing is queued. At most one such task runs."""
        try:
            while self._queue:
                await self._gather()
                async with self._writing:
                    batch, size_bytes = self._take_batch()
                    try:
                        await self._commit([write.change for write in batch], size_bytes)
                    except StoreFailed as error:
                        await self._recover(batch, error)
                    else:
                        self._publish(batch)
                    if self._log_bytes >= LOG_BYTES_MAX:
                        await self._move_log()
        finally:
            self._committing = None

    async def _gather(self) -> None:
        """Let the requests that have come in queue their writes, too: one transaction costs as much as ten."""
        queued = 0
        while queued < len(self._queue) < BATCH_MAX:
            queued = len(self._queue)
            await asyncio.sleep(0)

    def _take_batch(self) -> tuple[Sequence[Write], int]:
        """What is written next, and the size of its values."""
        count = size_bytes = 0
        for write in self._queue[:BATCH_MAX]:
            next_bytes = len(write.change.record.value)
            if count and size_bytes + next_bytes > BATCH_BYTES_MAX:
                break
            count += 1
            size_bytes += next_bytes
        batch, self._queue = self._queue[:count], self._queue[count:]
        self._last_taken = batch[-1].change.revision
        return batch, size_bytes

    async def _commit(self, changes: Sequence[Change], size_bytes: int) -> None:
        """Return when the changes are on disk. Raises StoreFailed, and then they may be there, too."""
        self._log_bytes += size_bytes + COMMIT_BYTES
        with self._failures():
            if size_bytes > HEAVY_BYTES:
                await self._on_writer(_insert, self._writer, changes)
            else:
                _insert(self._writer, changes)
            await self._log.wait()

    async def _move_log(self) -> None:
        """Keep the log short. A disk that is full or away does not harm what is in the log: the next time, then."""
        self._log_bytes = 0
        with suppress(StoreFailed):
            await self._on_writer(_begin_log, self._writer, "PASSIVE")

    def _publish(self, batch: Sequence[Write]) -> None:
        changes = [write.change for write in batch]
        self._apply(changes)
        for write in batch:
            if self._pending.get(write.change.key) is write:
                del self._pending[write.change.key]
            write.succeed()

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.deleted:
                self._heads.pop(change.key, None)
            else:
                self._heads[change.key] = Head(change.revision, change.record.created)
        self._revision = changes[-1].revision
        self._watchers.publish(changes)

    async def _recover(self, batch: Sequence[Write], error: StoreFailed) -> None:
        """Fail everything under way, and go back to what the file holds.

        A write can fail after it reached the disk. Such changes are published like any other: their writers
        were told that the store failed, which says nothing about the outcome.
        """
        published = self._revision
        changes: Sequence[Change] = ()
        try:
            writer, log, changes = await self._on_writer(self._reopen, published)
        except StoreFailed:
            pass  # The disk is still away: the next write tries again.
        else:
            self._log.close()
            self._writer, self._log = writer, log
        failed = [*batch, *self._queue]
        self._queue = []
        self._pending.clear()
        if changes:
            self._apply(changes)
        self._last_taken = max(self._last_taken, self._revision)
        for write in failed:
            write.fail(error)

    def _readable(self, revision: int) -> int:
        self._check_open()
        if revision > self._revision:
            raise FutureRevision(self._revision)
        if 0 < revision < self._compacted:
            raise Compacted(self._compacted)
        return revision or self._revision

    def _check_open(self) -> None:
        if self._closed:
            raise StoreFailed("the store is closed")

    # Doing, in the threads ----------------------------------------------------------------------

    async def _on_writer(self, work: Callable[..., T], *arguments: object) -> T:
        with self._failures():
            return await asyncio.get_running_loop().run_in_executor(self._writer_thread, work, *arguments)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: text that is no UTF-8
            raise StoreFailed(f"{self._path}: {error}") from error

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            if self._reader is None:
                self._reader = _connect(self._path)
            return work(self._reader)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader_thread, run)
        except sqlite3.Error as error:
            raise StoreFailed(f"{self._path}: {error}") from error

    async def _replay(
        self, watcher: Watcher[Change], *, after: int, until: int
    ) -> AsyncIterator[Sequence[Change]]:
        """Changes of the file after `after` up to `until`, then what `watcher` has collected meanwhile."""
        while after < until:
            start = after
            chunk = await self._read(lambda reader: _changes(reader, start, until, REPLAY_CHUNK))  # noqa: B023
            if start < self._compacted:
                raise Compacted(self._compacted)
            after = chunk[-1].revision if len(chunk) == REPLAY_CHUNK else until
            changes = [change for change in chunk if change.key.startswith(watcher.prefix)]
            if changes:
                yield changes
        async for batch in watcher:
            yield batch

    def _open(self) -> tuple[sqlite3.Connection, DataSync]:
        """A connection that writes, and its log. What an earlier log held is in the table then, and on disk."""
        connection = _connect(self._path)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise StoreFailed(f"{self._path}: written by another version of the store (format {version})")
        if version == 0:
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        _begin_log(connection, "TRUNCATE")
        log = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        return connection, data_sync(log, self._writer_thread)

    def _load(self) -> None:
        """Read the counter and the index of what is current; the file is gone through once."""
        self._compacted = self._writer.execute("SELECT max(revision) FROM compacted").fetchone()[0] or 0
        newest = self._writer.execute("SELECT max(revision) FROM history").fetchone()[0] or FIRST_REVISION
        self._revision = self._last_taken = max(newest, self._compacted)
        rows = self._writer.execute(SELECT_EVERYTHING, (self._revision,)).fetchall()
        self._opened = self._revision, rows
        for key, _, revision, created, deleted in rows:
            if deleted:
                self._heads.pop(key, None)
            else:
                self._heads[key] = Head(revision, created)

    def _reopen(self, published: int) -> tuple[sqlite3.Connection, DataSync, Sequence[Change]]:
        """A fresh connection after a failure, and what the file holds beyond what was published."""
        self._writer.close()
        writer, log = self._open()
        try:
            changes = _changes(writer, published, sys.maxsize, -1)
        except sqlite3.Error:
            writer.close()  # No write may succeed before what is there is known.
            log.close()
            raise
        return writer, log, changes


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: each statement is a transaction. Threads are the executors', one per connection.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute("PRAGMA journal_mode = WAL")
    # The log is synced after each transaction here, and moved when it is time.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def _lock(path: Path) -> int:
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreFailed(f"{path}: in use by another process") from error
    return descriptor


def _begin_log(connection: sqlite3.Connection, how: str) -> None:
    """Move what the log holds into the table, and write its new beginning, which SQLite syncs itself.

    `how` as of wal_checkpoint: PASSIVE where readers may be in the way, TRUNCATE where nothing may be left in it.
    """
    busy = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()[0]
    if busy and how != "PASSIVE":
        raise sqlite3.OperationalError("the log is in use")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _insert(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    rows = ",".join(["(?,?,?,?,?,?)"] * len(changes))
    values: list[object] = []
    for change in changes:
        record = change.record
        values += (record.revision, record.key, change.deleted, change.previous, record.created, record.value)
    connection.execute(
        f"INSERT INTO history (revision, key, deleted, previous, created, value) VALUES {rows}", values
    )


def _current_at(revision: int, rows: Iterable[Row]) -> list[Record]:
    """What was current at `revision`, in the order of keys; `rows` are in the order of revisions."""
    records: dict[str, Record] = {}
    for key, value, written, created, deleted in rows:
        if written > revision:
            break
        if deleted:
            records.pop(key, None)
        else:
            records[key] = Record(key, value, written, created)
    return [records[key] for key in sorted(records)]


def _changes(connection: sqlite3.Connection, after: int, until: int, limit: int) -> list[Change]:
    return [
        Change(Record(key, value, revision, created), previous, bool(deleted))
        for key, value, revision, created, previous, deleted in connection.execute(
            SELECT_CHANGES, (after, until, limit)
        )
    ]


def _compact_range(connection: sqlite3.Connection, done: int, until: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(DELETE_SUPERSEDED, (done, until))
        connection.execute(DELETE_TOMBSTONES, (done, until))
        connection.execute("DELETE FROM compacted")
        connection.execute("INSERT INTO compacted VALUES (?)", (until,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _end_of(prefix: str) -> str:
    """The first text behind every key that starts with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else AFTER_EVERY_KEY
