"""A whole control plane in one process on virtual time, with nodes whose containers are promises.

`run(scenario)` gives a scenario a `Cluster`: store, API server, controllers and scheduler as in production, and
nodes that make pods Ready a given time after they were bound. Nothing sleeps for real: a scenario of ten minutes
takes as long as its work.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.client.informer import InformerFactory
from mamekube.controllers.controllers import Controllers, ControllersConfig
from mamekube.controllers.resources import (
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
)
from mamekube.foundation.clock import LoopClock, VirtualLoop
from mamekube.foundation.lifecycle import Component
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason
from mamekube.scheduler.scheduler import Scheduler
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

Object = dict[str, Any]
Wrap = Callable[[Client], Client]
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")

READY_AFTER_S = 3.0
TERMINATED_AFTER_S = 1.0
HEARTBEAT_S = 10.0
ROOM = {"cpu": "64", "memory": "256Gi", "pods": "1000"}


def run(
    scenario: Callable[[Cluster], Awaitable[None]], *, nodes: int = 2, wrap: Wrap = lambda client: client
) -> None:
    """Run a scenario from the birth of a cluster to its end. `wrap` may make the controllers' clients worse."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster()
            await cluster.begin(stack, nodes=nodes, wrap=wrap)
            await scenario(cluster)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


class Cluster:
    """What a scenario does to a cluster, and what it sees of it."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.nodes: dict[str, Node] = {}
        self.trace: list[str] = []
        self.admin: Client

    async def begin(self, stack: AsyncExitStack, *, nodes: int, wrap: Wrap) -> None:
        store = await stack.enter_async_context(Store(MemoryBackend()))
        config = ApiServerConfig(advertise_address="192.168.49.1")
        api = ApiServer(config, store, self.clock, serve_http=False)
        await stack.enter_async_context(api)
        self.admin = api.client("admin", ("system:masters",))
        await api.ready()
        groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
        self.controllers = Controllers(
            wrap(api.client("system:kube-controller-manager")),
            self.clock,
            config=ControllersConfig(root_ca="PEM"),
            client_for=lambda account: wrap(
                api.client(f"system:serviceaccount:kube-system:{account}", groups)
            ),
        )
        await stack.enter_async_context(self.controllers)
        self.informers = InformerFactory(self.admin)
        self.pods = self.informers.informer(PODS).cache
        self.informers.informer(NODES)
        await stack.enter_async_context(self.informers)
        self.scheduler = Scheduler(api.client("system:kube-scheduler"), self.clock)
        await stack.enter_async_context(self.scheduler)
        for number in range(1, nodes + 1):
            node = Node(self.admin, self.clock, self.informers, name=f"n{number}", number=number)
            self.nodes[node.name] = await stack.enter_async_context(node)
        await self.until(lambda: self._has_account("default"), "the default service account")

    async def _has_account(self, namespace: str) -> bool:
        accounts = await self.admin.list(SERVICE_ACCOUNTS, namespace=namespace)
        return bool(accounts.items)

    # Deeds ------------------------------------------------------------------------------------------

    async def create(self, resource: Resource, obj: Object, *, namespace: str = "default") -> Object:
        return await self.admin.create(
            resource,
            {"apiVersion": resource.api_version, "kind": resource.kind, **obj},
            namespace=namespace if resource.namespaced else "",
        )

    async def deploy(
        self, name: str = "web", *, replicas: int = 4, image: str = "app:v1", **spec: Any
    ) -> Object:
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        return await self.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec})

    async def set_image(self, image: str, name: str = "web") -> None:
        container = {"name": "app", "image": image}
        await self.patch(DEPLOYMENTS, name, {"spec": {"template": {"spec": {"containers": [container]}}}})

    async def scale(self, replicas: int, name: str = "web") -> None:
        await self.patch(DEPLOYMENTS, name, {"spec": {"replicas": replicas}})

    async def patch(
        self, resource: Resource, name: str, patch: Object, *, namespace: str = "default"
    ) -> Object:
        namespace = namespace if resource.namespaced else ""
        return await self.admin.patch(resource, name, patch, namespace=namespace, patch_type="strategic")

    # Sights -----------------------------------------------------------------------------------------

    async def get(self, resource: Resource, name: str, *, namespace: str = "default") -> Object | None:
        try:
            return await self.admin.get(resource, name, namespace=namespace if resource.namespaced else "")
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return None
            raise

    async def list(self, resource: Resource, *, namespace: str = "default") -> list[Object]:
        return (await self.admin.list(resource, namespace=namespace if resource.namespaced else "")).items

    async def rolled_out(self, name: str = "web") -> bool:
        """What `kubectl rollout status` waits for."""
        deployment = await self.get(DEPLOYMENTS, name)
        assert deployment is not None
        status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
        return status.get("observedGeneration", 0) >= deployment["metadata"]["generation"] and all(
            status.get(field, 0) == replicas for field in ("updatedReplicas", "replicas", "availableReplicas")
        )

    async def images(self) -> dict[str, int]:
        """Image -> how many pods that are not being deleted."""
        counts: dict[str, int] = {}
        for pod in await self.list(PODS):
            if not pod["metadata"].get("deletionTimestamp"):
                image = pod["spec"]["containers"][0]["image"]
                counts[image] = counts.get(image, 0) + 1
        return counts

    async def events(self, reason: str = "") -> list[str]:
        """`object: message` of the recorded events, in order of time, names cut at their generated part."""
        entries = [entry for entry in await self.list(EVENTS) if reason in ("", entry["reason"])]
        entries.sort(key=lambda entry: int(entry["metadata"]["name"].rpartition(".")[2], 16))
        return [f"{entry['involvedObject']['kind']}: {entry['message']}" for entry in entries]

    async def condition(self, name: str, kind: str) -> tuple[str, str] | None:
        deployment = await self.get(DEPLOYMENTS, name)
        assert deployment is not None
        for entry in deployment["status"].get("conditions", ()):
            if entry["type"] == kind:
                return entry["status"], entry["reason"]
        return None

    async def until(
        self, condition: Callable[[], Awaitable[Any]], what: str, *, within_s: float = 600.0
    ) -> None:
        """Let time pass until `condition` holds."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while not await condition():
            assert loop.time() < end_s, f"after {within_s:g} s still not: {what}"
            await asyncio.sleep(0.05)

    async def settle(self, seconds: float = 1.0) -> None:
        """Let that much time pass."""
        await asyncio.sleep(seconds)

    async def namespace_gone(self, name: str) -> bool:
        return await self.get(NAMESPACES, name) is None

    async def replica_sizes(self) -> dict[str, int]:
        """ReplicaSet name -> size."""
        return {
            entry["metadata"]["name"]: entry["spec"]["replicas"] for entry in await self.list(REPLICA_SETS)
        }


