"""What the SQLite store promises beyond the contract: nothing acknowledged is lost, and failures leave no trace."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from mamekube.store import datasync, sqlite
from mamekube.store.backend import Compacted, StoreFailed
from mamekube.store.sqlite import SqliteBackend

WRITER = """
import asyncio, sys
from mamekube.store.sqlite import SqliteBackend

async def write(backend, worker):
    n = 0
    while True:
        key = f"/k/{worker}/{n}"
        revision = await backend.create(key=key, value=key.encode() * 50)
        print(key, revision, flush=True)
        if n % 3 == 0:
            revision = await backend.update(key=key, value=b"updated" + key.encode(), expected=revision)
            print(key, revision, flush=True)
        n += 1

async def main():
    backend = SqliteBackend(sys.argv[1])
    await asyncio.gather(*(write(backend, worker) for worker in range(8)))

asyncio.run(main())
"""


async def test_a_killed_process_loses_no_acknowledged_write(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    for round_ in range(2):
        source = WRITER.replace("/k/", f"/k{round_}/")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            source,
            path,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert process.stdout is not None
        lines = [await process.stdout.readline() for _ in range(400)]
        process.send_signal(signal.SIGKILL)
        lines += (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()

        acknowledged: dict[str, int] = {}
        for line in lines:
            if line.endswith(b"\n"):
                key, revision = line.decode().split()
                acknowledged[key] = int(revision)
        backend = SqliteBackend(path)
        try:
            records = {record.key: record for record in (await backend.list(prefix="/")).records}
            assert len(acknowledged) > 100
            for key, revision in acknowledged.items():
                assert records[key].revision >= revision
            newest = max(acknowledged.values())
            assert await backend.create(key=f"/after/{round_}", value=b"") > newest
        finally:
            await backend.close()


async def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    with pytest.raises(StoreFailed, match="in use by another process"):
        SqliteBackend(tmp_path / "store.db")
    await backend.close()
    await SqliteBackend(tmp_path / "store.db").close()


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    created = await backend.create(key="/a", value=b"1")
    updated = await backend.update(key="/a", value=b"2", expected=created)
    gone = await backend.create(key="/b", value=b"")
    removed = await backend.delete(key="/b", expected=gone)
    await backend.compact(revision=removed)
    await backend.close()

    backend = SqliteBackend(tmp_path / "store.db")
    assert await backend.revision() == removed
    with pytest.raises(Compacted):
        await backend.get(key="/a", revision=updated)
    assert await backend.update(key="/a", value=b"3", expected=updated) == removed + 1
    await backend.close()


async def test_the_whole_is_listed_as_of_then_and_as_of_now_whatever_opening_the_file_has_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    backend = SqliteBackend(path)
    for name in ("b", "a", "c"):
        await backend.create(key=f"/{name}", value=b"1")
    changed = await backend.update(key="/a", value=b"2", expected=3)
    await backend.delete(key="/b", expected=2)
    await backend.close()

    async def listed(revision: int) -> list[tuple[str, bytes]]:
        page = await backend.list(prefix="", revision=revision)
        return [(record.key, record.value) for record in page.records]

    for order in ((4, 0), (0, 4)):
        backend = SqliteBackend(path)
        newest = await backend.create(key="/d", value=b"1")
        now = [("/a", b"2"), ("/c", b"1"), ("/d", b"1")]
        expected = {4: [("/a", b"1"), ("/b", b"1"), ("/c", b"1")], 0: now}
        assert [await listed(revision) for revision in order] == [expected[revision] for revision in order]
        assert await listed(changed) == [("/a", b"2"), ("/b", b"1"), ("/c", b"1")]
        await backend.delete(key="/d", expected=newest)
        await backend.close()


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    writes = [asyncio.ensure_future(backend.create(key=f"/{n}", value=b"")) for n in range(600)]
    await asyncio.sleep(0)
    await backend.close()
    assert sorted(await asyncio.gather(*writes)) == list(range(2, 602))
    with pytest.raises(StoreFailed):
        await backend.create(key="/late", value=b"")


async def test_a_failed_insert_fails_everything_behind_it_and_nothing_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    await backend.create(key="/before", value=b"")
    insert = sqlite._insert

    def fail(connection: sqlite3.Connection, changes: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite, "_insert", fail)
    outcomes = await asyncio.gather(
        *(backend.create(key=f"/{n}", value=b"") for n in range(600)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {StoreFailed}
    assert await backend.revision() == 2

    monkeypatch.setattr(sqlite, "_insert", insert)
    await backend.create(key="/0", value=b"again")
    assert [record.key for record in (await backend.list(prefix="/")).records] == ["/0", "/before"]
    await backend.close()


async def test_an_insert_that_failed_after_it_reached_the_disk_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    insert = sqlite._insert

    def fail_late(connection: sqlite3.Connection, changes: Any) -> None:
        insert(connection, changes)
        raise sqlite3.OperationalError("disk I/O error")

    async with backend.watch(prefix="/", after=1) as batches:
        monkeypatch.setattr(sqlite, "_insert", fail_late)
        with pytest.raises(StoreFailed):
            await backend.create(key="/a", value=b"1")
        (change,) = await anext(batches)
    monkeypatch.setattr(sqlite, "_insert", insert)
    assert await backend.get(key="/a") == change.record
    assert await backend.update(key="/a", value=b"2", expected=change.revision) > change.revision
    await backend.close()


async def test_no_write_succeeds_before_what_reached_the_disk_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SqliteBackend(tmp_path / "store.db")

    def fail(*arguments: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    def fail_late(connection: sqlite3.Connection, changes: Any) -> None:
        insert(connection, changes)
        fail()

    insert = sqlite._insert
    async with backend.watch(prefix="/", after=1) as batches:
        with monkeypatch.context() as broken:
            broken.setattr(sqlite, "_insert", fail_late)
            broken.setattr(sqlite, "_changes", fail)
            with pytest.raises(StoreFailed):
                await backend.create(key="/a", value=b"1")
        with pytest.raises(StoreFailed):
            await backend.create(key="/b", value=b"2")
        (change,) = await anext(batches)
        assert change.key == "/a"
    await backend.create(key="/b", value=b"2")
    await backend.close()


class Disk:
    """Stands between the store and the file's own `DataSync`."""

    def __init__(self, backend: SqliteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.ready = asyncio.Event(), asyncio.Event()
        self.error: OSError | None = None
        self._real = backend._log
        monkeypatch.setattr(backend, "_log", self)

    async def wait(self) -> None:
        self.asked.set()
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        await self._real.wait()

    def close(self) -> None:
        self._real.close()


async def test_a_write_is_acknowledged_and_seen_once_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    disk = Disk(backend, monkeypatch)
    async with backend.watch(prefix="/", after=1) as batches:
        write = asyncio.ensure_future(backend.create(key="/a", value=b"1"))
        seen = asyncio.ensure_future(anext(batches))
        await disk.asked.wait()
        assert await backend.get(key="/a") is None
        assert not write.done() and not seen.done()
        disk.ready.set()
        assert [change.revision for change in await seen] == [await write]
    await backend.close()


async def test_what_the_disk_did_not_take_is_brought_there_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    backend = SqliteBackend(path)
    disk = Disk(backend, monkeypatch)
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.ready.set()
    async with backend.watch(prefix="/", after=1) as batches:
        with pytest.raises(StoreFailed, match="Input/output error"):
            await backend.create(key="/a", value=b"1")
        (change,) = await anext(batches)
        assert change.key == "/a"
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as table_alone:
        assert table_alone.execute("SELECT key FROM history").fetchall() == [("/a",)]
    table_alone.close()
    await backend.create(key="/b", value=b"2")
    await backend.close()


@pytest.mark.parametrize("size_bytes", [1_000, sqlite.HEAVY_BYTES + 1])
async def test_the_log_stays_short(size_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOG_BYTES_MAX", 256 << 10)
    monkeypatch.setattr(sqlite, "BATCH_BYTES_MAX", 128 << 10)
    backend = SqliteBackend(tmp_path / "store.db")
    for round_ in range(20):
        names = [f"/{round_}/{name}" for name in range((128 << 10) // size_bytes)]
        await asyncio.gather(*(backend.create(key=name, value=b"x" * size_bytes) for name in names))
    assert os.stat(tmp_path / "store.db-wal").st_size < 3 * sqlite.LOG_BYTES_MAX
    await backend.close()


async def test_without_the_kernels_help_writes_are_as_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasync, "CALLS", {})
    backend = SqliteBackend(tmp_path / "store.db")
    assert isinstance(backend._log, datasync.ThreadSync)
    await asyncio.gather(*(backend.create(key=f"/{n}", value=b"1") for n in range(100)))
    assert len((await backend.list(prefix="/")).records) == 100
    await backend.close()


async def test_a_key_that_is_no_text_fails_alone_in_time(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "store.db")
    with pytest.raises(StoreFailed):
        await backend.create(key="/\udcff", value=b"")
    await backend.create(key="/a", value=b"")
    await backend.close()


async def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreFailed, match="format 99"):
        SqliteBackend(tmp_path / "store.db")


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("hello " * 1000)
    with pytest.raises(StoreFailed, match="not a database"):
        SqliteBackend(tmp_path / "store.db")
