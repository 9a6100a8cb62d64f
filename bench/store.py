"""The store alone: what a durable write, a list and a watched change cost before any HTTP.

    .venv/bin/python -m bench.store

Every figure comes with the process's own CPU time, which other work on the machine cannot hide.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvloop

from mamekube.store.backend import Backend
from mamekube.store.memory import MemoryBackend
from mamekube.store.sqlite import SqliteBackend
from mamekube.store.store import Store

WRITERS = 64
WRITES = 20_000
PODS = 10_000
POD_BYTES = 5_800
LISTS = 10
WATCHERS = 500
EVENTS = 1_000
IDLE_WATCHERS = 10_000

BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda folder: MemoryBackend(),
    "SQLite": lambda folder: SqliteBackend(folder / "store.db"),
}


class Spent:
    """Seconds on the wall and on the CPU."""

    wall_s = 0.0
    cpu_s = 0.0


@contextmanager
def spending() -> Iterator[Spent]:
    spent = Spent()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    yield spent
    spent.wall_s, spent.cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s


def make_object(kind: str, name: str, *, size_bytes: int) -> dict[str, Any]:
    obj = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "data": {"filler": ""},
    }
    obj["data"] = {"filler": "x" * max(0, size_bytes - len(orjson.dumps(obj)))}
    return obj


async def create_many(store: Store, count: int, *, kind: str, size_bytes: int) -> None:
    """`count` creations by `WRITERS` writers, each waiting for its last one to be acknowledged."""

    async def write(writer: int) -> None:
        for number in range(writer, count, WRITERS):
            name = f"{kind.lower()}-{number:06}"
            obj = make_object(kind, name, size_bytes=size_bytes)
            await store.create(key=f"/registry/core/{kind.lower()}s/default/{name}", obj=obj)

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


async def measure_creates(name: str, backend: Backend) -> None:
    async with Store(backend) as store:
        with spending() as spent:
            await create_many(store, WRITES, kind="ConfigMap", size_bytes=500)
    rate = WRITES / spent.wall_s
    print(
        f"create, {name:6}, {WRITERS} writers    {rate:8,.0f}/s   {spent.cpu_s / WRITES * 1e6:5.0f} CPU-µs each"
    )


async def measure_single(name: str, backend: Backend) -> None:
    count = 1_000
    async with Store(backend) as store:
        with spending() as spent:
            for number in range(count):
                obj = make_object("ConfigMap", f"c{number}", size_bytes=500)
                await store.create(key=f"/registry/core/configmaps/default/c{number}", obj=obj)
    print(f"create, {name:6}, one writer      {count / spent.wall_s:8,.0f}/s")


async def measure_lists() -> None:
    async with Store(MemoryBackend()) as store:
        await create_many(store, PODS, kind="Pod", size_bytes=POD_BYTES)
        with spending() as listing:
            for _ in range(LISTS):
                snapshot = await store.list(prefix="/registry/core/pods/")
        with spending() as joining:
            for _ in range(LISTS):
                body = b",".join([item.value for item in snapshot.items])
        print(f"list of {PODS:,} pods                 {listing.wall_s / LISTS * 1e3:8.1f} ms")
        print(
            f"their values joined            {joining.wall_s / LISTS * 1e3:8.1f} ms   {len(body) / 1e6:5.0f} MB"
        )


async def measure_watches(watchers: int, idle: int) -> None:
    async with Store(MemoryBackend()) as store:
        received = 0
        done = asyncio.Event()

        async def read(prefix: str) -> None:
            nonlocal received
            async with store.watch(prefix=prefix, after=store.revision) as batches:
                async for batch in batches:
                    b"".join([event.wire for event in batch])
                    received += len(batch)
                    if received == watchers * EVENTS:
                        done.set()

        tasks = [asyncio.create_task(read("/registry/core/configmaps/")) for _ in range(watchers)]
        tasks += [asyncio.create_task(read(f"/registry/core/pods/ns-{n % 100}/")) for n in range(idle)]
        await asyncio.sleep(0)
        with spending() as spent:
            for number in range(EVENTS):
                obj = make_object("ConfigMap", f"c{number}", size_bytes=500)
                await store.create(key=f"/registry/core/configmaps/default/c{number}", obj=obj)
                await asyncio.sleep(0)
            await done.wait()
        print(
            f"{EVENTS:,} events to {watchers} watchers, {idle:,} idle {spent.cpu_s:8.3f} CPU-s"
            f"   {spent.cpu_s / watchers / EVENTS * 1e6:5.2f} µs each"
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    for name, make in BACKENDS.items():
        with tempfile.TemporaryDirectory(dir=".") as folder:
            uvloop.run(measure_creates(name, make(Path(folder))))
        with tempfile.TemporaryDirectory(dir=".") as folder:
            uvloop.run(measure_single(name, make(Path(folder))))
    uvloop.run(measure_lists())
    uvloop.run(measure_watches(WATCHERS, 0))
    uvloop.run(measure_watches(WATCHERS, IDLE_WATCHERS))


if __name__ == "__main__":
    main()
