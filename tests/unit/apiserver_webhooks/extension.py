"""Another server whose API is aggregated: flunders, kept in memory; and a cluster that it is registered with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from tests.unit.apiserver_webhooks.authority import Authority

from mamekube.apiserver import builtin
from mamekube.apiserver.server import ApiServer
from mamekube.client.client import Client
from mamekube.objects import conditions
from mamekube.objects.meta import Object

HOST = "flunder.default.svc"
PATH = "/apis/wardle.example.com/v1"
NAME = "v1.wardle.example.com"
NAMESPACE = "wild"
"""Where the flunders that are kept are."""
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
    resources: list[Any] = field(default_factory=lambda: RESOURCES)
    flunders: dict[str, Object] = field(default_factory=dict)
    """What is kept, where there is any; requests are answered with how they came otherwise."""
    openapi: dict[str, bytes] = field(default_factory=dict)
    """By path: what is answered below /openapi."""
    removed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """Names of deleted flunders."""
    watched: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody has begun to watch."""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == PATH:
            if not self.healthy:
                return web.Response(status=500)
            return web.json_response({"kind": "APIResourceList", "resources": self.resources})
        if request.path.startswith("/openapi/"):
            return self._openapi(request)
        self.seen.append(request)
        self.bodies.append(await request.read())
        assert request.transport is not None
        self.certificates.append(request.transport.get_extra_info("peercert"))
        if request.headers.get("Upgrade") == "echo":
            return await self._echo(request)
        if request.query.get("watch"):
            return await self._watch(request)
        if self.flunders:
            return self._kept(request)
        if request.path.endswith("/elsewhere"):
            return web.Response(status=302, headers={"Location": request.query["to"]})
        return web.json_response({"kind": "Flunder", "path": request.path_qs}, status=201)

    def _openapi(self, request: web.BaseRequest) -> web.Response:
        if request.path not in self.openapi:
            return web.Response(status=404)
        headers = {"Etag": '"theirs"', "Cache-Control": "public"}
        return web.Response(body=self.openapi[request.path], content_type="application/json", headers=headers)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for flunder in self.flunders.values():
            await response.write(json.dumps({"type": "ADDED", "object": flunder}).encode() + b"\n")
        self.watched.set()
        await asyncio.Event().wait()
        return response

    def _kept(self, request: web.BaseRequest) -> web.Response:
        name = request.path.rpartition("flunders")[2].strip("/")
        if not name:
            items = list(self.flunders.values())
            meta = {"resourceVersion": "1"}
            return web.json_response({"kind": "FlunderList", "metadata": meta, "items": items})
        found = self.flunders.get(name)
        if found is None or request.headers["X-Remote-User"] == "nobody":
            reason, code = ("NotFound", 404) if found is None else ("Forbidden", 403)
            status = {"kind": "Status", "reason": reason, "message": f"flunders {name}: {reason}"}
            return web.json_response(status, status=code)
        if request.method == "DELETE":
            del self.flunders[name]
            self.removed.put_nowait(name)
        return web.json_response(found)

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


async def add_service(cluster: Cluster, *, ready: bool = True) -> None:
    meta = {"name": "flunder", "namespace": "default"}
    await cluster.client.create(builtin.SERVICES, {"metadata": meta, "spec": {"ports": [{"port": 443}]}})
    await add_endpoint(cluster.api, "flunder", port=cluster.extension.port, ready=ready)


async def add_endpoint(api: ApiServer, service: str, *, port: int, ready: bool) -> None:
    """Straight into the store: nobody may make an endpoint of the loopback address, where tests have their servers."""
    obj = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service,
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
    }
    await api.api.store.create(key=f"/registry/discovery.k8s.io/endpointslices/default/{service}", obj=obj)
