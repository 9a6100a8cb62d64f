"""What the server's own parts ask of other servers' APIs, through the in-process client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.unit.apiserver_webhooks.extension import NAME, NAMESPACE, PATH, Cluster, add_service

from mamekube.client.client import Client
from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import ClientConfig
from mamekube.controllers.controllers import Controllers, ControllersConfig
from mamekube.controllers.resources import API_SERVICES, NAMESPACES
from mamekube.foundation.clock import Clock
from mamekube.objects import conditions
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

FLUNDERS = Resource(group="wardle.example.com", version="v1", plural="flunders", kind="Flunder")
VERBS = ["create", "delete", "get", "list", "watch"]


def flunder(name: str, **meta: object) -> Object:
    described = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": "1", **meta}
    return {"apiVersion": "wardle.example.com/v1", "kind": "Flunder", "metadata": described}


@pytest.fixture
async def other(cluster: Cluster) -> Cluster:
    """With another server that keeps flunders."""
    cluster.extension.resources = [
        {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": VERBS}
    ]
    cluster.extension.flunders = {"a": flunder("a"), "b": flunder("b")}
    await cluster.client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    return cluster


@pytest.fixture
async def controllers(other: Cluster) -> AsyncIterator[Controllers]:
    manager = other.api.client("system:kube-controller-manager", ("system:masters",))
    async with Controllers(manager, Clock(), config=ControllersConfig()) as running:
        yield running


async def test_the_in_process_client_reads_and_deletes_what_another_server_keeps(other: Cluster) -> None:
    listing = await other.client.list(FLUNDERS, namespace=NAMESPACE)
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b"]
    found = await other.client.get(FLUNDERS, "a", namespace=NAMESPACE)
    assert found["metadata"]["uid"] == "uid-a"
    await other.client.delete(FLUNDERS, "a", namespace=NAMESPACE, propagation="Background")
    with pytest.raises(StatusError, match="flunders a: NotFound"):
        await other.client.get(FLUNDERS, "a", namespace=NAMESPACE)
    sent = other.extension.seen[-1]
    assert sent.path == f"{PATH}/namespaces/{NAMESPACE}/flunders/a"
    assert sent.headers.getall("X-Remote-User") == ["admin"]


async def test_the_in_process_client_watches_another_server(other: Cluster) -> None:
    async with other.client.watch(FLUNDERS, namespace=NAMESPACE, revision="1") as events:
        assert [(await anext(events)).object["metadata"]["name"] for _ in range(2)] == ["a", "b"]
    assert other.extension.seen[-1].query["resourceVersion"] == "1"


async def test_who_may_not_is_refused_before_the_other_server_is_asked(other: Cluster) -> None:
    before = len(other.extension.seen)
    with pytest.raises(StatusError, match="cannot list resource"):
        await other.api.client("somebody").list(FLUNDERS, namespace=NAMESPACE)
    assert len(other.extension.seen) == before


async def test_a_server_that_does_not_answer_is_an_unavailable_one(other: Cluster) -> None:
    other.extension.healthy = False
    other.api._services.remotes[FLUNDERS.group, FLUNDERS.version].doubt.set()
    await other.condition(lambda condition: condition["status"] == "False")
    with pytest.raises(StatusError) as caught:
        await other.client.list(FLUNDERS, namespace=NAMESPACE)
    assert (caught.value.code, caught.value.message) == (503, "service unavailable")


async def test_both_clients_discover_the_same(other: Cluster) -> None:
    config = ClientConfig(server=other.url, token="admin-token")
    async with HttpClient(config) as client:
        found = await client.discover()
    assert found == await other.client.discover()
    assert FLUNDERS in found.with_verbs("list", "watch")
    assert found.stale == ()


async def namespace_when(client: Client, wanted: Callable[[Object], bool]) -> Object:
    async with asyncio.timeout(10):
        selector = f"metadata.name={NAMESPACE}"
        async with client.watch(NAMESPACES, field_selector=selector, revision="0") as events:
            async for event in events:
                if wanted(event.object):
                    return event.object
    raise AssertionError("the watch ended")


async def namespace_gone(client: Client) -> None:
    revision = (await client.list(NAMESPACES)).revision
    async with client.watch(
        NAMESPACES, field_selector=f"metadata.name={NAMESPACE}", revision=revision
    ) as events:
        if any(item["metadata"]["name"] == NAMESPACE for item in (await client.list(NAMESPACES)).items):
            while (await anext(events)).type != "DELETED":
                pass


def condition_of(namespace: Object, kind: str) -> Object:
    return dict(conditions.find(conditions.conditions_of(namespace), kind) or {})


async def test_a_namespace_goes_with_what_another_server_keeps_in_it(
    other: Cluster, controllers: Controllers
) -> None:
    await other.client.delete(NAMESPACES, NAMESPACE)
    async with asyncio.timeout(10):
        assert {await other.extension.removed.get() for _ in range(2)} == {"a", "b"}
        await namespace_gone(other.client)


async def test_a_namespace_stays_while_a_server_that_may_have_something_in_it_is_silent(
    other: Cluster, controllers: Controllers
) -> None:
    other.extension.healthy = False
    other.api._services.remotes[FLUNDERS.group, FLUNDERS.version].doubt.set()
    await other.condition(lambda condition: condition["status"] == "False")
    await other.client.delete(NAMESPACES, NAMESPACE)
    kind = "NamespaceDeletionDiscoveryFailure"
    namespace = await namespace_when(
        other.client, lambda one: condition_of(one, kind).get("status") == "True"
    )
    assert condition_of(namespace, kind)["reason"] == "DiscoveryFailed"
    assert condition_of(namespace, kind)["message"] == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "wardle.example.com/v1: stale GroupVersion discovery: wardle.example.com/v1"
    )
    assert namespace["spec"]["finalizers"] == ["kubernetes"]
    assert sorted(other.extension.flunders) == ["a", "b"]


async def test_the_collector_removes_what_lost_its_owner_on_another_server(
    other: Cluster, controllers: Controllers
) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "uid-gone"}
    other.extension.flunders["c"] = flunder("c", ownerReferences=[reference])
    async with asyncio.timeout(10):
        await other.extension.watched.wait()
        assert await other.extension.removed.get() == "c"
    assert sorted(other.extension.flunders) == ["a", "b"]
    await other.client.delete(API_SERVICES, NAME)
