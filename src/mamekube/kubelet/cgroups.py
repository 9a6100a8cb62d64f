"""Where a pod's containers are in the cgroup tree: `kubepods/<qos>/pod<uid>` below the node's own cgroup."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from mamekube.kubelet import resources
from mamekube.kubelet.resources import BEST_EFFORT, BURSTABLE, qos_class
from mamekube.objects.meta import Object, uid_of

log = logging.getLogger(__name__)

MOUNT = Path("/sys/fs/cgroup")
CLASSES = {BEST_EFFORT: "besteffort/", BURSTABLE: "burstable/"}


def pod_cgroup(node_cgroup: str, pod: Object) -> str:
    return f"{node_cgroup.rstrip('/')}/kubepods/{CLASSES.get(qos_class(pod), '')}pod{uid_of(pod)}"


def create(path: str, pod: Object) -> None:
    """Make the pod's cgroup with the sum of its containers' requests and limits.

    Where the kernel refuses, the containers' own limits still hold.
    """
    try:
        if (MOUNT / "cgroup.controllers").exists():
            _create_v2(path.lstrip("/"), pod)
        else:
            _create_v1(path.lstrip("/"), pod)
    except OSError as error:
        log.info("cgroup %s: %s", path, error)


def _create_v1(path: str, pod: Object) -> None:
    limits = resources.pod_limits(pod)
    cpu, memory = MOUNT / "cpu" / path, MOUNT / "memory" / path
    if qos_class(pod) == BEST_EFFORT and not cpu.parent.exists():
        cpu.parent.mkdir(parents=True)
        (cpu.parent / "cpu.shares").write_text(str(resources.SHARES_MIN))
    for folder in (cpu, memory):
        folder.mkdir(parents=True, exist_ok=True)
    (cpu / "cpu.shares").write_text(str(limits.cpu_shares))
    if limits.cpu_quota_us:
        (cpu / "cpu.cfs_quota_us").write_text(str(limits.cpu_quota_us))
    if limits.memory_bytes:
        (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))


def _create_v2(path: str, pod: Object) -> None:
    limits = resources.pod_limits(pod)
    folder = MOUNT
    for part in path.split("/"):
        # A controller works in a cgroup only if its parent hands it on.
        (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        folder /= part
        folder.mkdir(exist_ok=True)
    (folder / "cpu.weight").write_text(str(resources.cpu_weight(limits.cpu_shares)))
    if limits.cpu_quota_us:
        (folder / "cpu.max").write_text(f"{limits.cpu_quota_us} {resources.QUOTA_PERIOD_US}")
    if limits.memory_bytes:
        (folder / "memory.max").write_text(str(limits.memory_bytes))


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
