"""The private containerd of a node: its configuration, its registries, its network plugin.

The configuration is written in version 2, which containerd 1.6 and 1.7 read as it is, and 2.x migrates as it
reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from mamekube.cluster.failures import HOST_NOT_FOUND, Failure

CAP_SYS_RESOURCE = 24

CNI_FOLDERS = (Path("/opt/cni/bin"), Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
CNI_PLUGINS = ("ptp", "host-local", "loopback")

UNUSED_PLUGINS = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.nri.v1.nri",
)

ENVIRONMENT = {"CONTAINERD_ADDRESS": "/run/containerd/containerd.sock"}


def configuration(
    *, folder: Path, sandbox_image: str, snapshotter: str, cni_folder: Path, restrict_oom_score: bool
) -> str:
    """The TOML text; `folder` is the node's own folder."""
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = {_text(folder / "containerd")}
state = "/run/containerd"
disabled_plugins = {json.dumps(UNUSED_PLUGINS)}

[grpc]
address = "/run/containerd/containerd.sock"

[debug]
level = "warn"

{cri}]
sandbox_image = {_text(sandbox_image)}
# Without CAP_SYS_RESOURCE runc may not lower a score, and dies trying: "can't get final child's PID from pipe: EOF".
restrict_oom_score_adj = {json.dumps(restrict_oom_score)}

{cri}.containerd]
snapshotter = {_text(snapshotter)}

{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false

{cri}.cni]
bin_dir = {_text(cni_folder)}
conf_dir = {_text(folder / "cni")}

{cri}.registry]
config_path = {_text(folder / "registries")}
"""


def network_configuration(*, pod_cidr: str) -> str:
    """The CNI network: a point-to-point link for each pod, so all traffic of pods is routed.

    On a bridge the answer of a pod to a neighbour that called it through a service address would go straight
    back, past the address translation, wherever the kernel's br_netfilter is not there. Addresses are noted
    under /run: they are free again after the node was off, as its pods are gone.
    """
    plugin = {
        "type": "ptp",
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni/networks",
            "ranges": [[{"subnet": pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "mamekube", "plugins": [plugin]}, indent=2) + "\n"


def write_registries(folder: Path, mirrors: Mapping[str, str]) -> None:
    """`mirrors` names for a registry (`docker.io`) the URL that it is pulled from instead."""
    for registry, url in mirrors.items():
        place = folder / registry
        place.mkdir(parents=True, exist_ok=True)
        # containerd 1.6 does not ask a server that has no host section of its own.
        (place / "hosts.toml").write_text(
            f'server = {_text(url)}\n\n[host.{_text(url)}]\ncapabilities = ["pull", "resolve"]\n'
        )


def cni_folder() -> Path:
    """Where the standard network plugins are. Raises Failure where they are not installed."""
    for folder in CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in CNI_PLUGINS):
            return folder
    raise Failure(
        HOST_NOT_FOUND,
        f"The network plugins {', '.join(CNI_PLUGINS)} are not installed",
        advice='Install them: "apt-get install containernetworking-plugins"',
    )


def must_restrict_oom_score() -> bool:
    """Whether this process, and so containerd, lacks CAP_SYS_RESOURCE."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return not int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1
    return True


def snapshotter(folder: Path) -> str:
    """`overlayfs`, or `native` where `folder` is itself on an overlay, as inside a container."""
    device = os.stat(folder).st_dev
    kinds = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        major, minor = left.split()[2].split(":")
        kinds[os.makedev(int(major), int(minor))] = right.split()[0]
    return "native" if kinds.get(device) == "overlay" else "overlayfs"


def _text(value: object) -> str:
    """A TOML string; JSON's strings are valid ones."""
    return json.dumps(str(value))
