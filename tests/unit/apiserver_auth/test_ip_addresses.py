"""IPAddress objects: made with the addresses of Services, gone with them, mended, and respected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mamekube.apiserver import builtin
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.objects.meta import Object, name_of
from mamekube.objects.status import StatusError
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

LABELS = {
    "ipaddress.kubernetes.io/ip-family": "IPv4",
    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    server = ApiServer(ApiServerConfig(port=0), Store(MemoryBackend()), Clock())
    async with server.api.store, server:
        await server.ready()
        yield server.client("admin", ("system:masters",))


def service(name: str, address: str = "") -> Object:
    spec = {"ports": [{"port": 80}], **({"clusterIP": address} if address else {})}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def until(client: Client, address: str, parent: str | None) -> Object | None:
    """Wait until the address has an object that refers to the Service of this name; None for no object."""
    async with asyncio.timeout(10):
        while True:
            listing = await client.list(builtin.IP_ADDRESSES)
            found = next((obj for obj in listing.items if name_of(obj) == address), None)
            if (found["spec"]["parentRef"]["name"] if found else None) == parent:
                return found
            async with client.watch(builtin.IP_ADDRESSES, revision=listing.revision) as events:
                await anext(events)


async def test_a_service_has_an_address_object_as_long_as_it_lives(client: Client) -> None:
    made = await client.create(builtin.SERVICES, service("web"))
    address = made["spec"]["clusterIP"]
    found = await until(client, address, "web")
    assert found is not None
    assert found["metadata"]["labels"] == LABELS
    assert found["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "web"}
    await client.delete(builtin.SERVICES, "web", namespace="default")
    await until(client, address, None)


async def test_the_first_service_has_one_too(client: Client) -> None:
    assert await until(client, "10.96.0.1", "kubernetes")


async def test_an_address_object_that_is_removed_comes_back(client: Client) -> None:
    await client.create(builtin.SERVICES, service("web", "10.96.0.30"))
    found = await until(client, "10.96.0.30", "web")
    await client.delete(builtin.IP_ADDRESSES, "10.96.0.30")
    again = await until(client, "10.96.0.30", "web")
    assert found and again and found["metadata"]["uid"] != again["metadata"]["uid"]


async def test_an_address_that_goes_to_another_service_is_told_of_anew(client: Client) -> None:
    await client.create(builtin.SERVICES, service("web", "10.96.0.30"))
    await until(client, "10.96.0.30", "web")
    await client.delete(builtin.SERVICES, "web", namespace="default")
    await client.create(builtin.SERVICES, service("other", "10.96.0.30"))
    await until(client, "10.96.0.30", "other")


async def test_an_address_that_is_somebody_elses_is_given_to_no_service(client: Client) -> None:
    parent = {
        "group": "gateway.networking.k8s.io",
        "resource": "gateways",
        "name": "edge",
        "namespace": "default",
    }
    await client.create(
        builtin.IP_ADDRESSES, {"metadata": {"name": "10.96.0.40"}, "spec": {"parentRef": parent}}
    )
    await until(client, "10.96.0.40", "edge")
    with pytest.raises(StatusError, match="provided IP is already allocated"):
        await client.create(builtin.SERVICES, service("web", "10.96.0.40"))
    await client.delete(builtin.IP_ADDRESSES, "10.96.0.40")
    await until(client, "10.96.0.40", None)
    await client.create(builtin.SERVICES, service("web", "10.96.0.40"))
    await until(client, "10.96.0.40", "web")
