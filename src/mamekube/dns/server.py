"""The DNS server of a node: UDP and TCP on port 53 of the addresses it is given.

What it knows of the cluster comes from caches of services, endpoint slices and namespaces; everything else it
asks upstream. A question is answered from memory without waiting, so one server serves a whole node.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterable, Sequence
from typing import Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from mamekube.client.client import Client
from mamekube.client.informer import Informer
from mamekube.dns.resolver import Resolver
from mamekube.dns.zone import Answer, Zone
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.core import namespaces as namespace_kind
from mamekube.kinds.core import services as service_kind
from mamekube.kinds.discovery import endpointslices as slice_kind
from mamekube.objects.meta import Object, labels_of, make_key, namespace_of

log = logging.getLogger(__name__)

PORT = 53
TTL_S = 30
NEGATIVE_TTL_S = 5
UDP_BYTES_MAX = 512
TCP_IDLE_TIMEOUT_S = 10.0
QUERIES_AT_ONCE_MAX = 1_000
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class CachedServices:
    """`zone.Services` on three informers."""

    def __init__(self, client: Client) -> None:
        self.services = Informer(client, service_kind.KIND, indexes={"address": _service_addresses})
        self.endpoint_slices = Informer(
            client, slice_kind.KIND, indexes={"service": _slice_service, "address": _slice_addresses}
        )
        self.namespaces = Informer(client, namespace_kind.KIND)

    def service(self, key: str) -> Object | None:
        return self.services.cache.get(key)

    def slices(self, key: str) -> Iterable[Object]:
        return self.endpoint_slices.cache.by_index("service", key)

    def namespace_exists(self, namespace: str) -> bool:
        return self.namespaces.cache.get(namespace) is not None

    def services_at(self, address: str) -> Iterable[Object]:
        return self.services.cache.by_index("address", address)

    def slices_at(self, address: str) -> Iterable[Object]:
        return self.endpoint_slices.cache.by_index("address", address)


class DnsServer(Component):
    """Answers for the cluster's zone, and for the rest of the world by way of `upstreams`."""

    def __init__(
        self,
        client: Client,
        *,
        addresses: Sequence[str],
        domain: str = "cluster.local",
        upstreams: Sequence[str] = (),
        port: int = PORT,
    ) -> None:
        super().__init__()
        self._cached = CachedServices(client)
        self._zone = Zone(self._cached, domain=domain)
        self._resolver = Resolver(upstreams)
        self._addresses = addresses
        self._port = port
        self._udp: list[asyncio.DatagramTransport] = []
        self._tcp: list[asyncio.Server] = []
        self._slots = asyncio.Semaphore(QUERIES_AT_ONCE_MAX)

    @property
    def _informers(self) -> tuple[Informer, ...]:
        return (self._cached.services, self._cached.endpoint_slices, self._cached.namespaces)

    async def start(self) -> None:
        for informer in self._informers:
            await informer.__aenter__()
        loop = asyncio.get_running_loop()
        for address in self._addresses:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(address, self._port)
            )
            self._udp.append(transport)
            self._tcp.append(await asyncio.start_server(self._serve_stream, address, self._port))

    async def stop(self) -> None:
        for transport in self._udp:
            transport.close()
        for server in self._tcp:
            server.close()
        for informer in reversed(self._informers):
            await informer.__aexit__(None, None, None)

    async def respond(self, wire: bytes, *, bytes_max: int) -> bytes | None:
        """The answer to one message; None for what is no query."""
        try:
            query = dns.message.from_wire(wire, ignore_trailing=True)
        except dns.exception.DNSException:
            return _format_error(wire)
        if query.flags & dns.flags.QR:
            return None
        response = await self._response(query)
        limit = max(bytes_max, query.payload or 0) if bytes_max == UDP_BYTES_MAX else bytes_max
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            # The client asks again over TCP.
            response.answer, response.authority, response.additional = [], [], []
            response.flags |= dns.flags.TC
            return response.to_wire(max_size=limit)

    async def _response(self, query: dns.message.Message) -> dns.message.Message:
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            refusal = dns.message.make_response(query)
            refusal.set_rcode(dns.rcode.NOTIMP)
            return refusal
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        record_type = dns.rdatatype.to_text(question.rdtype)
        if self._zone.owns(name):
            return self._authoritative(query, self._zone.answer(name, record_type))
        if record_type == "PTR" and (names := self._reverse_names(question.name)):
            return self._authoritative(query, Answer(tuple(("PTR", target) for target in names)))
        return await self._resolver.resolve(query)

    def _reverse_names(self, name: dns.name.Name) -> list[str]:
        try:
            return self._zone.reverse(dns.reversename.to_address(name))
        except (dns.exception.DNSException, ValueError):
            return []

    def _authoritative(self, query: dns.message.Message, answer: Answer) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        if not answer.exists:
            response.set_rcode(dns.rcode.NXDOMAIN)
        owner = query.question[0].name
        by_type: dict[str, list[str]] = {}
        for record_type, text in answer.records:
            by_type.setdefault(record_type, []).append(text)
        response.answer = [_rrset(owner, kind, texts) for kind, texts in by_type.items()]
        response.additional = [
            _rrset(dns.name.from_text(name), kind, [text]) for name, kind, text in answer.extra
        ]
        if not answer.records:
            response.authority = [self._start_of_authority()]
        return response

    def _start_of_authority(self) -> dns.rrset.RRset:
        domain = self._zone.domain
        text = f"ns.dns.{domain}. hostmaster.{domain}. 1 7200 1800 86400 {NEGATIVE_TTL_S}"
        return _rrset(dns.name.from_text(f"{domain}."), "SOA", [text])

    def datagram(self, wire: bytes, source: Any, transport: asyncio.DatagramTransport) -> None:
        if not self._slots.locked():
            self.spawn(self._serve_datagram(wire, source, transport))

    async def _serve_datagram(self, wire: bytes, source: Any, transport: asyncio.DatagramTransport) -> None:
        async with self._slots:
            answer = await self.respond(wire, bytes_max=UDP_BYTES_MAX)
        if answer is not None and not transport.is_closing():
            transport.sendto(answer, source)

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE_TIMEOUT_S):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = await reader.readexactly(length)
                answer = await self.respond(wire, bytes_max=65_535)
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one without being a subclass.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert self._transport is not None
        self._server.datagram(data, addr, self._transport)


def _rrset(owner: dns.name.Name, record_type: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(owner, TTL_S, dns.rdataclass.IN, record_type, list(texts))


def _format_error(wire: bytes) -> bytes | None:
    """FORMERR for a message of which only the id could be read."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + struct.pack("!HHHHH", 0x8000 | int(dns.rcode.FORMERR), 0, 0, 0, 0)


def _service_addresses(service: Object) -> list[str]:
    addresses = (service.get("spec") or {}).get("clusterIPs") or ()
    return [address for address in addresses if address and address != "None"]


def _slice_service(endpoint_slice: Object) -> list[str]:
    name = labels_of(endpoint_slice).get(SERVICE_NAME_LABEL)
    return [make_key(namespace_of(endpoint_slice), name)] if name else []


def _slice_addresses(endpoint_slice: Object) -> list[str]:
    entries = endpoint_slice.get("endpoints") or ()
    return [address for entry in entries for address in entry.get("addresses") or ()]
