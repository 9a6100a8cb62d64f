"""Reads what the kernel tells of this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mamekube.kubelet.node_status import Machine


def read_machine(root: Path) -> Machine:
    """`root` is the kubelet's folder, whose file system holds what pods write."""
    names = os.uname()
    root.mkdir(parents=True, exist_ok=True)
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk_bytes=shutil.disk_usage(root).total,
        architecture=names.machine,
        kernel=names.release,
        os_image=os_image(),
        machine_id=_read("/etc/machine-id"),
        system_uuid=_read("/sys/class/dmi/id/product_uuid") or _read("/etc/machine-id"),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
    )


def os_image() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
