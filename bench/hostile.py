"""Bad requests, sent again and again, and what other clients notice of them.

Each sort is sent for `SECONDS` by one client (`curl`, in a process of its own), while others get and create config
maps; all of them rest after an answer. The others' 99th percentile is compared with what it is when that client sends
good requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench import api, rows
from bench.apiserver import CONFIGMAPS, Connection, Server, config_map, running

CLIENTS = 8
REST_S = 0.01
CREATE_EACH = 4
SECONDS = 3
DEPTH = 10_001
MIB = 1024 * 1024
JSON, YAML, JSON_PATCH = "application/json", "application/yaml", "application/json-patch+json"
HEAD = '"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad"}'


class Sort(NamedTuple):
    """One bad request."""

    method: str
    path: str
    content_type: str = JSON
    body: bytes = b""
    token: str = ""


GOOD = Sort("GET", f"{CONFIGMAPS}/one")


def sorts() -> Mapping[str, Sort]:
    target = f"{CONFIGMAPS}/one"
    keys = ",".join(f'"k{number}":"v"' for number in range(200_000))
    unknown = ",".join(f'"field{number}":1' for number in range(150_000))
    containers = ",".join('{"name":"c"}' for _ in range(2_000))
    bomb = [
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]",
        *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)),
    ]
    growing = [{"op": "add", "path": "/data/x", "value": "x" * 1000}]
    growing += [{"op": "copy", "from": "/data", "path": f"/data/c{number}"} for number in range(60)]
    return {
        "JSON 10,001 deep": Sort("POST", CONFIGMAPS, body=b'{"data":' + b"[" * DEPTH + b"]" * DEPTH + b"}"),
        "a YAML alias bomb": Sort("POST", CONFIGMAPS, YAML, "\n".join(bomb).encode()),
        "duplicate keys, 2 MB": Sort(
            "POST",
            f"{CONFIGMAPS}?fieldValidation=Strict",
            body=f'{{{HEAD},"data":{{{keys},"k0":"w"}}}}'.encode(),
        ),
        "150,000 unknown fields": Sort(
            "POST", f"{CONFIGMAPS}?fieldValidation=Strict", body=f"{{{HEAD},{unknown}}}".encode()
        ),
        "bad UTF-8, 2 MB": Sort(
            "POST", CONFIGMAPS, body=f'{{{HEAD},"data":{{"k":"{"x" * 2 * MIB}'.encode() + b'\xff"}}'
        ),
        "more than 3 MiB": Sort("POST", CONFIGMAPS, body=b" " * (3 * MIB + 1)),
        "2,000 containers that lack all": Sort(
            "POST",
            "/api/v1/namespaces/default/pods",
            body=f'{{"metadata":{{"name":"bad"}},"spec":{{"containers":[{containers}]}}}}'.encode(),
        ),
        "a JSON patch of 10,001 operations": Sort(
            "PATCH",
            target,
            JSON_PATCH,
            json.dumps([{"op": "add", "path": "/data/k", "value": "v"}] * 10_001).encode(),
        ),
        "a JSON patch that grows by copying": Sort("PATCH", target, JSON_PATCH, json.dumps(growing).encode()),
        "a token without a signature": Sort("GET", target, token="eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
    }


def run() -> Iterable[tuple[rows.Row, float]]:
    slowest_s, ratio = uvloop.run(measure())
    yield rows.BAD_ANSWER, slowest_s
    yield rows.BAD_NEIGHBOUR, ratio


async def measure() -> tuple[float, float]:
    """(seconds until the slowest sort was refused, worst 99th percentile of the others in those of a quiet server)."""
    async with running() as server:
        await api.add_service_account(server)
        async with Connection(server) as connection:
            await connection.ask("POST", CONFIGMAPS, config_map("one"))
        await others_p99_s(server, seconds=1, first=0)
        first = itertools.count(100_000, 100_000)
        base_s = 0.0
        slowest_s, worst_s = 0.0, 0.0
        for name, sort in {"good requests": GOOD, **sorts()}.items():
            async with sent(server, sort) as answers:
                p99_s = await others_p99_s(server, seconds=SECONDS, first=next(first))
            took_s = statistics.median(answers)
            base_s = base_s or p99_s
            print(
                f"  {name:<34} answered after {took_s * 1e3:7.1f} ms, {len(answers):>5} times; "
                f"p99 of the others {p99_s * 1e3:6.2f} ms ({p99_s / base_s:.2f})",
                flush=True,
            )
            slowest_s, worst_s = max(slowest_s, took_s), max(worst_s, p99_s)
        return slowest_s, worst_s / base_s


async def others_p99_s(server: Server, *, seconds: float, first: int) -> float:
    """How long 99 of 100 answers take at most. `first`: from where the names of what is created are counted."""
    numbers = itertools.count(first)
    ends_s = time.perf_counter() + seconds
    took: list[float] = []

    async def work() -> None:
        async with Connection(server) as connection:
            for turn in itertools.count():
                began_s = time.perf_counter()
                if began_s > ends_s:
                    return
                if turn % CREATE_EACH:
                    await connection.ask("GET", f"{CONFIGMAPS}/one")
                else:
                    await connection.ask("POST", CONFIGMAPS, config_map(f"o-{next(numbers)}"))
                took.append(time.perf_counter() - began_s)
                await asyncio.sleep(REST_S)

    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return sorted(took)[len(took) * 99 // 100]


@contextlib.asynccontextmanager
async def sent(server: Server, sort: Sort) -> AsyncIterator[list[float]]:
    """Send the sort again and again meanwhile; the seconds that each answer took, all there at the end."""
    answers: list[float] = []
    with tempfile.TemporaryDirectory(prefix="mamekube-bench-") as folder:
        config = _written(server, sort, Path(folder))
        sending = asyncio.create_task(_send(sort, config, answers))
        try:
            yield answers
        finally:
            sending.cancel()
            await asyncio.wait([sending])
    if not answers:
        sending.result()


def _written(server: Server, sort: Sort, folder: Path) -> Path:
    """`curl`'s options in a file: a command may not be as long as a URL."""
    again = f"{'&' if '?' in sort.path else '?'}turn=[1-1000000]"
    options = {
        "url": f"https://127.0.0.1:{server.port}{sort.path}{again}",
        "request": sort.method,
        "header": f"Authorization: Bearer {sort.token or server.token}",
        "output": "/dev/null",
        "write-out": r"%{stderr}%{http_code} %{time_total}\n",
    }
    lines = [f'{name} = "{value}"' for name, value in options.items()]
    if sort.body:
        (folder / "body").write_bytes(sort.body)
        lines += [f'data-binary = "@{folder}/body"', f'header = "Content-Type: {sort.content_type}"']
    config = folder / "config"
    rest = f'rate = "{round(1 / REST_S)}/s"'
    config.write_text("\n".join([*lines, 'header = "Expect:"', "silent", "insecure", "http1.1", rest]))
    return config


async def _send(sort: Sort, config: Path, answers: list[float]) -> None:
    process = await asyncio.create_subprocess_exec(
        *("curl", "--disable", "--config", str(config)),
        stderr=subprocess.PIPE,  # which is not buffered
    )
    try:
        assert process.stderr is not None
        async for line in process.stderr:
            code, seconds = line.split()
            if code[:1] != (b"2" if sort is GOOD else b"4"):
                raise RuntimeError(f"{sort.method} {sort.path[:60]} was answered with {code.decode()}")
            answers.append(float(seconds))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
