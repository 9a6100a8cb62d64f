"""The program of the control plane: store, API server, controllers and scheduler, in one process.

Started by the launcher with a JSON file, see `control_plane.py`; started again whenever it ends. On SIGTERM
its parts end in the opposite order.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from mamekube.apiserver import components, storagemetrics
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.cluster import flags, program
from mamekube.cluster.profiles import CLUSTER_DOMAIN, DNS_ADDRESS, POD_NETWORK, SERVICE_NETWORK
from mamekube.controllers.controllers import Controllers, ControllersConfig
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import begin, settle
from mamekube.kinds.core import services
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError
from mamekube.scheduler.scheduler import Scheduler
from mamekube.store.sqlite import SqliteBackend
from mamekube.store.store import Store

log = logging.getLogger("mamekube.server")


async def serve(config: dict[str, Any]) -> None:
    begin()
    clock = Clock()
    folder = Path(config["folder"])
    certificates = Path(config["certificates"])
    async with AsyncExitStack() as stack:
        file = folder / "store.db"
        store = await stack.enter_async_context(Store(SqliteBackend(file)))
        api = ApiServer(api_server_config(config, certificates), store, clock)
        await stack.enter_async_context(api)
        log.info("serving on %s:%d", config["address"], config["port"])
        controllers = Controllers(
            api.client("system:kube-controller-manager"),
            clock,
            config=controllers_config(certificates),
            client_for=partial(controller_client, api),
        )
        scheduler = Scheduler(api.client("system:kube-scheduler"), clock)
        api.metrics.add(lambda: storagemetrics.size(file))
        api.metrics.add(controllers.runtime.families)
        api.metrics.add(scheduler.families)
        api.api.components.add(components.CONTROLLERS, controllers)
        api.api.components.add(components.SCHEDULER, scheduler)
        await api.ready()
        await stack.enter_async_context(controllers)
        await stack.enter_async_context(scheduler)
        await ensure_dns_service(api.client("kubernetes-admin", ("system:masters",)))
        settle()
        log.info("controllers and scheduler run")
        async with asyncio.TaskGroup() as group:
            for component in (store, api, controllers, scheduler):
                group.create_task(component.wait())
            group.create_task(store.compact_periodically())


def api_server_config(config: dict[str, Any], certificates: Path) -> ApiServerConfig:
    return ApiServerConfig(
        address=config["address"],
        port=config["port"],
        pod_network=POD_NETWORK,
        pod_device=config.get("podDevice") or "",
        advertise_address=config["address"],
        certificate_file=str(certificates / "apiserver.crt"),
        key_file=str(certificates / "apiserver.key"),
        client_ca_file=str(certificates / "ca.crt"),
        service_account_key_file=str(certificates / "service-account.key"),
        service_account_issuer=f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        service_cidr=SERVICE_NETWORK,
        kubelet_ca_file=str(certificates / "ca.crt"),
        kubelet_client_certificate_file=str(certificates / "apiserver-kubelet-client.crt"),
        kubelet_client_key_file=str(certificates / "apiserver-kubelet-client.key"),
        proxy_client_certificate_file=str(certificates / "front-proxy-client.crt"),
        proxy_client_key_file=str(certificates / "front-proxy-client.key"),
        requestheader_ca_file=str(certificates / "front-proxy-ca.crt"),
        **flags.settings(config.get("flags") or {}),
    )


def controllers_config(certificates: Path) -> ControllersConfig:
    return ControllersConfig(
        root_ca=(certificates / "ca.crt").read_text(),
        service_account_key_file=str(certificates / "service-account.key"),
        cluster_signing_certificate_file=str(certificates / "ca.crt"),
        cluster_signing_key_file=str(certificates / "ca.key"),
    )


def controller_client(api: ApiServer, account: str) -> Client:
    """The API as one controller's service account, as upstream's --use-service-account-credentials."""
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
    user = f"system:serviceaccount:kube-system:{account}"
    return api.client(user, groups, program="kube-controller-manager")


def dns_service() -> Object:
    """The service of the cluster's DNS. Every node's own DNS server has the address, so no proxy serves it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
                "service.kubernetes.io/service-proxy-name": "mamekube-dns",
            },
        },
        "spec": {
            "clusterIP": DNS_ADDRESS,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            ],
        },
    }


async def ensure_dns_service(client: Client) -> None:
    service = dns_service()
    try:
        await client.create(services.KIND, service, namespace="kube-system")
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise


def main() -> None:
    config = program.read_configuration()
    program.wait_for_file(Path(config["certificates"]))
    program.run(serve(config))


if __name__ == "__main__":
    main()
