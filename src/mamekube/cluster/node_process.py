"""The program of a node: kubelet, service proxy and DNS, in one process inside the node's namespaces.

Started by the node's process 1 with a JSON file, see `node.py`; started again whenever it ends. Restarting it
restarts no container.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mamekube.client.client import Client
from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import load_kubeconfig
from mamekube.cluster import program
from mamekube.cluster.node import KUBELET_PORT
from mamekube.dns.server import DnsServer
from mamekube.foundation.clock import Clock
from mamekube.kubelet.cri import CriRuntime
from mamekube.kubelet.fake import FakeRuntime
from mamekube.kubelet.kubelet import Kubelet, KubeletConfig
from mamekube.kubelet.runtime import Runtime
from mamekube.proxy.proxy import ServiceProxy

CRI_SOCKET = Path("/run/containerd/containerd.sock")

log = logging.getLogger("mamekube.node")


async def serve(config: dict[str, Any]) -> None:
    clock = Clock()
    folder = Path(config["folder"])
    kubeconfig = folder / "kubelet.conf"
    await program.file_written(kubeconfig)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(HttpClient(load_kubeconfig(str(kubeconfig))))
        runtime: Runtime
        if config["fake"]:
            runtime = FakeRuntime()
        else:
            await program.file_written(CRI_SOCKET)
            runtime = CriRuntime(str(CRI_SOCKET))
        kubelet = Kubelet(kubelet_config(config, folder), client, runtime, clock)
        await stack.enter_async_context(kubelet)
        log.info("kubelet runs")
        components = [kubelet] if config["fake"] else [kubelet, *await _enter_network(stack, client, config)]
        program.settle()
        async with asyncio.TaskGroup() as group:
            for component in components:
                group.create_task(component.wait())


async def _enter_network(stack: AsyncExitStack, client: Client, config: dict[str, Any]) -> list[Any]:
    proxy = ServiceProxy(
        client, node_name=config["nodeName"], node_ip=config["nodeAddress"], pod_cidr=config["podCidr"]
    )
    await stack.enter_async_context(proxy)
    dns = DnsServer(
        client,
        addresses=[config["clusterDns"]],
        domain=config["clusterDomain"],
        upstreams=upstream_resolvers(Path("/etc/resolv.conf").read_text()),
    )
    await stack.enter_async_context(dns)
    log.info("service proxy and DNS run")
    return [proxy, dns]


def kubelet_config(config: dict[str, Any], folder: Path) -> KubeletConfig:
    labels = {}
    if config["controlPlane"]:
        labels["node-role.kubernetes.io/control-plane"] = ""
    return KubeletConfig(
        node_name=config["nodeName"],
        node_ip=config["nodeAddress"],
        root_dir=folder / "kubelet",
        cri_socket=str(CRI_SOCKET),
        pod_cidr=config["podCidr"],
        cluster_dns=(config["clusterDns"],),
        cluster_domain=config["clusterDomain"],
        port=KUBELET_PORT,
        certificate_file=folder / "kubelet.crt",
        key_file=folder / "kubelet.key",
        client_ca_file=Path(config["certificates"]) / "ca.crt",
        labels=labels,
        fake=config["fake"],
    )


def upstream_resolvers(text: str) -> list[str]:
    """The name servers in a resolv.conf."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


if __name__ == "__main__":
    program.run(serve(program.read_configuration()))
