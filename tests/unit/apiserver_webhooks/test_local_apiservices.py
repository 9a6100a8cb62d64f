"""APIServices of custom resources come and go with their definitions."""

from __future__ import annotations

import asyncio

import pytest

from mamekube.apiserver import builtin
from mamekube.apiserver.aggregation import local_apiservices
from mamekube.apiserver.server import ApiServer
from mamekube.client.client import Client
from mamekube.kinds.apiextensions.customresourcedefinitions import KIND
from mamekube.objects.meta import Object, labels_of


def definition(plural: str, *versions: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": plural.title()},
            "versions": [
                {"name": version, "served": True, "storage": version == versions[0], "schema": schema}
                for version in versions
            ],
        },
    }


async def told(client: Client, kind: str, name: str) -> Object:
    """The APIService, as soon as a watch says this of it."""
    async with asyncio.timeout(5):
        async with client.watch(
            builtin.API_SERVICES, field_selector=f"metadata.name={name}", revision="0"
        ) as events:
            async for event in events:
                if event.type == kind:
                    return event.object
    raise AssertionError("the watch ended")


async def test_each_version_that_is_served_has_one(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_apiservices, "SETTLE_S", 0.0)
    async with local_apiservices.LocalApiServices(server.api.store, client):
        await client.create(KIND, definition("cars", "v1", "v2"))
        for version in ("v1", "v2"):
            made = await told(client, "ADDED", f"{version}.example.com")
            assert labels_of(made) == {local_apiservices.LABEL: "true"}
            assert (made["spec"]["groupPriorityMinimum"], made["spec"]["versionPriority"]) == (1000, 100)
        await client.create(KIND, definition("boats", "v1"))
        gone = asyncio.ensure_future(told(client, "DELETED", "v2.example.com"))
        await client.delete(KIND, "cars.example.com")
        await gone
        assert await client.get(builtin.API_SERVICES, "v1.example.com")


async def test_one_that_somebody_else_made_is_left_alone(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_apiservices, "SETTLE_S", 0.0)
    service = {"namespace": "default", "name": "other"}
    spec = {
        "group": "example.com",
        "version": "v1",
        "groupPriorityMinimum": 10,
        "versionPriority": 10,
        "service": service,
        "insecureSkipTLSVerify": True,
    }
    await client.create(builtin.API_SERVICES, {"metadata": {"name": "v1.example.com"}, "spec": spec})
    async with local_apiservices.LocalApiServices(server.api.store, client):
        await client.create(KIND, definition("cars", "v1", "v2"))
        await told(client, "ADDED", "v2.example.com")
        gone = asyncio.ensure_future(told(client, "DELETED", "v2.example.com"))
        await client.delete(KIND, "cars.example.com")
        await gone
        assert (await client.get(builtin.API_SERVICES, "v1.example.com"))["spec"]["service"][
            "name"
        ] == "other"
