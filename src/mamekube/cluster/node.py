"""One node: its folder, its start, its end. What happens inside it is in `node_init.sh` and `node_process.py`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mamekube.cluster import cgroups, containerd, images, namespaces, network, processes, tools
from mamekube.cluster.profiles import (
    CLUSTER_DOMAIN,
    DNS_ADDRESS,
    POD_NETWORK,
    Node,
    Profile,
    cache_folder,
    write_atomically,
)

SCRIPTS = Path(__file__).parent
STOP_TIMEOUT_S = 15.0
KUBELET_PORT = 10250


def pid(profile: Profile, node: Node) -> int:
    """The host's PID of the node's process 1; 0 where the node is off."""
    return processes.running(profile.node_folder(node) / "init.pid")


def start(profile: Profile, node: Node) -> None:
    """Power the node on, where it is off. It boots in its own time; its kubelet waits for its certificates."""
    if pid(profile, node):
        return
    folder = profile.node_folder(node)
    _write_configuration(profile, node, folder)
    cgroups.kill(profile.cgroup(node.name))
    network.remove_link(profile.link(node))
    first = namespaces.spawn(
        [str(tools.busybox()), "sh", str(SCRIPTS / "node_init.sh")],
        environment=_environment(profile, node, folder),
        log=folder / "init.log",
        cgroup_files=cgroups.create(profile.cgroup(f"{node.name}/system")),
    )
    processes.remember(folder / "init.pid", first)


def stop(profile: Profile, node: Node) -> None:
    """Power the node off: its containers get SIGTERM and a moment; then the kernel ends everything in it."""
    first = pid(profile, node)
    if first:
        processes.end(first, timeout_s=STOP_TIMEOUT_S)
    cgroups.kill(profile.cgroup(node.name))
    cgroups.remove(profile.cgroup(node.name))
    network.remove_link(profile.link(node))


def remove(profile: Profile, node: Node) -> None:
    """Power the node off for ever."""
    stop(profile, node)
    shutil.rmtree(profile.node_folder(node), ignore_errors=True)


def write_registries(profile: Profile, node: Node) -> None:
    """containerd reads this at every pull, so it may change while the node runs."""
    mirrors = {name: url_from_node(profile, url) for name, url in profile.registry_mirrors.items()}
    containerd.write_registries(profile.node_folder(node) / "registries", mirrors)


def write_kubeconfig(profile: Profile, node: Node) -> None:
    """How the node's programs reach the API server. JSON is YAML, and needs no library here."""
    folder = profile.node_folder(node)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "default",
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
        "clusters": [
            {
                "name": "default",
                "cluster": {
                    "server": profile.server,
                    "certificate-authority": str(profile.certificates / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": "default",
                "user": {
                    "client-certificate": str(folder / "kubelet-client.crt"),
                    "client-key": str(folder / "kubelet-client.key"),
                },
            }
        ],
    }
    write_atomically(folder / "kubelet.conf", json.dumps(content, indent=2) + "\n")


def add_route(profile: Profile, node: Node, *, to: Node) -> None:
    """Tell a running node the way to the pods of one that was added later."""
    first = pid(profile, node)
    if first and node.number != to.number:
        way = ["ip", "route", "replace", to.pod_cidr, "via", profile.address(to)]
        subprocess.run([*namespaces.enter_command(first), *way], capture_output=True)


def _write_configuration(profile: Profile, node: Node, folder: Path) -> None:
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    (folder / "cni" / "10-mamekube.conflist").write_text(
        containerd.network_configuration(pod_cidr=node.pod_cidr)
    )
    (folder / "containerd.toml").write_text(
        containerd.configuration(
            folder=folder,
            sandbox_image=images.PAUSE_IMAGE,
            snapshotter=containerd.snapshotter(folder),
            cni_folder=containerd.cni_folder(),
            restrict_oom_score=containerd.must_restrict_oom_score(),
        )
    )
    write_registries(profile, node)
    (folder / "resolv.conf").write_text(resolver_configuration())
    write_atomically(folder / "node.json", json.dumps(_process_configuration(profile, node), indent=2) + "\n")


def _process_configuration(profile: Profile, node: Node) -> dict[str, object]:
    """What `node_process.py` reads."""
    folder = profile.node_folder(node)
    return {
        "nodeName": node.name,
        "nodeAddress": profile.address(node),
        "kubeletPort": KUBELET_PORT,
        "podCidr": node.pod_cidr,
        "server": profile.server,
        "certificates": str(profile.certificates),
        "folder": str(folder),
        "clusterDns": DNS_ADDRESS,
        "clusterDomain": CLUSTER_DOMAIN,
        "cgroupParent": "/" + profile.cgroup(node.name),
        "fake": node.fake,
    }


def _environment(profile: Profile, node: Node, folder: Path) -> dict[str, str]:
    """What `node_init.sh` reads, and what everything in the node inherits."""
    return {
        **process_environment(),
        **containerd.ENVIRONMENT,
        "HOSTNAME": node.name,
        "NODE_NAME": node.name,
        "NODE_ADDRESS": profile.address(node),
        "NODE_FOLDER": str(folder),
        "GATEWAY": profile.gateway,
        "BRIDGE": profile.bridge,
        "HOST_LINK": profile.link(node),
        "CLUSTER_DNS": DNS_ADDRESS,
        "POD_NETWORK": POD_NETWORK,
        "NODE_ROUTES": "\n".join(
            f"route add {other.pod_cidr} via {profile.address(other)}"
            for other in profile.nodes
            if other.number != node.number
        ),
        "SNAPSHOTTER": containerd.snapshotter(folder),
        "IMAGES": str(built_in_images()),
        "RESPAWN": str(SCRIPTS / "respawn.sh"),
        "CONTAINERD": tools.find("containerd"),
        "CTR": tools.find("ctr"),
        "IP": tools.find("ip"),
        "NFT": tools.find("nft"),
        "PYTHON": sys.executable,
        "NODE_PROGRAM": "mamekube.cluster.node_process",
        "FAKE": "1" if node.fake else "",
    }


def process_environment() -> dict[str, str]:
    """The environment of a process that stays: nothing of the user's but the language's search path."""
    return {
        "PATH": tools.SYSTEM_PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(SCRIPTS.parent.parent), os.environ.get("PYTHONPATH", "")]).strip(
            ":"
        ),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "1",
        "LOG_BYTES_MAX": str(processes.LOG_BYTES_MAX),
    }


def built_in_images() -> Path:
    busybox = tools.busybox()
    found = images.find_archive(cache_folder(), busybox)
    return found or images.write_archive(cache_folder(), busybox)


def url_from_node(profile: Profile, url: str) -> str:
    """A registry on the host's loopback, as the node sees it: at the bridge's address."""
    for loopback in ("//localhost", "//127.0.0.1"):
        url = url.replace(loopback, f"//{profile.gateway}")
    return url


def resolver_configuration() -> str:
    """The host's resolv.conf for a node: a resolver on the host's loopback is out of the node's reach."""
    lines: list[str] = []
    for place in ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"):
        try:
            lines = Path(place).read_text().splitlines()
            break
        except OSError:
            continue
    return "".join(
        f"{line}\n" for line in lines if not line.startswith(("nameserver 127.", "nameserver ::1"))
    )
