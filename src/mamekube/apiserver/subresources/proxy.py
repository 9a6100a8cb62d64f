"""`nodes/proxy`, `pods/proxy` and `services/proxy`: an HTTP request, handed on to what the object stands for.

Only kubelets are shown the certificate that they believe: where a pod or a service leads is for its owner to say, and
that might be a kubelet.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from typing import NamedTuple
from urllib.parse import quote, unquote

from mamekube.apiserver import backends, tunnel
from mamekube.apiserver.api import Api
from mamekube.apiserver.dialing import Connection, Dialer
from mamekube.apiserver.kubelets import CONNECT_TIMEOUT_S, Kubelets, Place, stranger_context
from mamekube.apiserver.reply import Passed
from mamekube.apiserver.request import Request
from mamekube.apiserver.subresources.containers import pod_of
from mamekube.apiserver.webhook_client import dial_reason
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.objects.meta import Object
from mamekube.objects.status import bad_request, unavailable

KEPT_HERE = frozenset(
    {"authorization", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
)
SCHEMES = ("", "http", "https")
ADDRESS_NOT_ALLOWED = "address not allowed"
BROADCAST = ipaddress.IPv4Address("255.255.255.255")


class Target(NamedTuple):
    """`[scheme:]name[:port]`, as the name of an object to proxy to is written."""

    scheme: str
    name: str
    port: str


async def serve(kubelets: Kubelets, api: Api, request: Request, exchange: Exchange) -> Passed:
    """Raises 400, 404, 503."""
    target = parse_target(request.name)
    request.name = target.name
    if request.resource == "nodes":
        place = await kubelets.place_of(target.name)
        await check_host(place.host)
        if not target.port or _number(target.port) == place.port:
            return await _hand_on(request, exchange, place, *await kubelets.connect(place))
        place, secure = Place(place.host, _number(target.port)), target.scheme == "https"
    elif request.resource == "pods":
        place, secure = _pod_place(await pod_of(api, request), target), target.scheme == "https"
    else:
        place, secure = await _service_place(api, request, target), target.scheme == "https"
    reader, writer = await _connect(api.dialer, place, secure=secure)
    return await _hand_on(request, exchange, place, reader, writer)


async def check_host(host: str) -> None:
    """None of the addresses of a node may be this machine's own affair. Raises 400."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise bad_request(f"lookup {host}: {error.strerror}") from None
    for *_, place in found:
        check_address(str(place[0]))


def check_address(text: str) -> None:
    """Only addresses that lead elsewhere are handed on to: whoever writes a pod's status might name the API server's
    own loopback, or what a link-local address stands for in a cloud. Raises 400."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise bad_request(ADDRESS_NOT_ALLOWED) from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    # Go's `IsGlobalUnicast`.
    if (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == BROADCAST
    ):
        raise bad_request(ADDRESS_NOT_ALLOWED)


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
    host = (pod.get("status") or {}).get("podIP") or ""
    check_address(host)
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


async def _connect(dialer: Dialer, place: Place, *, secure: bool) -> Connection:
    """Raises 503."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if secure:
                return await dialer.connect(
                    place.host, place.port, ssl=stranger_context(), server_hostname=""
                )
            return await dialer.connect(place.host, place.port)
    except (OSError, TimeoutError) as error:
        why = dial_reason(place.host, place.port, error)
        raise unavailable(f"error trying to reach service: {why}") from None


async def _hand_on(
    request: Request,
    exchange: Exchange,
    place: Place,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> Passed:
    """Send the request, body and all, and copy what comes back until the other side has said all."""
    path, _, query = exchange.target.partition("?")
    path = "/" + _rest_of(path, request).lstrip("/")
    target = f"{path}?{query}" if query else path
    without = KEPT_HERE - {"connection"} if exchange.upgrades else KEPT_HERE
    host = f"{place.host}:{place.port}"
    head = tunnel.request_head(exchange, target, host=host, without=without)
    if exchange.upgrades:
        return await tunnel.join(exchange, head, reader, writer)
    try:
        try:
            await _send(exchange, head, writer)
        except OSError as error:
            raise unavailable(f"error trying to reach service: {error}") from None
        return await tunnel.hand_back(exchange, reader)
    finally:
        writer.close()


def _rest_of(path: str, request: Request) -> str:
    """What follows `proxy`, spelt as the client did."""
    above = ("namespaces", request.namespace) if request.namespace else ()
    before = ("api", request.version, *above, request.resource, "NAME", "proxy")
    segments = path.lstrip("/").split("/", len(before))
    if unquote(segments[min(len(before), len(segments)) - 1]) == "proxy":
        return segments[len(before)] if len(segments) > len(before) else ""
    # A slash before it was escaped.
    return quote(request.subpath)


async def _send(exchange: Exchange, head: bytes, writer: asyncio.StreamWriter) -> None:
    """The request, without holding its body. Raises BodyBroken."""
    chunked = exchange.content_length is None
    writer.write(head[:-2] + b"Connection: close\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n")
    async for data in exchange.chunks():
        writer.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
