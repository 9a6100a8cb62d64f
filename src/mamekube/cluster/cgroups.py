"""The cgroups of a cluster, on version 1, hybrid and version 2 hosts.

Everything that a cluster starts is in `mamekube/PROFILE/…` of every hierarchy from its first instruction, so the
kernel itself knows what belongs to it: `delete` finds every process also after a start that failed half-way.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from mamekube.cluster.failures import HOST_ERROR, Failure

KILL_TIMEOUT_S = 10.0


def hierarchies() -> list[Path]:
    """Where cgroups are mounted: one path on version 2, one for each controller on version 1."""
    places = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith(("cgroup ", "cgroup2 ")):
            places.append(Path(left.split()[4]))
    return places


def create(path: str) -> list[Path]:
    """Make the cgroup in every hierarchy; answer the files that a PID is written to, to join it."""
    files = []
    for hierarchy in hierarchies():
        # A new cpuset of version 1 has no processors, and so takes no process.
        if (hierarchy / "cpuset.cpus").exists() and not (hierarchy / "cgroup.controllers").exists():
            continue
        try:
            (hierarchy / path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(
                HOST_ERROR,
                f"The cgroup {hierarchy / path} cannot be made: {error.strerror}",
                advice="Mamekube needs writable cgroups; in a container, run it privileged",
            ) from None
        files.append(hierarchy / path / "cgroup.procs")
    return files


def processes(path: str) -> set[int]:
    """Every process in the cgroup or below it, in whichever hierarchy."""
    found: set[int] = set()
    for folder in _folders(path):
        try:
            found.update(map(int, (folder / "cgroup.procs").read_text().split()))
        except OSError:
            continue  # removed meanwhile
    return found


def kill(path: str) -> None:
    """End every process in the cgroup, with SIGKILL, until there is none. Raises Failure where one stays."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while pids := processes(path) - {os.getpid()}:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise Failure(HOST_ERROR, f"Processes {sorted(pids)} of {path} cannot be killed")
        time.sleep(0.01)


def remove(path: str) -> None:
    """Remove the cgroup and all below it, innermost first, and `mamekube` itself with the last one."""
    deadline = time.monotonic() + 1.0
    for folder in _folders(path):
        while True:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                # Busy for a moment after its last process has ended.
                if time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
            break
    for hierarchy in hierarchies():
        try:
            (hierarchy / "mamekube").rmdir()
        except OSError:
            continue


def _folders(path: str) -> Iterator[Path]:
    """The cgroup's folders in every hierarchy, children before parents."""
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / path, topdown=False):
            yield Path(folder)
