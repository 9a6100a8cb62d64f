"""The DNS server over real sockets: answers of the zone, truncation, nonsense, other names."""

import asyncio
import contextlib
import socket

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest

from mamekube.client.client import Event, Listing
from mamekube.dns.server import DnsServer

NAMESPACE = {"metadata": {"name": "shop", "resourceVersion": "1"}}
SERVICE = {
    "metadata": {"namespace": "shop", "name": "web", "resourceVersion": "1"},
    "spec": {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "ports": []},
}
MANY = {
    "metadata": {"namespace": "shop", "name": "many", "resourceVersion": "1"},
    "spec": {"clusterIP": "None", "clusterIPs": ["None"]},
}
SLICE = {
    "metadata": {
        "namespace": "shop",
        "name": "many-1",
        "labels": {"kubernetes.io/service-name": "many"},
        "resourceVersion": "1",
    },
    "endpoints": [{"addresses": [f"10.244.0.{number}"]} for number in range(1, 101)],
}
OBJECTS = {"namespaces": [NAMESPACE], "services": [SERVICE, MANY], "endpointslices": [SLICE]}


class Objects:
    """As much of a client as informers need: a list, and a watch in which nothing happens."""

    async def list(self, resource, **_):
        return Listing(OBJECTS[resource.plural], "1")

    @contextlib.asynccontextmanager
    async def watch(self, resource, **_):
        async def events():
            await asyncio.Event().wait()
            yield Event("BOOKMARK", {})

        yield events()


def free_port():
    """A port that is free for datagrams and for streams."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind(("127.0.0.1", 0))
            port = stream.getsockname()[1]
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.bind(("127.0.0.1", port))
                return port


@pytest.fixture
async def server():
    async with DnsServer(Objects(), addresses=["127.0.0.1"], port=free_port()) as server:
        for informer in server._informers:
            await informer.synced()
        yield server


async def ask(server, name, kind="A", *, tcp=False):
    query = dns.message.make_query(name, kind, use_edns=False)
    send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await send(query, "127.0.0.1", port=server._port, timeout=5)


async def test_names_of_services_are_answered_with_authority(server):
    answer = await ask(server, "WEB.shop.svc.cluster.local.")
    assert answer.answer[0].to_text() == "WEB.shop.svc.cluster.local. 30 IN A 10.96.0.7"
    assert answer.flags & dns.flags.AA


async def test_what_does_not_exist_is_said_with_the_zones_soa(server):
    answer = await ask(server, "none.shop.svc.cluster.local.")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert "SOA ns.dns.cluster.local." in answer.authority[0].to_text()
    empty = await ask(server, "web.shop.svc.cluster.local.", "AAAA")
    assert empty.rcode() == dns.rcode.NOERROR and not empty.answer


async def test_addresses_are_answered_with_names(server):
    answer = await ask(server, "7.0.96.10.in-addr.arpa.", "PTR")
    assert answer.answer[0][0].to_text() == "web.shop.svc.cluster.local."


async def test_an_answer_too_long_for_a_datagram_is_whole_over_tcp(server):
    short = await ask(server, "many.shop.svc.cluster.local.")
    assert short.flags & dns.flags.TC and not short.answer
    whole = await ask(server, "many.shop.svc.cluster.local.", tcp=True)
    assert len(whole.answer[0]) == 100


async def test_other_names_fail_where_no_upstream_is_known(server):
    assert (await ask(server, "example.org.")).rcode() == dns.rcode.SERVFAIL


async def test_nonsense_is_answered_as_such_or_not_at_all(server):
    header = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    reply = await server.respond(header + b"\xff\xff", bytes_max=512)
    assert reply is not None and reply[:2] == b"\x12\x34" and reply[3] & 0xF == dns.rcode.FORMERR
    assert await server.respond(b"\x00", bytes_max=512) is None
    answer = dns.message.make_response(dns.message.make_query("a.", "A")).to_wire()
    assert await server.respond(answer, bytes_max=512) is None, "an answer is never answered"
