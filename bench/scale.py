"""A Deployment of 1,000 pods, created and scheduled onto nodes without containers: store, API server, controllers and
scheduler as in a cluster, durable, with all admission and authorization; only the nodes are mere objects."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench import rows

NODES = 10
PODS = 1_000
RUNS = 3
LIMIT_S = 60.0


def run() -> Iterable[tuple[rows.Row, float]]:
    import uvloop

    yield rows.PODS_1000, statistics.median(uvloop.run(_scale()) for _ in range(RUNS))


async def _scale() -> float:
    from mamekube.apiserver import development
    from mamekube.apiserver.server import ApiServer
    from mamekube.controllers.controllers import Controllers, ControllersConfig
    from mamekube.foundation.clock import Clock
    from mamekube.kinds.apps import deployments
    from mamekube.kinds.core import nodes, pods, serviceaccounts
    from mamekube.scheduler.scheduler import Scheduler
    from mamekube.store.sqlite import SqliteBackend
    from mamekube.store.store import Store

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        config = development.prepare(Path(folder), address="127.0.0.1", port=0)
        store = Store(SqliteBackend(Path(folder) / "store.db"))
        api = ApiServer(config, store, clock, serve_http=False)
        async with store, api:
            admin = api.client("admin", ("system:masters",))
            await api.ready()
            controllers = Controllers(
                api.client("system:kube-controller-manager"), clock, config=ControllersConfig(),
                client_for=lambda user: admin,
            )  # fmt: skip
            scheduler = Scheduler(api.client("system:kube-scheduler"), clock)
            async with controllers, scheduler:
                for number in range(NODES):
                    await admin.create(nodes.KIND, _node(f"fake-{number}", clock.timestamp()))
                async with asyncio.timeout(LIMIT_S):
                    await _until_there(admin, serviceaccounts.KIND, "default")
                    return await _time(admin, deployments.KIND, pods.KIND)


async def _until_there(client, kind, name) -> None:
    async with client.watch(kind, namespace="default", revision="0") as events:
        async for event in events:
            if event.object["metadata"].get("name") == name:
                return


async def _time(client, deployments, pods) -> float:
    listing = await client.list(pods)
    async with client.watch(pods, namespace="default", revision=listing.revision) as events:
        began = time.perf_counter()
        await client.create(deployments, _deployment(), namespace="default")
        scheduled: set[str] = set()
        async for event in events:
            if event.type != "BOOKMARK" and event.object["spec"].get("nodeName"):
                scheduled.add(event.object["metadata"]["name"])
                if len(scheduled) == PODS:
                    return time.perf_counter() - began
    raise RuntimeError("the watch ended early")


def _node(name: str, now: str) -> dict:
    amounts = {"cpu": "32", "memory": "64Gi", "pods": "250"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastHeartbeatTime": now,
             "lastTransitionTime": now}  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }


def _deployment() -> dict:
    container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "big", "namespace": "default"},
        "spec": {
            "replicas": PODS,
            "selector": {"matchLabels": {"app": "big"}},
            "template": {"metadata": {"labels": {"app": "big"}}, "spec": {"containers": [container]}},
        },
    }
