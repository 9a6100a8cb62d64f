"""What `client/client.py` promises, asked of every transport against a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mamekube.client.client import Client, Event
from mamekube.client.http import HttpClient
from mamekube.client.informer import Informer
from mamekube.client.kubeconfig import ClientConfig
from mamekube.objects.meta import Object, key_of, name_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
SERVICE_ACCOUNTS = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")


def config_map(name: str, **metadata: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "data": {"key": "värde"},
    }


async def take(events: AsyncIterator[Event], count: int) -> list[str]:
    taken = []
    async with asyncio.timeout(10):
        while len(taken) < count:
            event = await anext(events)
            if event.type != "BOOKMARK":
                taken.append(f"{event.type} {name_of(event.object)}")
    return taken


async def test_what_is_created_is_there(client: Client) -> None:
    created = await client.create(CONFIG_MAPS, config_map("a"))
    assert created["metadata"]["uid"]
    assert await client.get(CONFIG_MAPS, "a", namespace="default") == created
    listing = await client.list(CONFIG_MAPS, namespace="default", field_selector="metadata.name=a")
    assert listing.items == [created]
    assert int(listing.revision) >= int(created["metadata"]["resourceVersion"])


async def test_refusals_carry_their_reason(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map("a"))
    for reason, code, request in (
        ("NotFound", 404, client.get(CONFIG_MAPS, "b", namespace="default")),
        ("AlreadyExists", 409, client.create(CONFIG_MAPS, config_map("a"))),
        ("Invalid", 422, client.create(CONFIG_MAPS, config_map("No Name"))),
        ("Conflict", 409, client.update(CONFIG_MAPS, config_map("a", resourceVersion="1"))),
    ):
        with pytest.raises(StatusError) as refused:
            await request
        assert (refused.value.reason, refused.value.code) == (reason, code)


async def test_the_details_of_a_refusal_arrive(client: Client) -> None:
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("No Name"))
    assert refused.value.details["causes"][0]["field"] == "metadata.name"


async def test_updates_and_patches_change_objects(client: Client) -> None:
    created = await client.create(CONFIG_MAPS, config_map("a"))
    updated = await client.update(CONFIG_MAPS, {**created, "data": {"key": "2"}})
    assert updated["data"] == {"key": "2"}
    for patch_type, patch, data in (
        ("merge", {"data": {"key": None, "more": "3"}}, {"more": "3"}),
        ("strategic", {"data": {"key": "4"}}, {"key": "4", "more": "3"}),
        ("json", [{"op": "remove", "path": "/data/more"}], {"key": "4"}),
    ):
        patched = await client.patch(
            CONFIG_MAPS,
            "a",
            patch,
            namespace="default",
            patch_type=patch_type,  # type: ignore[arg-type]
        )
        assert patched["data"] == data


async def test_server_side_apply_owns_what_it_applies(client: Client) -> None:
    wanted = {**config_map("a"), "data": {"mine": "1"}}
    applied = await client.patch(
        CONFIG_MAPS, "a", wanted, namespace="default", patch_type="apply", field_manager="me"
    )
    assert applied["metadata"]["managedFields"][0]["manager"] == "me"
    with pytest.raises(StatusError) as refused:
        await client.patch(
            CONFIG_MAPS,
            "a",
            {**wanted, "data": {"mine": "2"}},
            namespace="default",
            patch_type="apply",
            field_manager="you",
        )
    assert refused.value.reason == "Conflict"


async def test_deletion_heeds_its_preconditions(client: Client) -> None:
    created = await client.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(StatusError) as refused:
        await client.delete(CONFIG_MAPS, "a", namespace="default", uid="another")
    assert refused.value.reason == "Conflict"
    await client.delete(CONFIG_MAPS, "a", namespace="default", uid=created["metadata"]["uid"])
    with pytest.raises(StatusError):
        await client.get(CONFIG_MAPS, "a", namespace="default")


async def test_a_collection_is_deleted_by_selector(client: Client) -> None:
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await client.create(CONFIG_MAPS, config_map(name, labels={"app": app}))
    await client.delete_collection(CONFIG_MAPS, namespace="default", label_selector="app=x")
    left = await client.list(CONFIG_MAPS, namespace="default", label_selector="app")
    assert [name_of(item) for item in left.items] == ["c"]


async def test_a_list_comes_in_pages(client: Client) -> None:
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(f"p{number}", labels={"page": ""}))
    names: list[str] = []
    token = ""
    while True:
        page = await client.list(
            CONFIG_MAPS, namespace="default", label_selector="page", limit=2, continue_token=token
        )
        assert len(page.items) <= 2
        names += [name_of(item) for item in page.items]
        token = page.continue_token
        if not token:
            break
    assert names == [f"p{number}" for number in range(5)]


async def test_a_watch_tells_every_change_after_a_list(client: Client) -> None:
    listing = await client.list(CONFIG_MAPS, namespace="default")
    watching = client.watch(
        CONFIG_MAPS, namespace="default", label_selector="seen", revision=listing.revision, timeout_s=30
    )
    async with watching as events:
        await client.create(CONFIG_MAPS, config_map("a", labels={"seen": ""}))
        await client.create(CONFIG_MAPS, config_map("b"))
        await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace="default")
        await client.patch(CONFIG_MAPS, "a", {"metadata": {"labels": None}}, namespace="default")
        assert await take(events, 3) == ["ADDED a", "MODIFIED a", "DELETED a"]


async def test_a_watch_ends_without_an_error_when_its_time_is_up(client: Client) -> None:
    listing = await client.list(CONFIG_MAPS)
    async with (
        asyncio.timeout(10),
        client.watch(CONFIG_MAPS, revision=listing.revision, timeout_s=1) as events,
    ):
        assert [event.type async for event in events if event.type != "BOOKMARK"] == []


async def test_an_informer_follows(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map("a"))
    told: asyncio.Queue[str] = asyncio.Queue()

    def handle(type: str, old: Object | None, new: Object | None) -> None:
        told.put_nowait(f"{type} {key_of(new or old or {})}")

    async with Informer(
        client, CONFIG_MAPS, namespace="default", label_selector="!kubernetes.io"
    ) as informer:
        await informer.synced()
        assert informer.cache.get("default/a") is not None
        informer.subscribe(handle)
        known = len(informer.cache)
        await client.create(CONFIG_MAPS, config_map("b"))
        await client.delete(CONFIG_MAPS, "a", namespace="default")
        async with asyncio.timeout(10):
            lines = [await told.get() for _ in range(known + 2)]
        assert "ADDED default/b" in lines
        assert lines[-1] == "DELETED default/a"
        assert informer.cache.get("default/a") is None


async def test_creations_under_an_object_reach_its_subresource(client: Client) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    await client.create(SERVICE_ACCOUNTS, account, namespace="default")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    answer = await client.create(
        SERVICE_ACCOUNTS, request, namespace="default", name="robot", subresource="token"
    )
    assert answer["status"]["token"].count(".") == 2


async def test_objects_of_cluster_scope_need_no_namespace(client: Client) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "work"}}
    await client.create(NAMESPACES, namespace)
    assert (await client.get(NAMESPACES, "work"))["status"]["phase"] == "Active"
    updated = await client.patch(NAMESPACES, "work", {"metadata": {"labels": {"a": "b"}}})
    assert updated["metadata"]["labels"]["a"] == "b"


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with HttpClient(ClientConfig(server="http://127.0.0.1:1")) as client:
        for request in (client.get(NAMESPACES, "a"), client.list(NAMESPACES), client.request("GET", "/")):
            with pytest.raises(StatusError) as refused:
                await request
            assert (refused.value.code, refused.value.reason) == (503, "ServiceUnavailable")
        with pytest.raises(StatusError):
            async with client.watch(NAMESPACES):
                pass
