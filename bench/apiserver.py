"""An API server to load (SQLite on disk, TLS), and clients that cost little of the two cores they share with it.

GETs and creates are sent by `wrk`, as upstream's were for the rates in `rows`, lists by `curl`, which decrypts a long
answer faster than the server encrypts it and keeps nothing of it; everything else by bare sockets. Besides rates, the
server's own CPU time is read: other work on the machine cannot hide that.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

CONNECTIONS = 16
SECONDS = 4
READY_LIMIT_S = 60
CREATE_SCRIPT = Path(__file__).with_name("create.lua")
NUMBER = "NUMBER"
"""Stands in an object where each that is created has another number."""
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


class Server(NamedTuple):
    """A running API server."""

    process: subprocess.Popen[bytes]
    port: int
    token: str
    context: ssl.SSLContext

    def cpu_s(self) -> float:
        """CPU time of all threads, to the nanosecond where none of them has ended."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def resident_bytes(self) -> int:
        return self._memory("VmRSS")

    def forget_peak(self) -> None:
        """Let `peak_bytes` be what is resident from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        return self._memory("VmHWM")

    def _memory(self, field: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field))


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    """A fresh server, ready."""
    with temporary_folder() as folder:
        async with running_in(folder) as server:
            yield server


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mamekube-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def running_in(folder: Path) -> AsyncIterator[Server]:
    """A server of what the folder holds, ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = spawn(folder, port)
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await asyncio.to_thread(wait_until_ready, process, port, context)
        yield Server(process, port, (folder / "tokens.csv").read_text().split(",")[0], context)
    finally:
        process.terminate()
        process.wait()


def spawn(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mamekube.apiserver", "--dir", str(folder), "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def wait_until_ready(process: subprocess.Popen[bytes], port: int, context: ssl.SSLContext) -> None:
    deadline_s = time.monotonic() + READY_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=1)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.005)
    raise RuntimeError("the server ended before it was ready, or did not become it")


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


async def wrk(server: Server, path: str, *, create: Any = None) -> tuple[float, int]:
    """(requests per second, requests) of GETs of `path`, or of creates of objects like `create` there."""
    script: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    if create is not None:
        script = ("-s", str(CREATE_SCRIPT), "-H", "Content-Type: application/json")
        before, behind = json.dumps(create).split(NUMBER)
        arguments = ("--", before, behind)
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--timeout", "20s", *script),
        *("-H", f"Authorization: Bearer {server.token}", "-H", "Accept: application/json"),
        *(f"https://127.0.0.1:{server.port}{path}", *arguments),
        stdout=subprocess.PIPE,
    )
    output = (await process.communicate())[0].decode()
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", output), re.search(r"(\d+) requests in", output)
    assert rate and count and "Non-2xx" not in output, output
    return float(rate.group(1)), int(count.group(1))


async def curl(server: Server, path: str, *, times: int, accept: str = "application/json") -> Answers:
    """`times` GETs of `path`, one after the other on one connection, whose answers nobody keeps."""
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--insecure", "--http1.1", "--user-agent", "bench"),
        *("-H", f"Authorization: Bearer {server.token}", "-H", f"Accept: {accept}"),
        *("--write-out", "%{http_code} %{time_total} %{size_download}\n"),
        *(("-o", "/dev/null", f"https://127.0.0.1:{server.port}{path}") * times),
        stdout=subprocess.PIPE,
    )
    output = (await process.communicate())[0].decode()
    lines = [line.split() for line in output.splitlines()]
    assert len(lines) == times and all(code == "200" for code, _, _ in lines), output
    return Answers([float(seconds) for _, seconds, _ in lines], int(lines[0][2]))


class Answers(NamedTuple):
    """What the same request got, again and again."""

    seconds: list[float]
    size_bytes: int


def config_map(name: str) -> Any:
    return {"metadata": {"name": name}, "data": {"key": "value" * 20}}


def pod(name: str, *, padding: int = 0, node: str = "", labels: dict[str, str] | None = None) -> Any:
    container = {
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "env": [{"name": "MODE", "value": "production"}],
    }
    annotations = {"example.com/padding": "x" * padding} if padding else {}
    return {
        "metadata": {"name": name, "labels": {"app": "web", **(labels or {})}, "annotations": annotations},
        "spec": {"containers": [container], **({"nodeName": node} if node else {})},
    }
