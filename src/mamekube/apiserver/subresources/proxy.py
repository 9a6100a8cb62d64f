"""`nodes/proxy`, `pods/proxy` and `services/proxy`: an HTTP request, handed on to what the object stands for."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

from aiohttp import web

from mamekube.apiserver import backends, tunnel
from mamekube.apiserver.api import Api
from mamekube.apiserver.kubelets import CONNECT_TIMEOUT_S, Kubelets, Place, unreachable
from mamekube.apiserver.request import Request
from mamekube.apiserver.subresources.containers import pod_of
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError, bad_request, unavailable

KEPT_HERE = frozenset(
    {"authorization", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
)
SCHEMES = ("", "http", "https")


class Target(NamedTuple):
    """`[scheme:]name[:port]`, as the name of an object to proxy to is written."""

    scheme: str
    name: str
    port: str


async def serve(kubelets: Kubelets, api: Api, request: Request, raw: web.BaseRequest) -> web.StreamResponse:
    """Raises 400, 404, 503."""
    target = parse_target(request.name)
    request.name = target.name
    if request.resource == "nodes":
        place, secure = await kubelets.place_of(target.name), True
        if target.port:
            place, secure = Place(place.host, _number(target.port)), target.scheme == "https"
    elif request.resource == "pods":
        place, secure = _pod_place(await pod_of(api, request), target), target.scheme == "https"
    else:
        place, secure = await _service_place(api, request, target), target.scheme == "https"
    reader, writer = await _connect(kubelets, place, secure=secure)
    return await _hand_on(request, raw, place, reader, writer)


def parse_target(name: str) -> Target:
    parts = name.split(":")
    if len(parts) == 1:
        return Target("", name, "")
    if len(parts) == 2:
        return Target("", parts[0], parts[1])
    if len(parts) == 3 and parts[0] in SCHEMES:
        return Target(parts[0], parts[1], parts[2])
    raise bad_request(f'invalid proxy target "{name}"')


def _number(port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise bad_request(f'invalid port "{port}"')
    return int(port)


def _pod_place(pod: Object, target: Target) -> Place:
    host = (pod.get("status") or {}).get("podIP")
    if not host:
        raise unavailable(f"pod {target.name} has no address")
    if target.port:
        return Place(host, _number(target.port))
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            return Place(host, port["containerPort"])
    return Place(host, 80)


async def _service_place(api: Api, request: Request, target: Target) -> Place:
    """One of the service's ready endpoints, at random."""
    services = api.registry.find("", "v1", "services")
    assert services is not None, "every registry has them"
    service = (await api.resources.find(services, request.namespace, target.name)).object
    wanted = _service_port(service, target.port)
    places = await backends.ready(api.store, namespace=request.namespace, name=target.name, port_name=wanted)
    if not places:
        raise unavailable(f'no endpoints available for service "{request.name}"')
    return Place(*random.choice(places))


def _service_port(service: Object, asked: str) -> str:
    """The name of the service's port that is meant. Raises 503."""
    ports = (service.get("spec") or {}).get("ports") or []
    if not asked and len(ports) == 1:
        return ports[0].get("name") or ""
    for port in ports:
        if asked and asked in (port.get("name"), str(port.get("port"))):
            return port.get("name") or ""
    if not asked and any(not port.get("name") for port in ports):
        return ""
    raise unavailable(f'no service port "{asked}" found for service "{service["metadata"]["name"]}"')


async def _connect(
    kubelets: Kubelets, place: Place, *, secure: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if secure:
        return await kubelets.connect(place)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await asyncio.open_connection(place.host, place.port)
    except (OSError, TimeoutError) as error:
        refused = unreachable(place, error)
        raise StatusError(503, "ServiceUnavailable", refused.message, details={}) from None


async def _hand_on(
    request: Request,
    raw: web.BaseRequest,
    place: Place,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> web.StreamResponse:
    """Send the request, body and all, and copy what comes back until the other side has said all."""
    query = raw.raw_path.partition("?")[2]
    path = "/" + raw.raw_path.partition("?")[0].partition("/proxy")[2].lstrip("/")
    target = f"{path}?{query}" if query else path
    upgrades = "upgrade" in raw.headers.get("Connection", "").lower()
    without = KEPT_HERE - {"connection"} if upgrades else KEPT_HERE | {"content-length"}
    head = tunnel.request_head(raw, target, host=f"{place.host}:{place.port}", without=without)
    if upgrades:
        return await tunnel.join(raw, head, reader, writer)
    body = await raw.content.read() if raw.body_exists else b""
    extra = f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return await tunnel.join(raw, head[:-2] + extra + body, reader, writer)
