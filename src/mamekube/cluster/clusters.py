"""Whole clusters: start, stop, delete, status. Each is idempotent, and finishes what a broken-off one began.

Order of a start: everything that can run by itself is started first (the server process, the nodes), and makes
its way while the certificates are made that they then wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mamekube.cluster import cgroups, control_plane, flags, network, node, processes, profiles, tools
from mamekube.cluster.failures import (
    CONTROL_PLANE_ERROR,
    CONTROL_PLANE_TIMEOUT,
    GUEST_ERROR,
    GUEST_TIMEOUT,
    Failure,
)
from mamekube.cluster.profiles import Node, Profile

if TYPE_CHECKING:
    from mamekube.cluster.api import ApiConnection

Report = Callable[[str, str], None]
"""Called with the kind of a step (`start`, `ready`, …) and a line for the user."""

POLL_S = 0.02
ENDS_MAX = 3
"""A program that ended this often during one start is not waited for any longer."""
CONTROL_PLANE_LABELS = {
    "node-role.kubernetes.io/control-plane": "",
    "node.kubernetes.io/exclude-from-external-load-balancers": "",
}
REQUIRED_TOOLS = ("containerd", "ctr", "runc", "ip", "nft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `start` was asked for; `nodes` 0: as many as there are, 1 for a new profile."""

    name: str
    nodes: int = 0
    registry_mirrors: dict[str, str]
    extra_config: list[str] = field(default_factory=list)
    keep_context: bool = False
    wait_timeout_s: float = 360.0


def start(request: Request, report: Report) -> Profile:
    """Bring the cluster up, whatever state it is in, and wait until every node is Ready."""
    tools.require_root()
    for tool in REQUIRED_TOOLS:
        tools.find(tool)
    with profiles.locked(request.name):
        with profiles.host_locked():
            profile = _profile(request)
            network.create(profile)
        worker = "" if len(profile.nodes) == 1 else f" and {len(profile.nodes) - 1} more"
        report("start", f'Starting node "{profile.nodes[0].name}"{worker} in "{profile.name}" cluster')
        deadline = time.monotonic() + request.wait_timeout_s
        logged = _log_sizes(profile)
        control_plane.start(profile)
        for item in profile.nodes:
            node.start(profile, item)
        network.add_routes(profile)
        report("prepare", f"Preparing Kubernetes {profile.kubernetes_version} with certificates of its own")
        _make_certificates(profile)
        _configure_kubectl(profile, keep_context=request.keep_context)
        report("verify", "Waiting for the API server and the nodes")
        _wait_until_ready(profile, deadline, logged)
    return profile


def _profile(request: Request) -> Profile:
    if not (profiles.folder_of(request.name) / "profile.json").exists():
        given = flags.merge({}, request.extra_config)
        profile = profiles.create(
            request.name, nodes=request.nodes or 1, registry_mirrors=request.registry_mirrors
        )
        if given:
            profile.flags = given
            profile.save()
        return profile
    profile = profiles.load(request.name)
    given = flags.merge(profile.flags, request.extra_config)
    if given != profile.flags:
        # The server reads its flags when it starts.
        control_plane.stop(profile)
        profile.flags = given
    while len(profile.nodes) < request.nodes:
        profile.add_node()
    profile.registry_mirrors.update(request.registry_mirrors)
    profile.save()
    for item in profile.nodes:
        if node.pid(profile, item):
            node.write_registries(profile, item)
    return profile


def _make_certificates(profile: Profile) -> None:
    if profile.certificates.exists() and all(
        (profile.node_folder(item) / "kubelet.conf").exists() for item in profile.nodes
    ):
        return
    from mamekube.cluster import certificates  # 150 ms, while the processes load

    certificates.create_cluster_certificates(
        profile.certificates, addresses=[profiles.KUBERNETES_SERVICE_ADDRESS, profile.gateway]
    )
    for item in profile.nodes:
        folder = profile.node_folder(item)
        certificates.create_node_certificates(
            folder, certificates=profile.certificates, node_name=item.name, address=profile.address(item)
        )
        node.write_kubeconfig(profile, item)


def _configure_kubectl(profile: Profile, *, keep_context: bool) -> None:
    from mamekube.cluster import contexts

    contexts.add(profile, make_current=not keep_context)


def _wait_until_ready(profile: Profile, deadline: float, logged: dict[Path, int]) -> None:
    from mamekube.cluster.api import ApiConnection

    api = ApiConnection(profile)

    def wait(until: Callable[[], bool], code: int, what: str) -> None:
        while not until():
            _check_alive(profile, logged)
            if time.monotonic() > deadline:
                raise Failure(code, f"{what} in time", advice=_see_logs(profile))
            time.sleep(POLL_S)

    wait(api.ready, CONTROL_PLANE_TIMEOUT, "The API server did not become ready")
    for item in profile.nodes:
        node_is_ready = partial(_is_ready, api, profile, item)
        wait(node_is_ready, GUEST_TIMEOUT, f"Node {item.name} did not become Ready")
    _label_control_plane(api, profile.nodes[0].name)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait(
        lambda: api.get(account) is not None,
        CONTROL_PLANE_TIMEOUT,
        "The default service account was not made",
    )
    api.close()


def _label_control_plane(api: ApiConnection, node_name: str) -> None:
    """A kubelet may not give itself a role (admission plugin NodeRestriction), so the administrator does."""
    api.request(
        f"/api/v1/nodes/{node_name}", method="PATCH", body={"metadata": {"labels": CONTROL_PLANE_LABELS}}
    )


