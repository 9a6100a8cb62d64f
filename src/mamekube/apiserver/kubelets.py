"""Connections to kubelets: where a node's kubelet listens, and how to talk to it as the API server."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import NamedTuple

from mamekube.apiserver.api import Api
from mamekube.apiserver.webhook_client import dial_reason
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError, internal_error

KUBELET_PORT = 10250
CONNECT_TIMEOUT_S = 5.0
ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname")
"""Which of a node's addresses to use, best first."""


class Place(NamedTuple):
    """Where a kubelet listens."""

    host: str
    port: int


class Kubelets:
    """Finds and reaches them."""

    def __init__(self, api: Api, *, ca_file: str, certificate_file: str, key_file: str) -> None:
        self._api = api
        self._ca_file = ca_file
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._context: ssl.SSLContext | None = None

    async def place_of(self, node_name: str) -> Place:
        """Raises 404, and 500 for a node without an address."""
        node = (await self._api.resources.find(self._nodes(), "", node_name)).object
        return place_of(node)

    async def connect(self, place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TLS connection. Raises 503."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await asyncio.open_connection(
                    place.host, place.port, ssl=self.context(), server_hostname=""
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(place, error) from None

    def context(self) -> ssl.SSLContext:
        """TLS with the API server's client certificate."""
        if self._context is None:
            context = ssl.create_default_context(cafile=self._ca_file or None)
            context.check_hostname = False
            if not self._ca_file:
                # As upstream without --kubelet-certificate-authority: the kubelet's certificate is its own.
                context.verify_mode = ssl.CERT_NONE
            if self._certificate_file:
                context.load_cert_chain(self._certificate_file, self._key_file)
            self._context = context
        return self._context

    def _nodes(self) -> Kind:
        kind = self._api.registry.find("", "v1", "nodes")
        assert kind is not None, "every registry has nodes"
        return kind


@cache
def stranger_context() -> ssl.SSLContext:
    """TLS with somebody who need not prove anything, and whom this server shows no certificate of its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def place_of(node: Object) -> Place:
    status = node.get("status") or {}
    addresses = {address.get("type"): address.get("address", "") for address in status.get("addresses") or ()}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or KUBELET_PORT
    for kind in ADDRESS_TYPES:
        if addresses.get(kind):
            return Place(addresses[kind], port)
    name = node["metadata"]["name"]
    raise internal_error(f"no preferred addresses found; known addresses: [] (node {name})")


def unreachable(place: Place, error: OSError) -> StatusError:
    return StatusError(500, "", f"error dialing backend: {dial_reason(place.host, place.port, error)}")
