"""Starting with a large store: 100,000 objects in SQLite; to the first 200 on /readyz, and to a LIST after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import uvloop

from bench import rows
from bench.api import add_service_account
from bench.apiserver import PODS, Connection, Server, config_map, curl, pod, running_in, temporary_folder
from mamekube.store.sqlite import SqliteBackend

NODES = 100
AT_ONCE = 256
RUNS = 3

API = "/api/v1/namespaces/default"


class Batch(NamedTuple):
    """So many copies of one object that the API server has stored."""

    path: str
    key: str
    obj: Any
    count: int


def batches() -> Iterable[Batch]:
    """The mix of a cluster: pods on nodes, what happened to them, and what they read."""
    event = {
        "metadata": {"name": "like"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web-1", "uid": "0000"},
        "reason": "Pulled",
        "message": 'Container image "registry.k8s.io/pause:3.10" already present on machine',
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": "2030-01-01T00:00:00Z",
        "lastTimestamp": "2030-01-01T00:00:00Z",
        "type": "Normal",
        "count": 1,
    }
    secret = {"metadata": {"name": "like"}, "data": {"token": "dG9rZW5z" * 40}}
    yield Batch(PODS, "/registry/core/pods/default", pod("like", padding=1000, node="node-0"), 40_000)
    yield Batch(f"{API}/events", "/registry/core/events/default", event, 30_000)
    yield Batch(f"{API}/configmaps", "/registry/core/configmaps/default", config_map("like"), 20_000)
    yield Batch(f"{API}/secrets", "/registry/core/secrets/default", secret, 10_000)


def run() -> Iterable[tuple[rows.Row, float]]:
    with temporary_folder() as folder:
        uvloop.run(fill(folder))
        size_bytes = (folder / "store.db").stat().st_size
        print(
            f"  {sum(batch.count for batch in batches()):,} objects in {size_bytes / 1e6:.0f} MB", flush=True
        )
        starts = [uvloop.run(start(folder)) for _ in range(RUNS)]
    yield rows.RESTART, min(ready_s for ready_s, _ in starts)
    yield rows.RESTART_LIST, min(listed_s for _, listed_s in starts)


async def fill(folder: Path) -> None:
    """One object of each sort goes in through the API; its copies go straight into the store."""
    async with running_in(folder) as server, Connection(server) as connection:
        await add_service_account(server)
        for batch in batches():
            await connection.ask("POST", batch.path, batch.obj)
    backend = SqliteBackend(folder / "store.db")
    for batch in batches():
        record = await backend.get(key=f"{batch.key}/like")
        assert record is not None, batch.key
        for start in range(0, batch.count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, batch.count))
            await asyncio.gather(
                *(
                    backend.create(key=f"{batch.key}/o-{number}", value=copy(record.value, number))
                    for number in numbers
                )
            )
    await backend.compact(revision=await backend.revision())
    await backend.close()


def copy(value: bytes, number: int) -> bytes:
    obj = orjson.loads(value)
    obj["metadata"].update(name=f"o-{number}", uid=f"{number:08}-0000-0000-0000-000000000000")
    if "nodeName" in obj.get("spec", {}):
        obj["spec"]["nodeName"] = f"node-{number % NODES}"
    return orjson.dumps(obj)


async def start(folder: Path) -> tuple[float, float]:
    """Seconds to /readyz, and to the end of a LIST of all pods that is asked for at once."""
    began_s = time.perf_counter()
    async with running_in(folder) as server:
        ready_s = time.perf_counter() - began_s
        used_s = server.cpu_s()
        await curl(server, PODS, times=1)
        listed_s = time.perf_counter() - began_s
        await report(server, used_s, ready_s)
        return ready_s, listed_s


async def report(server: Server, used_s: float, ready_s: float) -> None:
    print(
        f"  ready after {ready_s:.2f} s and {used_s:.2f} s of the server's CPU; "
        f"{server.resident_bytes() / 1e6:.0f} MB resident, {server.peak_bytes() / 1e6:.0f} MB at the peak",
        flush=True,
    )
