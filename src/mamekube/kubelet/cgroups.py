"""Where a pod's containers are in the cgroup tree: `kubepods/<qos>/pod<uid>` below the node's own cgroup."""

from __future__ import annotations

import os
from pathlib import Path

from mamekube.kubelet.resources import BEST_EFFORT, BURSTABLE, qos_class
from mamekube.objects.meta import Object, uid_of

MOUNT = Path("/sys/fs/cgroup")
CLASSES = {BEST_EFFORT: "besteffort/", BURSTABLE: "burstable/"}


def pod_cgroup(node_cgroup: str, pod: Object) -> str:
    return f"{node_cgroup.rstrip('/')}/kubepods/{CLASSES.get(qos_class(pod), '')}pod{uid_of(pod)}"


def remove_pod(node_cgroup: str, uid: str) -> None:
    """Remove the cgroup of a pod of which nothing but the uid is known."""
    for folder in ("", *CLASSES.values()):
        remove(f"{node_cgroup.rstrip('/')}/kubepods/{folder}pod{uid}")


def remove(path: str) -> None:
    """Remove a pod's cgroup, empty by now, from every hierarchy; what is still busy stays."""
    roots = [MOUNT] if (MOUNT / "cgroup.controllers").exists() else list(MOUNT.glob("*"))
    for root in roots:
        for folder, _, _ in os.walk(root / path.lstrip("/"), topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                continue
