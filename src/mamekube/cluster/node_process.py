"""The program of a node: kubelet, service proxy and DNS, in one process inside the node's namespaces.

Started by the node's process 1 with a JSON file, see `node.py`; started again whenever it ends. Restarting it
restarts no container.
"""

from __future__ import annotations

import mamekube.client.aiohttp_import  # noqa: F401  before whatever imports aiohttp

# isort: split
import asyncio
import logging
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mamekube.client.client import Client
from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import load_kubeconfig
from mamekube.cluster import program
from mamekube.dns.resolver import upstream_servers
from mamekube.dns.server import DnsServer
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import settle
from mamekube.kubelet.cri import CriRuntime
from mamekube.kubelet.fake import FakeRuntime
from mamekube.kubelet.kubelet import Kubelet, KubeletConfig
from mamekube.kubelet.runtime import Runtime
from mamekube.objects.status import StatusError
from mamekube.proxy.proxy import ServiceProxy

KUBECONFIG = "kubelet.conf"
RESOLVER_FILE = Path("/etc/resolv.conf")
CRI_SOCKET = Path("/run/containerd/containerd.sock")
SERVER_POLL_S = 0.02
SERVER_PATIENCE_S = 10.0
"""Then everything begins without it, and keeps trying, as upstream's components do."""

log = logging.getLogger("mamekube.node")


async def serve(config: dict[str, Any]) -> None:
    clock = Clock()
    folder = Path(config["folder"])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            HttpClient(load_kubeconfig(str(folder / KUBECONFIG)), user_agent="kubelet")
        )
        await wait_for_server(client)
        runtime: Runtime = FakeRuntime() if config["fake"] else CriRuntime(str(CRI_SOCKET))
        kubelet = Kubelet(kubelet_config(config, folder), client, runtime, clock)
        await stack.enter_async_context(kubelet)
        log.info("kubelet runs")
        components = [kubelet] if config["fake"] else [kubelet, *await _enter_network(stack, client, config)]
        settle()
        async with asyncio.TaskGroup() as group:
            for component in components:
                group.create_task(component.wait())


async def wait_for_server(client: HttpClient) -> None:
    """Until the API server is ready, which boots beside this node.

    Whoever asks it too early tries again a second later, and a start takes no longer than that.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SERVER_PATIENCE_S
    while loop.time() < deadline:
        try:
            if (await client.request("GET", "/readyz")).code == HTTPStatus.OK:
                return
        except StatusError:
            pass  # nobody listens yet
        await asyncio.sleep(SERVER_POLL_S)


async def _enter_network(stack: AsyncExitStack, client: Client, config: dict[str, Any]) -> list[Any]:
    proxy = ServiceProxy(client, node_name=config["nodeName"], pod_cidr=config["podCidr"])
    await stack.enter_async_context(proxy)
    dns = DnsServer(
        client,
        addresses=[config["clusterDns"]],
        domain=config["clusterDomain"],
        upstreams=upstream_resolvers(),
    )
    await stack.enter_async_context(dns)
    log.info("service proxy and DNS run")
    return [proxy, dns]


def kubelet_config(config: dict[str, Any], folder: Path) -> KubeletConfig:
    return KubeletConfig(
        node_name=config["nodeName"],
        node_ip=config["nodeAddress"],
        root_dir=folder / "kubelet",
        log_dir=folder / "pod-logs",
        cgroup_parent=config["cgroupParent"],
        cri_socket=str(CRI_SOCKET),
        pod_cidr=config["podCidr"],
        cluster_dns=(config["clusterDns"],),
        cluster_domain=config["clusterDomain"],
        port=config["kubeletPort"],
        certificate_file=folder / "kubelet.crt",
        key_file=folder / "kubelet.key",
        client_ca_file=Path(config["certificates"]) / "ca.crt",
        fake=config["fake"],
    )


def upstream_resolvers() -> list[str]:
    """The name servers that the host uses."""
    return upstream_servers(RESOLVER_FILE.read_text())


def main() -> None:
    config = program.read_configuration()
    program.wait_for_file(Path(config["folder"]) / KUBECONFIG)
    if not config["fake"]:
        program.wait_for_file(CRI_SOCKET)
    program.run(serve(config))


if __name__ == "__main__":
    main()
