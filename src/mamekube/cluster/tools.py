"""The programs of the host that a cluster is made with, and where they come from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mamekube.cluster.failures import HOST_NOT_FOUND, NEEDS_ROOT, Failure

DEBIAN_PACKAGES = {
    "busybox": "busybox-static",
    "buildah": "buildah",
    "containerd": "containerd",
    "ctr": "containerd",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "runc": "runc",
}

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(name: str) -> str:
    """The path of a program. Raises Failure naming the package that has it."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":" + SYSTEM_PATH)
    if path is None:
        raise Failure(
            HOST_NOT_FOUND,
            f'The program "{name}" is not installed',
            advice=f'Install it: "apt-get install {DEBIAN_PACKAGES[name]}"',
        )
    return path


def busybox() -> Path:
    """The host's busybox, which must be linked statically: it also runs in containers of its own."""
    path = Path(find("busybox"))
    if b"/ld-linux" in path.read_bytes()[:4096]:
        raise Failure(
            HOST_NOT_FOUND,
            f"{path} is not statically linked",
            advice='Install the static one: "apt-get install busybox-static"',
        )
    return path


def require_root() -> None:
    if os.geteuid() != 0:
        raise Failure(
            NEEDS_ROOT,
            "Mamekube makes network namespaces and cgroups, which needs root",
            advice='Use "sudo"',
        )
