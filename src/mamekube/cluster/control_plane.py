"""The control plane of a cluster as a process of the host: its configuration, start and end."""

from __future__ import annotations

import json
import sys

from mamekube.cluster import cgroups, node, processes, tools
from mamekube.cluster.profiles import API_PORT, Profile, write_atomically

STOP_TIMEOUT_S = 10.0
CGROUP = "control-plane"


def pid(profile: Profile) -> int:
    """The PID of the loop that keeps the server process running; 0 where it does not run."""
    return processes.running(profile.folder / "server.pid")


def start(profile: Profile) -> None:
    """Start the server process, where it does not run. It waits by itself for its certificates."""
    if pid(profile):
        return
    cgroups.kill(profile.cgroup(CGROUP))
    config = {
        "folder": str(profile.folder),
        "certificates": str(profile.certificates),
        "address": profile.gateway,
        "port": API_PORT,
        "podDevice": profile.bridge,
        "flags": profile.flags,
    }
    place = profile.folder / "server.json"
    write_atomically(place, json.dumps(config, indent=2) + "\n")
    first = processes.spawn(
        [
            *(
                str(tools.busybox()),
                "sh",
                str(node.SCRIPTS / "respawn.sh"),
                str(profile.folder / "server.log"),
            ),
            *(sys.executable, "-m", "mamekube.cluster.server_process", str(place)),
        ],
        environment=node.process_environment(),
        log=profile.folder / "server.log",
        cgroup_files=cgroups.create(profile.cgroup(CGROUP)),
    )
    processes.remember(profile.folder / "server.pid", first)


def stop(profile: Profile) -> None:
    """End it; what it acknowledged is on disk anyway."""
    first = pid(profile)
    if first:
        processes.end(first, timeout_s=STOP_TIMEOUT_S)
    cgroups.kill(profile.cgroup(CGROUP))
    cgroups.remove(profile.cgroup(CGROUP))