def _is_ready(api: ApiConnection, profile: Profile, item: Node) -> bool:
    """Ready by its own word, and by its kubelet's: after a stop, the word may be from before."""
    from mamekube.cluster.api import accepts_connections

    found = api.get(f"/api/v1/nodes/{item.name}") or {}
    conditions = found.get("status", {}).get("conditions", [])
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return ready and accepts_connections(profile.address(item), node.KUBELET_PORT)


def _log_sizes(profile: Profile) -> dict[Path, int]:
    """The logs of all programs of the cluster, and how long they are now."""
    logs = [profile.folder / "server.log"]
    for item in profile.nodes:
        logs += [profile.node_folder(item) / name for name in ("containerd.log", "node.log")]
    return {log: processes.log_size(log) for log in logs}


def _check_alive(profile: Profile, logged: dict[Path, int]) -> None:
    """Raises Failure as soon as it is certain that waiting is in vain."""
    for log, size in logged.items():
        if processes.ends(log, since=size) >= ENDS_MAX:
            raise Failure(
                CONTROL_PLANE_ERROR if log.stem == "server" else GUEST_ERROR,
                f"The {log.stem} process does not stay up: {_last_line(log, before_end=True)}",
                advice=_see_logs(profile),
            )
    if not control_plane.pid(profile):
        raise Failure(CONTROL_PLANE_ERROR, "The control plane was ended", advice=_see_logs(profile))
    for item in profile.nodes:
        if not node.pid(profile, item):
            reason = _last_line(profile.node_folder(item) / "init.log")
            raise Failure(GUEST_ERROR, f"Node {item.name} did not boot: {reason}", advice=_see_logs(profile))


def _last_line(log: Path, *, before_end: bool = False) -> str:
    """The last thing a log says; with `before_end`, what its program said last before it ended."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    said = [line for line in lines if line.strip() and not (before_end and " ended with status " in line)]
    return said[-1].strip() if said else "it said nothing"


def _see_logs(profile: Profile) -> str:
    return f'See why with: "{profiles.command(profile.name)} logs"'


def stop(name: str) -> int:
    """Power every node off, keep all files; answer how many nodes were on."""
    tools.require_root()
    profiles.load(name)
    with profiles.locked(name):
        profile = profiles.load(name)
        running = [item for item in profile.nodes if node.pid(profile, item)]
        # The nodes first: the server waits for its open watches to end. A node's programs end before its
        # containers, so nobody reports their end; they are found dead at the next start, as after a reboot.
        for item in profile.nodes:
            node.stop(profile, item)
        control_plane.stop(profile)
    return len(running)


def delete(name: str) -> None:
    """Leave nothing of the profile, in whatever state it is, and whether there is one or not."""
    tools.require_root()
    with profiles.locked(name):
        cgroups.kill(profiles.cgroup_of(name))
        cgroups.remove(profiles.cgroup_of(name))
        try:
            profile = profiles.load(name)
        except Failure:
            pass  # it failed before it had an address, or its file was damaged
        else:
            network.remove(profile)
        _forget_context(name)
        profiles.remove(name)


def _forget_context(name: str) -> None:
    from mamekube.cluster import contexts

    contexts.remove(name)


def add_node(name: str, *, fake: bool, report: Report) -> Node:
    """Add a node to a running cluster, and wait until it is Ready."""
    tools.require_root()
    profile = profiles.load(name)
    with profiles.locked(name):
        profile = profiles.load(name)
        added = profile.add_node(fake=fake)
        profile.save()
        report("start", f'Starting node "{added.name}" in "{name}" cluster')
        node.start(profile, added)
        _make_certificates(profile)
        network.add_routes(profile)
        for item in profile.nodes:
            node.add_route(profile, item, to=added)
        _wait_until_ready(profile, time.monotonic() + 360.0, _log_sizes(profile))
    return added


def delete_node(name: str, node_name: str) -> None:
    """Power a node off and forget it. The control plane's own node goes with the cluster only."""
    from mamekube.cluster.api import connect

    tools.require_root()
    profile = profiles.load(name)
    with profiles.locked(name):
        profile = profiles.load(name)
        item = profile.find_node(node_name)
        if item.number == 0:
            raise Failure(
                profiles.USAGE,
                f'Node "{item.name}" is the control plane',
                advice=f'To delete the cluster, run: "mamekube delete -p {name}"',
            )
        api = connect(profile)
        node.remove(profile, item)
        api.request(f"/api/v1/nodes/{item.name}", method="DELETE")
        profile.nodes.remove(item)
        profile.save()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What minikube's `status` says of a node, in its words."""

    name: str
    host: str
    kubelet: str
    apiserver: str
    kubeconfig: str
    worker: bool

    @property
    def code(self) -> int:
        """One bit for each thing that is not as it should be, as in minikube's exit code."""
        return (
            (self.host != "Running")
            | (self.apiserver not in ("Running", "Irrelevant") or self.kubelet != "Running") << 1
            | (self.kubeconfig not in ("Configured", "Irrelevant")) << 2
        )


def status(profile: Profile) -> list[NodeStatus]:
    from mamekube.cluster import contexts
    from mamekube.cluster.api import ApiConnection, accepts_connections

    serving = profile.certificates.exists() and ApiConnection(profile).ready()
    found = []
    for item in profile.nodes:
        host = bool(node.pid(profile, item))
        kubelet = host and accepts_connections(profile.address(item), node.KUBELET_PORT)
        worker = item.number > 0
        found.append(
            NodeStatus(
                name=item.name,
                host=_state(host),
                kubelet=_state(kubelet),
                apiserver="Irrelevant" if worker else _state(serving),
                kubeconfig="Irrelevant" if worker else contexts.state(profile),
                worker=worker,
            )
        )
    return found


def _state(running: bool) -> str:
    return "Running" if running else "Stopped"
