"""How long a start takes, and what a cluster costs while it does nothing."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench import rows
from bench.clusters import Cluster, home
from mamekube.apiserver import development

RUNS = 3
SETTLE_S = 20
"""After a start, before idleness is measured: images are imported, garbage is collected."""
WINDOW_S = 30
SERVER_START_LIMIT_S = 30


def run() -> Iterable[tuple[rows.Row, float]]:
    yield rows.SERVER_START, statistics.median(server_start_s() for _ in range(RUNS))
    starts = []
    for number in range(RUNS):
        with home() as cluster:
            began = time.perf_counter()
            cluster.mamekube("start")
            starts.append(time.perf_counter() - began)
            if number == RUNS - 1:
                yield rows.CLUSTER_START, statistics.median(starts)
                yield from idle(cluster)


def server_start_s() -> float:
    """From the start of the process to its first 200 on /readyz; certificates are there, the store is empty."""
    with tempfile.TemporaryDirectory() as folder:
        development.prepare(Path(folder), address="127.0.0.1", port=16479)
        command = [sys.executable, "-m", "mamekube.apiserver", "--dir", folder, "--port", "16479"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            return asyncio.run(_ready(began))
        finally:
            process.terminate()
            process.wait()


async def _ready(began: float) -> float:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while time.perf_counter() - began < SERVER_START_LIMIT_S:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", 16479, ssl=context)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            if answer.startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - began
        except OSError:
            await asyncio.sleep(0.005)
    raise TimeoutError("the API server did not become ready")


def idle(cluster: Cluster) -> Iterator[tuple[rows.Row, float]]:
    time.sleep(SETTLE_S)
    processes = processes_of(cluster)
    parts = {name: rss_mb(pid) for pid, name in processes.items()}
    print("  " + ", ".join(f"{name} {size:.0f} MB" for name, size in sorted(parts.items())), flush=True)
    yield rows.MEMORY, sum(parts.values())
    server = [pid for pid, name in processes.items() if "server_process" in name]
    before = sum(cpu_s(pid) for pid in server)
    time.sleep(WINDOW_S)
    yield rows.IDLE_CPU, (sum(cpu_s(pid) for pid in server) - before) / WINDOW_S * 100


def processes_of(cluster: Cluster) -> dict[int, str]:
    """Every process that mentions the cluster's home, and their children: id -> a name to tell it by."""
    found: dict[int, str] = {}
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        pid = int(entry.name)
        parents[pid] = int(stat.rpartition(")")[2].split()[1])
        lines[pid] = command
    mine = {pid for pid, line in lines.items() if str(cluster.home) in line and pid != os.getpid()}
    changed = True
    while changed:
        children = {pid for pid, parent in parents.items() if parent in mine} - mine
        mine |= children
        changed = bool(children)
    for pid in mine:
        words = lines[pid].split()
        module = next((word for word in words if word.startswith("mamekube.")), "")
        found[pid] = f"{module or os.path.basename(words[0]) if words else '?'}:{pid}"
    return found


def rss_mb(pid: int) -> float:
    """Resident memory in MB; 0 for a process that ended meanwhile."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next(
        (int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS")), 0.0
    )


def cpu_s(pid: int) -> float:
    """CPU time that all threads of a process have used, to the nanosecond (ticks are too coarse for an idle one)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
