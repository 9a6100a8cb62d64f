"""Reading 10,000 pods at once: all of them, eight times at a time, by a label, as a Table. `curl` is the client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import uvloop

from bench import rows
from bench.api import add_service_account
from bench.apiserver import PODS, Answers, Server, create_all, curl, pod, running

LISTED = 10_000
PADDING_BYTES = 3_600
"""Brings a pod to the 5.8 KB that a real one has."""
NODES = 10
TIMES = 7
AT_ONCE = 8

JSON = "application/json"
AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ONE_IN_TEN = f"{PODS}?labelSelector=tenth%3Dd-3"
ON_ONE_NODE = f"{PODS}?fieldSelector=spec.nodeName%3Dnode-3"


def run() -> Iterable[tuple[rows.Row, float]]:
    yield from uvloop.run(measure())


async def measure() -> list[tuple[rows.Row, float]]:
    async with running() as server:
        await add_service_account(server)
        await create_all(server, PODS, [a_pod(number) for number in range(LISTED)])
        whole = await timed(server, "LIST", PODS)
        await timed(server, "by the node", ON_ONE_NODE)
        return [
            (rows.LIST, min(whole.seconds)),
            (rows.LIST_MEMORY, await growth(server, whole.size_bytes)),
            (rows.LIST_SELECTED, 1e3 * min((await timed(server, "by a label", ONE_IN_TEN)).seconds)),
            (rows.TABLE, min((await timed(server, "Table", PODS, accept=AS_TABLE)).seconds)),
        ]


def a_pod(number: int) -> Any:
    labels = {"tenth": f"d-{number % 10}"}
    return pod(f"p-{number}", padding=PADDING_BYTES, labels=labels, node=f"node-{number // 10 % NODES}")


async def timed(server: Server, what: str, path: str, *, accept: str = JSON) -> Answers:
    """The best of several has the least of other work in it. The first is told apart: it finds nothing prepared."""
    before = server.cpu_s(), server.resident_bytes()
    first = await curl(server, path, times=1, accept=accept)
    between = server.cpu_s(), server.resident_bytes()
    answers = await curl(server, path, times=TIMES, accept=accept)
    each_s = (server.cpu_s() - between[0]) / TIMES
    print(
        f"  {what}: {answers.size_bytes / 1e6:.1f} MB; the first {first.seconds[0] * 1e3:.0f} ms "
        f"({(between[0] - before[0]) * 1e3:.0f} ms of the server's CPU, {(between[1] - before[1]) / 1e6:.0f} MB kept); "
        f"then {each_s * 1e3:.1f} ms of the server's CPU for each",
        flush=True,
    )
    return answers


async def growth(server: Server, size_bytes: int) -> float:
    """How much memory the server takes at its peak for several lists at once, in sizes of one answer."""
    server.forget_peak()
    before_bytes = server.resident_bytes()
    await asyncio.gather(*(curl(server, PODS, times=1) for _ in range(AT_ONCE)))
    return (server.peak_bytes() - before_bytes) / size_bytes
