"""Processes that outlive the command that started them, and how to find them again.

A process is written down as its PID and its start time, so one that has the same PID by chance, perhaps after a
reboot, is never taken for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LOG_BYTES_MAX = 10 * 1024 * 1024
"""A log beyond this is rotated, and one older log kept."""

POLL_S = 0.01


def start_time(pid: int) -> int:
    """Clock ticks from boot to the start of the process; 0 where there is none, or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def remember(file: Path, pid: int) -> None:
    file.write_text(f"{pid} {start_time(pid)} {boot_id()}\n")


def running(file: Path) -> int:
    """The PID that was written down, where that very process still runs; otherwise 0."""
    try:
        pid, started, boot = file.read_text().split()
    except (FileNotFoundError, ValueError):
        return 0
    if boot != boot_id() or start_time(int(pid)) != int(started):
        return 0
    return int(pid)


def spawn(
    arguments: Sequence[str], *, environment: Mapping[str, str], log: Path, cgroup_files: Sequence[Path]
) -> int:
    """Start a program in a session of its own, in these cgroups, its output appended to `log`; answer its PID."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            os.setsid()
            for file in cgroup_files:
                file.write_text(str(os.getpid()))
            child = os.fork()
            if child:
                os.write(writing, str(child).encode())
                os._exit(0)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            for source, target in ((os.open("/dev/null", os.O_RDONLY), 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.execve(arguments[0], list(arguments), dict(environment))
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode()
    os.waitpid(parent, 0)
    if not answer.isdigit():
        raise OSError(answer or "the process ended before it had started")
    return int(answer)


def end(pid: int, *, timeout_s: float) -> bool:
    """Ask a process to end, and wait; whether it did in time."""
    started = start_time(pid)
    deadline = time.monotonic() + timeout_s
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    while start_time(pid) == started != 0:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def log_size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def ends(log: Path, *, since: int) -> int:
    """How often the program of a `respawn.sh` ended, by its log from byte `since` on."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(since)
        return file.read().count(b" ended with status ")
