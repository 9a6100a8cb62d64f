"""Creating, getting and listing, over 16 connections."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import uvloop

from bench import rows
from bench.apiserver import CONFIGMAPS, PODS, Connection, Server, config_map, create_all, pod, running, wrk

PODS_LISTED = 10_000
POD_PADDING_BYTES = 4_000
"""Brings a pod to the 5.8 KB that a real one has."""
CREATED = 4_000
WARM = 200


def run() -> Iterable[tuple[rows.Row, float]]:
    yield rows.CREATE_CONFIG_MAP, uvloop.run(creates_per_s(CONFIGMAPS, config_map))
    yield rows.CREATE_POD, uvloop.run(creates_per_s(PODS, pod))
    yield rows.GET, uvloop.run(gets_per_s())
    yield from zip((rows.LIST, rows.TABLE), uvloop.run(list_s()), strict=True)


async def creates_per_s(path: str, make: Callable[[str], Any]) -> float:
    async with running() as server:
        await add_service_account(server)
        await create_all(server, path, [make(f"warm-{number}") for number in range(WARM)])
        before_s = server.cpu_s()
        took_s = await create_all(server, path, [make(f"o-{number}") for number in range(CREATED)])
        note("create", (server.cpu_s() - before_s) / CREATED)
        return CREATED / took_s


async def gets_per_s() -> float:
    async with running() as server:
        async with Connection(server) as connection:
            await connection.ask("POST", CONFIGMAPS, config_map("one"))
        before_s = server.cpu_s()
        rate, count = await wrk(server, f"{CONFIGMAPS}/one")
        note("get", (server.cpu_s() - before_s) / count)
        return rate


async def list_s() -> tuple[float, float]:
    """Seconds for a LIST and for a Table of all pods, the best of five: it has the least of other work in it."""
    async with running() as server:
        await add_service_account(server)
        pods = [pod(f"p-{number}", padding=POD_PADDING_BYTES) for number in range(PODS_LISTED)]
        await create_all(server, PODS, pods)
        async with Connection(server) as connection:
            forms = ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io")
            plain, table = [
                min([await one_list_s(server, connection, accept) for _ in range(5)]) for accept in forms
            ]
            return plain, table


async def one_list_s(server: Server, connection: Connection, accept: str) -> float:
    began_s = time.perf_counter()
    head = (
        f"GET {PODS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\nAccept: {accept}\r\n\r\n"
    )
    connection.writer.write(head.encode())
    answer = await connection.reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", answer)
    assert length, answer
    await connection.reader.readexactly(int(length.group(1)))
    return time.perf_counter() - began_s


async def add_service_account(server: Server) -> None:
    async with Connection(server) as connection:
        path = "/api/v1/namespaces/default/serviceaccounts"
        await connection.ask("POST", path, {"metadata": {"name": "default"}})


def note(what: str, seconds: float) -> None:
    print(f"  {what}: {seconds * 1e6:.0f} µs of the server's CPU for each", flush=True)