class Node(Component):
    """A kubelet of promises. `broken` images never start; `powered` off, it says nothing more."""

    broken = ("app:v10",)

    def __init__(
        self, client: Client, clock: LoopClock, informers: InformerFactory, *, name: str, number: int
    ) -> None:
        super().__init__()
        self.name = name
        self.powered = True
        self.ready_after_s = READY_AFTER_S
        self._client = client
        self._clock = clock
        self._informer = informers.informer(PODS)
        self._number = number
        self._addresses = itertools.count(2)
        self._begun: set[str] = set()
        self._ending: set[str] = set()

    async def start(self) -> None:
        node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
        node["metadata"]["labels"] = {"kubernetes.io/hostname": self.name}
        node["spec"] = {"podCIDR": f"10.244.{self._number}.0/24", "podCIDRs": [f"10.244.{self._number}.0/24"]}
        await self._client.create(NODES, node)
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self.name}}
        await self._client.create(LEASES, {**lease, "spec": {}}, namespace="kube-node-lease")
        await self._report()
        self._informer.subscribe(self._note)
        self.spawn(self._heartbeat())

    async def _patch(self, resource: Resource, name: str, patch: Object, **where: str) -> None:
        """Insist, as kubelets do: others write nodes and pods at the same moment."""
        for _ in range(5):
            try:
                await self._client.patch(resource, name, patch, patch_type="strategic", **where)
                return
            except StatusError as error:
                if not is_reason(error, "Conflict"):
                    raise
                await asyncio.sleep(0.01)

    async def _report(self) -> None:
        now = self._clock.timestamp()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        status = {"conditions": [ready], "capacity": ROOM, "allocatable": ROOM}
        await self._patch(NODES, self.name, {"status": status}, subresource="status")

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if self.powered:
                await self._report()
                renewed = {"spec": {"renewTime": self._clock.timestamp_micro()}}
                await self._patch(LEASES, self.name, renewed, namespace="kube-node-lease")

    def _note(self, event: str, old: Object | None, new: Object | None) -> None:
        pod = new or old
        assert pod is not None
        if event == "DELETED" or pod["spec"].get("nodeName") != self.name:
            return
        uid = pod["metadata"]["uid"]
        if pod["metadata"].get("deletionTimestamp"):
            if uid not in self._ending:
                self._ending.add(uid)
                self.spawn(self._end(pod))
        elif uid not in self._begun:
            self._begun.add(uid)
            self.spawn(self._begin(pod))

    async def _begin(self, pod: Object) -> None:
        if pod["spec"]["containers"][0]["image"] in self.broken:
            return
        await asyncio.sleep(self.ready_after_s)
        if not self.powered or pod["metadata"]["uid"] in self._ending:
            return
        now = self._clock.timestamp()
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        address = f"10.244.{self._number}.{next(self._addresses)}"
        status = {
            "phase": "Running",
            "conditions": [ready],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
        }
        await self._status(pod, status)
        if pod["spec"].get("restartPolicy") != "Always":
            await asyncio.sleep(self.ready_after_s)
            ended = {"type": "Ready", "status": "False", "lastTransitionTime": self._clock.timestamp()}
            failed = pod["spec"]["containers"][0]["image"] == "app:fails"
            phase = "Failed" if failed else "Succeeded"
            await self._status(pod, {"phase": phase, "conditions": [ended]})

    async def _status(self, pod: Object, status: Object) -> None:
        meta = pod["metadata"]
        try:
            patch = {"metadata": {"uid": meta["uid"]}, "status": status}
            await self._patch(PODS, meta["name"], patch, namespace=meta["namespace"], subresource="status")
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise

    async def _end(self, pod: Object) -> None:
        await asyncio.sleep(TERMINATED_AFTER_S)
        if not self.powered:
            return
        meta = pod["metadata"]
        try:
            await self._client.delete(
                PODS, meta["name"], namespace=meta["namespace"], grace_period_s=0, uid=meta["uid"]
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
