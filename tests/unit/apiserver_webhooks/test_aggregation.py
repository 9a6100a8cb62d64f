"""APIs of other servers: availability, discovery, and requests that are handed on to them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.apiserver_webhooks.authority import Authority
from tests.unit.apiserver_webhooks.extension import ADMIN, HOST, NAME, PATH, RESOURCES, Cluster, add_service

from mamekube.apiserver import builtin


async def test_a_request_is_handed_on_with_the_user_and_without_credentials(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    forged = {"X-Remote-User": "root", "X-Remote-Group": "g", "X-Remote-Extra-Scopes": "all", "Cookie": "a=b"}
    async with cluster.session.post(
        f"{cluster.url}{PATH}/namespaces/default/flunders?dryRun=All",
        data=b"{}",
        headers={**ADMIN, **forged, "Content-Type": "application/json"},
    ) as answer:
        assert answer.status == 201
        assert (await answer.json())["path"] == f"{PATH}/namespaces/default/flunders?dryRun=All"
    (request,) = cluster.extension.seen
    assert request.headers.getall("X-Remote-User") == ["admin"]
    assert request.headers.getall("X-Remote-Group") == ["system:masters", "system:authenticated"]
    assert request.headers["X-Remote-Uid"] == "7"
    assert not {"Authorization", "Cookie", "X-Remote-Extra-Scopes"} & set(request.headers)
    assert cluster.extension.bodies == [b"{}"]
    subject = dict(pair for part in cluster.extension.certificates[0]["subject"] for pair in part)
    assert subject["commonName"] == "front-proxy-client"


async def test_who_may_not_is_refused_here(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    async with cluster.session.get(f"{cluster.url}{PATH}/namespaces/default/flunders") as answer:
        assert answer.status == 403
    assert cluster.extension.seen == []


async def test_discovery_shows_what_the_other_server_has(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    async with cluster.session.get(f"{cluster.url}/apis", headers={**ADMIN, "Accept": accept}) as answer:
        groups = {item["metadata"]["name"]: item for item in (await answer.json())["items"]}
    (version,) = groups["wardle.example.com"]["versions"]
    kind = {"group": "wardle.example.com", "version": "v1", "kind": "Flunder"}
    assert version["freshness"] == "Current"
    assert version["resources"] == [
        {
            "resource": "flunders",
            "responseKind": kind,
            "scope": "Namespaced",
            "singularResource": "flunder",
            "verbs": ["create", "get"],
            "shortNames": ["fl"],
            "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["get"]}],
        }
    ]
    async with cluster.session.get(f"{cluster.url}/apis", headers=ADMIN) as answer:
        assert "wardle.example.com" in {group["name"] for group in (await answer.json())["groups"]}
    async with cluster.session.get(f"{cluster.url}/", headers=ADMIN) as answer:
        assert {"/apis/wardle.example.com", PATH} <= set((await answer.json())["paths"])
    async with cluster.session.get(f"{cluster.url}/apis/wardle.example.com", headers=ADMIN) as answer:
        assert (await answer.json())["preferredVersion"]["version"] == "v1"
    async with cluster.session.get(f"{cluster.url}{PATH}", headers=ADMIN) as answer:
        assert (await answer.json())["resources"] == RESOURCES


async def test_what_is_missing_of_the_service_is_said(cluster: Cluster) -> None:
    await cluster.register()
    condition = await cluster.condition(lambda found: found["status"] == "False")
    assert condition["reason"] == "ServiceNotFound"
    assert condition["message"] == 'service/flunder in "default" is not present'
    await add_service(cluster, ready=False)
    condition = await cluster.condition(lambda found: found["reason"] != "ServiceNotFound")
    assert condition["reason"] == "MissingEndpoints"
    async with cluster.session.get(f"{cluster.url}{PATH}/flunders", headers=ADMIN) as answer:
        assert (answer.status, await answer.text()) == (503, "service unavailable\n")


async def test_a_server_that_does_not_answer_well_is_not_available(cluster: Cluster) -> None:
    cluster.extension.healthy = False
    await add_service(cluster)
    await cluster.register()
    condition = await cluster.condition(lambda found: found["status"] == "False")
    url = f"https://{HOST}:443{PATH}"
    assert condition["reason"] == "FailedDiscoveryCheck"
    assert condition["message"] == f"failing or missing response from {url}: bad status from {url}: 500"
    cluster.extension.healthy = True
    assert (await cluster.condition(lambda found: found["status"] == "True"))["reason"] == "Passed"


async def test_a_certificate_nobody_vouches_for_is_not_taken_unless_asked(
    cluster: Cluster, tmp_path: Path
) -> None:
    await add_service(cluster)
    await cluster.register(caBundle=Authority(tmp_path, "other").bundle)
    condition = await cluster.condition(lambda found: found["status"] == "False")
    assert "certificate signed by unknown authority" in condition["message"]
    await cluster.client.delete(builtin.API_SERVICES, NAME)
    await cluster.register(caBundle=None, insecureSkipTLSVerify=True)
    await cluster.available()


@pytest.mark.parametrize("location", ["https://elsewhere/", "//elsewhere/", "/"])
async def test_a_redirect_is_not_followed_nor_passed_on(cluster: Cluster, location: str) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    async with cluster.session.get(
        f"{cluster.url}{PATH}/elsewhere?to={location}", headers=ADMIN, allow_redirects=False
    ) as answer:
        assert answer.status == 502 and "Location" not in answer.headers
        text = "the backend attempted to redirect this request, which is not permitted"
        assert await answer.text() == text


async def test_an_upgraded_connection_is_tunnelled(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    reader, writer = await asyncio.open_connection("127.0.0.1", cluster.api.port)
    lines = [f"GET {PATH}/flunders HTTP/1.1", "Host: a", f"Authorization: {ADMIN['Authorization']}"]
    writer.write("\r\n".join([*lines, "Connection: Upgrade", "Upgrade: echo", "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert await reader.readexactly(25) == b"hello from the other side"
    writer.close()


async def test_an_apiservice_without_a_service_is_always_available(cluster: Cluster) -> None:
    await cluster.register(service=None, caBundle=None)
    condition = await cluster.condition(lambda found: True)
    assert (condition["status"], condition["reason"]) == ("True", "Local")


async def test_a_deleted_apiservice_is_gone_from_discovery(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    await cluster.client.delete(builtin.API_SERVICES, NAME)
    async with asyncio.timeout(5):
        while True:
            async with cluster.session.get(f"{cluster.url}{PATH}", headers=ADMIN) as answer:
                if answer.status == 404:
                    break
    assert cluster.extension.seen == []


async def test_another_priority_does_not_interrupt_the_service(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    for priority in (20, 30, 40):
        await cluster.client.patch(builtin.API_SERVICES, NAME, {"spec": {"versionPriority": priority}})
        async with cluster.session.get(
            f"{cluster.url}{PATH}/namespaces/default/flunders", headers=ADMIN
        ) as answer:
            assert answer.status == 201


async def test_the_conditions_of_others_stay(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    service = await cluster.client.get(builtin.API_SERVICES, NAME)
    mine = {"type": "Mine", "status": "True", "lastTransitionTime": None, "reason": "Tested", "message": ""}
    (available,) = service["status"]["conditions"]
    patch = {"status": {"conditions": [available, mine]}}
    await cluster.client.patch(builtin.API_SERVICES, NAME, patch, subresource="status")
    cluster.extension.healthy = False
    await cluster.client.patch(builtin.API_SERVICES, NAME, {"spec": {"versionPriority": 20}})
    await cluster.condition(lambda found: found["status"] == "False")
    service = await cluster.client.get(builtin.API_SERVICES, NAME)
    assert [one["type"] for one in service["status"]["conditions"]] == ["Available", "Mine"]
