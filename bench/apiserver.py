"""An API server to load (SQLite on disk, TLS), and clients that cost little of the two cores they share with it.

GETs are sent by `wrk`, everything else by bare sockets. Besides rates, the server's own CPU time is read: other
work on the machine cannot hide that.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

CONNECTIONS = 16
SECONDS = 4
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


class Server(NamedTuple):
    """A running API server."""

    process: subprocess.Popen[bytes]
    port: int
    token: str
    context: ssl.SSLContext

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def running(port: int = 17443) -> AsyncIterator[Server]:
    """A fresh server, ready."""
    folder = Path(tempfile.mkdtemp(prefix="mamekube-bench-"))
    process = spawn(folder, port)
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await asyncio.to_thread(wait_until_ready, process, port, context)
        yield Server(process, port, (folder / "tokens.csv").read_text().split(",")[0], context)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def spawn(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mamekube.apiserver", "--dir", str(folder), "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def wait_until_ready(process: subprocess.Popen[bytes], port: int, context: ssl.SSLContext) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=1)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.005)
    raise RuntimeError("the server ended before it was ready")


# Clients ----------------------------------------------------------------------------------------


class Connection:
    """One keep-alive connection that sends JSON and reads whole answers."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __aenter__(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self._server.port, ssl=self._server.context, limit=2**27
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()

    def send(self, method: str, path: str, body: Any = None) -> None:
        data = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._server.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self.writer.write(head.encode() + data)

    async def ask(self, method: str, path: str, body: Any = None) -> bytes:
        self.send(method, path, body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        code = int(head.split(b" ", 2)[1])
        length = re.search(rb"(?i)content-length: (\d+)", head)
        answer = await self.reader.readexactly(int(length.group(1)) if length else 0)
        if code >= 400:
            raise RuntimeError(f"{method} {path}: {code} {answer[:300]!r}")
        return answer


async def create_all(server: Server, path: str, objects: list[Any]) -> float:
    """Create the objects over all connections; the seconds that it took."""
    queue = iter(objects)

    async def work() -> None:
        async with Connection(server) as connection:
            for obj in queue:
                await connection.ask("POST", path, obj)

    started_s = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return time.perf_counter() - started_s


async def wrk(server: Server, path: str, *, accept: str = "application/json") -> tuple[float, int]:
    """(requests per second, requests) of GETs of `path`."""
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--timeout", "20s"),
        *("-H", f"Authorization: Bearer {server.token}", "-H", f"Accept: {accept}"),
        f"https://127.0.0.1:{server.port}{path}",
        stdout=subprocess.PIPE,
    )
    output = (await process.communicate())[0].decode()
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", output), re.search(r"(\d+) requests in", output)
    assert rate and count, output
    return float(rate.group(1)), int(count.group(1))


def config_map(name: str) -> Any:
    return {"metadata": {"name": name}, "data": {"key": "value" * 20}}


def pod(name: str, *, padding: int = 0) -> Any:
    container = {
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "env": [{"name": "MODE", "value": "production"}],
    }
    annotations = {"example.com/padding": "x" * padding} if padding else {}
    return {
        "metadata": {"name": name, "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"containers": [container]},
    }
