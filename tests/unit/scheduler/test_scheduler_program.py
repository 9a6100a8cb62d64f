"""The scheduler at work in a control plane, on virtual time: what users see of pods that find a node, and of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.virtual import on_virtual_time, settled

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation.clock import LoopClock
from mamekube.objects.resource import Resource
from mamekube.scheduler.scheduler import NODES, PODS, Scheduler
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

Object = dict[str, Any]
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")
ACCOUNTS = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")
CLASSES = Resource(
    group="scheduling.k8s.io", version="v1", plural="priorityclasses", kind="PriorityClass", namespaced=False
)
NO_VICTIMS = "No preemption victims found for incoming pod"


@asynccontextmanager
async def control_plane(*, nodes: int = 1) -> AsyncIterator[Client]:
    async with (
        Store(MemoryBackend()) as store,
        ApiServer(ApiServerConfig(), store, LoopClock(), serve_http=False) as server,
    ):
        await server.ready()
        admin = server.client("admin", ("system:masters",))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await admin.create(ACCOUNTS, account, namespace="default")
        for number in range(1, nodes + 1):
            await add_node(admin, f"n{number}")
        async with Scheduler(server.client("system:kube-scheduler"), LoopClock()):
            yield admin


async def add_node(admin: Client, name: str, *, cpu: str = "2") -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    await admin.create(NODES, node)
    status = {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "110"}}
    await admin.patch(NODES, name, {"status": status}, subresource="status")
    await admin.patch(NODES, name, {"spec": {"taints": None}})  # the node lifecycle controller's part


async def create(admin: Client, name: str, *, cpu: str = "100m", **spec: Any) -> Object:
    container = {"name": "app", "image": "app:v1", "resources": {"requests": {"cpu": cpu}}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], **spec},
    }
    return await admin.create(PODS, pod, namespace="default")


async def node_of(admin: Client, name: str) -> str:
    pod = await admin.get(PODS, name, namespace="default")
    return pod["spec"].get("nodeName", "")


async def condition_of(admin: Client, name: str) -> Object:
    pod = await admin.get(PODS, name, namespace="default")
    (condition,) = [c for c in pod["status"]["conditions"] if c["type"] == "PodScheduled"]
    return condition


async def events_of(admin: Client, name: str) -> list[str]:
    listing = await admin.list(EVENTS, namespace="default")
    return [
        f"{event['type']} {event['reason']} x{event['count']}: {event['message']}"
        for event in listing.items
        if event["involvedObject"]["name"] == name
    ]


@on_virtual_time
async def test_a_pod_gets_a_node_a_condition_and_an_event() -> None:
    async with control_plane() as admin:
        await create(admin, "web")
        await settled()
        assert await node_of(admin, "web") == "n1"
        assert (await condition_of(admin, "web"))["status"] == "True"
        assert await events_of(admin, "web") == [
            "Normal Scheduled x1: Successfully assigned default/web to n1"
        ]
        (event,) = (await admin.list(EVENTS, namespace="default")).items
        assert event["source"] == {"component": "default-scheduler"}


@on_virtual_time
async def test_a_pod_without_a_node_says_why_and_gets_the_first_that_fits() -> None:
    async with control_plane() as admin:
        await create(admin, "large", cpu="1500m")
        await create(admin, "web", cpu="1")
        await settled()
        message = (
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
            f"0/1 nodes are available: 1 {NO_VICTIMS}."
        )
        condition = await condition_of(admin, "web")
        assert (condition["status"], condition["reason"], condition["message"]) == (
            "False",
            "Unschedulable",
            message,
        )
        assert await events_of(admin, "web") == [f"Warning FailedScheduling x1: {message}"]
        await asyncio.sleep(20)
        await add_node(admin, "n2")
        await asyncio.sleep(2)
        assert await node_of(admin, "web") == "n2"
        assert (await condition_of(admin, "web"))["status"] == "True"


@on_virtual_time
async def test_room_that_a_deleted_pod_leaves_is_used() -> None:
    async with control_plane() as admin:
        await create(admin, "old", cpu="2")
        await create(admin, "new", cpu="2")
        await asyncio.sleep(20)
        assert await node_of(admin, "new") == ""
        await admin.delete(PODS, "old", namespace="default", grace_period_s=0)
        await asyncio.sleep(2)
        assert await node_of(admin, "new") == "n1"


@on_virtual_time
async def test_without_nodes_users_read_so() -> None:
    async with control_plane(nodes=0) as admin:
        await create(admin, "web")
        await settled()
        assert (await condition_of(admin, "web"))["message"] == "no nodes available to schedule pods"


@on_virtual_time
async def test_pods_of_another_scheduler_are_left_alone() -> None:
    async with control_plane() as admin:
        await create(admin, "web", schedulerName="other")
        await asyncio.sleep(60)
        assert await node_of(admin, "web") == ""
        assert await events_of(admin, "web") == []


@on_virtual_time
async def test_a_hundred_pods_never_overfill_a_node() -> None:
    async with control_plane(nodes=3) as admin:
        await asyncio.gather(*(create(admin, f"p{number}", cpu="100m") for number in range(100)))
        await asyncio.sleep(5)
        pods = (await admin.list(PODS, namespace="default")).items
        placed = [pod["spec"].get("nodeName", "") for pod in pods]
        assert sorted(placed.count(name) for name in ("n1", "n2", "n3")) == [20, 20, 20]


@on_virtual_time
async def test_an_important_pod_makes_itself_room() -> None:
    async with control_plane() as admin:
        important = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000}
        await admin.create(CLASSES, {**important, "metadata": {"name": "high"}})
        await create(admin, "low", cpu="2", terminationGracePeriodSeconds=0)
        await settled()
        await create(admin, "high", cpu="1", priorityClassName="high")
        await settled()
        victim = await admin.list(PODS, namespace="default", field_selector="metadata.name=low")
        if victim.items:  # the kubelet's part: the pod ends gracefully first
            assert victim.items[0]["metadata"]["deletionTimestamp"]
            high = await admin.get(PODS, "high", namespace="default")
            assert high["status"]["nominatedNodeName"] == "n1"
            await admin.delete(PODS, "low", namespace="default", grace_period_s=0)
        await asyncio.sleep(12)
        assert await node_of(admin, "high") == "n1"
        high = await admin.get(PODS, "high", namespace="default")
        assert (
            f"Normal Preempted x1: Preempted by pod {high['metadata']['uid']} on node n1"
            in await events_of(admin, "low")
        )
