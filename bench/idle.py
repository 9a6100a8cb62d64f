"""Ten thousand watches that nothing happens to: what each of them holds, and what a write costs that none is told of.

`wrk` holds them: to it they are requests whose answers never end.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
from collections.abc import AsyncIterator, Iterable

import uvloop

from bench import rows
from bench.apiserver import CONFIGMAPS, Connection, Server, config_map, create_all, running

WATCHES = 10_000
WATCHED = "/api/v1/namespaces/kube-public/configmaps?watch=true"
WRITES = 3_000
OPENED_LIMIT_S = 120
HELD_S = 200
"""`wrk` reserves memory for each microsecond of it."""
RUNNING = re.compile(rb'apiserver_longrunning_requests\{[^}]*resource="configmaps"[^}]*\} ([\d.]+)')


def run() -> Iterable[tuple[rows.Row, float]]:
    kilobytes, ratio = uvloop.run(measure())
    yield rows.IDLE_WATCH_MEMORY, kilobytes
    yield rows.IDLE_WATCH_WRITE, ratio


async def measure() -> tuple[float, float]:
    """(KB for a watch, CPU of a write with all of them there / CPU of a write alone)."""
    async with running() as server:
        await write_cpu_s(server, "warm")
        alone_s = await write_cpu_s(server, "alone")
        before_bytes = server.resident_bytes()
        async with idle_watches(server):
            each_bytes = (server.resident_bytes() - before_bytes) / WATCHES
            watched_s = await write_cpu_s(server, "watched")
        print(
            f"  a write alone: {alone_s * 1e6:.0f} µs of the server's CPU, with the watches {watched_s * 1e6:.0f}"
        )
        return each_bytes / 1000, watched_s / alone_s


async def write_cpu_s(server: Server, name: str) -> float:
    before_s = server.cpu_s()
    await create_all(server, CONFIGMAPS, [config_map(f"{name}-{number}") for number in range(WRITES)])
    return (server.cpu_s() - before_s) / WRITES


@contextlib.asynccontextmanager
async def idle_watches(server: Server) -> AsyncIterator[None]:
    """All of them open. Raises TimeoutError where the server does not take them."""
    client = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{WATCHES}", f"-d{HELD_S}", "--timeout", f"{HELD_S}s"),
        *("-H", f"Authorization: Bearer {server.token}"),
        f"https://127.0.0.1:{server.port}{WATCHED}",
        stdout=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(OPENED_LIMIT_S), Connection(server) as connection:
            while await watches_of(connection) < WATCHES:  # noqa: ASYNC110
                await asyncio.sleep(0.5)  # the server tells only who asks
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            client.kill()
        await client.wait()


async def watches_of(connection: Connection) -> int:
    found = RUNNING.search(await connection.ask("GET", "/metrics"))
    return int(float(found.group(1))) if found else 0
