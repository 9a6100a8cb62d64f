"""Creating and getting, over 16 connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import uvloop

from bench import rows
from bench.apiserver import (
    CONFIGMAPS,
    NUMBER,
    PODS,
    Connection,
    Server,
    config_map,
    create_all,
    pod,
    running,
    wrk,
)

WARM = 200


def run() -> Iterable[tuple[rows.Row, float]]:
    yield rows.CREATE_CONFIG_MAP, uvloop.run(creates_per_s(CONFIGMAPS, config_map))
    yield rows.CREATE_POD, uvloop.run(creates_per_s(PODS, pod))
    yield rows.GET, uvloop.run(gets_per_s())


async def creates_per_s(path: str, make: Callable[[str], Any]) -> float:
    async with running() as server:
        await add_service_account(server)
        await create_all(server, path, [make(f"warm-{number}") for number in range(WARM)])
        before_s = server.cpu_s()
        rate, count = await wrk(server, path, create=make(f"o-{NUMBER}"))
        note("create", (server.cpu_s() - before_s) / count)
        return rate


async def gets_per_s() -> float:
    async with running() as server:
        async with Connection(server) as connection:
            await connection.ask("POST", CONFIGMAPS, config_map("one"))
        before_s = server.cpu_s()
        rate, count = await wrk(server, f"{CONFIGMAPS}/one")
        note("get", (server.cpu_s() - before_s) / count)
        return rate


async def add_service_account(server: Server) -> None:
    async with Connection(server) as connection:
        path = "/api/v1/namespaces/default/serviceaccounts"
        await connection.ask("POST", path, {"metadata": {"name": "default"}})


def note(what: str, seconds: float) -> None:
    print(f"  {what}: {seconds * 1e6:.0f} µs of the server's CPU for each", flush=True)
