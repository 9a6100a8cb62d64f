"""APIs of other servers: availability, discovery, and requests that are handed on to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.apiserver_webhooks.authority import Authority

from mamekube.apiserver import apiservices, builtin
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.objects import conditions
from mamekube.objects.meta import Object
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

HOST = "flunder.default.svc"
PATH = "/apis/wardle.example.com/v1"
NAME = "v1.wardle.example.com"
ADMIN = {"Authorization": "Bearer admin-token"}
RESOURCES = [
    {
        "name": "flunders",
        "singularName": "flunder",
        "namespaced": True,
        "kind": "Flunder",
        "verbs": ["create", "get"],
        "shortNames": ["fl"],
    },
    {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
]


@dataclass
class Extension:
    """The other server, and what reached it."""

    port: int = 0
    seen: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    certificates: list[Any] = field(default_factory=list)
    healthy: bool = True

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == PATH:
            if not self.healthy:
                return web.Response(status=500)
            return web.json_response({"kind": "APIResourceList", "resources": RESOURCES})
        self.seen.append(request)
        self.bodies.append(await request.read())
        assert request.transport is not None
        self.certificates.append(request.transport.get_extra_info("peercert"))
        if request.headers.get("Upgrade") == "echo":
            return await self._echo(request)
        if request.path.endswith("/elsewhere"):
            return web.Response(status=302, headers={"Location": "https://evil.example.com/"})
        return web.json_response({"kind": "Flunder", "path": request.path_qs}, status=201)

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=101, headers={"Connection": "Upgrade", "Upgrade": "echo"})
        await response.prepare(request)
        assert request.transport is not None
        request.transport.write(b"hello from the other side")
        return response


@dataclass
class Cluster:
    api: ApiServer
    client: Client
    session: aiohttp.ClientSession
    extension: Extension
    authority: Authority

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"

    async def register(self, **spec: Any) -> None:
        whole = {
            "group": "wardle.example.com",
            "version": "v1",
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            "service": {"namespace": "default", "name": "flunder", "port": 443},
            "caBundle": self.authority.bundle,
            **spec,
        }
        await self.client.create(builtin.API_SERVICES, {"metadata": {"name": NAME}, "spec": whole})

    async def condition(self, wanted: Callable[[Object], bool]) -> Object:
        """The Available condition, as soon as it is as wanted."""
        async with asyncio.timeout(10):
            async with self.client.watch(
                builtin.API_SERVICES, field_selector=f"metadata.name={NAME}", revision="0"
            ) as events:
                async for event in events:
                    found = conditions.find(conditions.conditions_of(event.object), "Available")
                    if found is not None and wanted(dict(found)):
                        return dict(found)
        raise AssertionError("the watch ended")

    async def available(self) -> None:
        await self.condition(lambda condition: condition["status"] == "True")


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setattr(apiservices, "RETRY_PERIOD_S", 0.02)
    authority = Authority(tmp_path)
    extension = Extension()
    context = authority.server_context(HOST)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(authority.file)
    runner = web.ServerRunner(web.Server(extension.serve), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    extension.port = runner.addresses[0][1]

    tokens = tmp_path / "tokens.csv"
    tokens.write_text('admin-token,admin,7,"system:masters"\n')
    certificate, key = authority.issue("proxy", "front-proxy-client")
    config = ApiServerConfig(
        port=0,
        token_file=str(tokens),
        proxy_client_certificate_file=certificate,
        proxy_client_key_file=key,
    )
    api = ApiServer(config, Store(MemoryBackend()), Clock())
    async with api.api.store, api, aiohttp.ClientSession() as session:
        await api.ready()
        client = api.client("admin", ("system:masters",))
        yield Cluster(api, client, session, extension, authority)
    await runner.cleanup()


async def add_service(cluster: Cluster, *, ready: bool = True) -> None:
    meta = {"name": "flunder", "namespace": "default"}
    await cluster.client.create(builtin.SERVICES, {"metadata": meta, "spec": {"ports": [{"port": 443}]}})
    await cluster.client.create(
        builtin.ENDPOINT_SLICES,
        {
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "flunder"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": cluster.extension.port, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        },
    )


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


async def test_a_redirect_to_elsewhere_is_not_followed_nor_passed_on(cluster: Cluster) -> None:
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    async with cluster.session.get(
        f"{cluster.url}{PATH}/elsewhere", headers=ADMIN, allow_redirects=False
    ) as answer:
        assert answer.status == 503 and "Location" not in answer.headers


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
