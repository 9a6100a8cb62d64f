"""tmpfs mounts through mount(2): the kubelet starts no process for a volume."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

MS_NOSUID, MS_NODEV = 2, 4
MNT_DETACH = 2


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def mount_tmpfs(target: Path, *, size_bytes: int = 0) -> None:
    """Raises OSError."""
    options = f"size={size_bytes}" if size_bytes else ""
    done = _libc().mount(
        b"tmpfs", os.fsencode(target), b"tmpfs", ctypes.c_ulong(MS_NOSUID | MS_NODEV), options.encode()
    )
    if done != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))


def unmount(target: Path) -> None:
    """Raises OSError."""
    if _libc().umount2(os.fsencode(target), MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))


def mounts_below(directory: Path) -> list[Path]:
    """Mount points under `directory`, deepest first."""
    prefix = f"{directory}/"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = [line.split()[4].encode().decode("unicode_escape") for line in table]
    return sorted((Path(p) for p in points if p.startswith(prefix)), key=lambda p: -len(p.parts))
