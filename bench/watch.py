"""Many watchers of one resource that is written to steadily."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable

import uvloop

from bench import rows
from bench.apiserver import CONFIGMAPS, SECONDS, Connection, config_map, running

WATCHERS = 500
WRITES_PER_S = 50
NAME = re.compile(rb'"name":"(w-\d+)"')


def run() -> Iterable[tuple[rows.Row, float]]:
    cpu_s, p99_ms, kilobytes = uvloop.run(measure())
    yield rows.WATCH_CPU, cpu_s
    yield rows.WATCH_LATENCY, p99_ms
    yield rows.WATCH_MEMORY, kilobytes


async def measure() -> tuple[float, float, float]:
    """(CPU seconds for 1,000 events, 99th percentile of the delay in ms, KB for a watcher)."""
    async with running() as server, contextlib.AsyncExitStack() as stack:
        before_bytes = server.resident_bytes()
        watchers = [await stack.enter_async_context(Connection(server)) for _ in range(WATCHERS)]
        for watcher in watchers:
            watcher.send("GET", f"{CONFIGMAPS}?watch=true")
        for watcher in watchers:
            await watcher.reader.readuntil(b"\r\n\r\n")
        each_bytes = (server.resident_bytes() - before_bytes) / WATCHERS
        sent_s: dict[str, float] = {}
        delays_s: list[float] = []
        readers = [asyncio.create_task(read_events(watcher, sent_s, delays_s)) for watcher in watchers]
        writer = await stack.enter_async_context(Connection(server))
        before_s = server.cpu_s()
        for number in range(WRITES_PER_S * SECONDS):
            sent_s[f"w-{number}"] = began_s = time.perf_counter()
            await writer.ask("POST", CONFIGMAPS, config_map(f"w-{number}"))
            await asyncio.sleep(max(0.0, 1 / WRITES_PER_S - (time.perf_counter() - began_s)))
        while len(delays_s) < WATCHERS * WRITES_PER_S * SECONDS:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a client of the server has no event for what it has not got yet
        used_s = server.cpu_s() - before_s
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        p99_s = sorted(delays_s)[int(len(delays_s) * 0.99)]
        return used_s / len(delays_s) * 1000, p99_s * 1000, each_bytes / 1000


async def read_events(watcher: Connection, sent_s: dict[str, float], delays_s: list[float]) -> None:
    while line := await watcher.reader.readuntil(b"\n"):
        found = NAME.search(line)
        if found:
            delays_s.append(time.perf_counter() - sent_s[found.group(1).decode()])
