"""Linux namespaces: start a process as the first one of its own, and find the way back into them.

Python 3.11 has no `os.unshare`; the C library's is called directly. Nothing is imported that the launcher does
not need anyway, for this runs on the way of every start.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

HOST_NETWORK_FD = 9
"""Under this number process 1 of a node finds the network namespace of the host, to lay its link to it."""


def spawn(
    arguments: Sequence[str], *, environment: Mapping[str, str], log: Path, cgroup_files: Sequence[Path]
) -> int:
    """Start a program as process 1 of new network, PID, mount, UTS and IPC namespaces; answer its host PID.

    It is a member of the cgroups from before its first instruction, so that nothing it ever starts escapes
    them. It has no controlling terminal, and outlives its caller. Raises OSError.
    """
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        _become_parent(arguments, environment, log, cgroup_files, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode()
    os.waitpid(parent, 0)
    if not answer.isdigit():
        raise OSError(answer or "the process ended before it had started")
    return int(answer)


def _become_parent(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    cgroup_files: Sequence[Path],
    answers: int,
) -> None:
    """In the first child: enter the cgroups, make the namespaces, fork process 1, tell its PID, end."""
    try:
        os.setsid()
        for file in cgroup_files:
            file.write_text(str(os.getpid()))
        host_network = os.open("/proc/self/ns/net", os.O_RDONLY)
        _unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        nothing = os.open("/dev/null", os.O_RDONLY)
        first = os.fork()
        if first == 0:
            for source, target in ((nothing, 0), (output, 1), (output, 2), (host_network, HOST_NETWORK_FD)):
                os.dup2(source, target)
            os.execve(arguments[0], list(arguments), dict(environment))
        os.write(answers, str(first).encode())
    except BaseException as error:
        os.write(answers, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os._exit(0)


def _unshare(flags: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


def enter_command(pid: int) -> list[str]:
    """The beginning of a command line that runs the rest inside the namespaces of process `pid`."""
    return ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid"]
