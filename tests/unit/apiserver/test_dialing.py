"""How the API server reaches pods: over its own cluster's link, and others as the machine's routes say."""

import asyncio
import errno
import socket
from contextlib import asynccontextmanager

import pytest

from mamekube.apiserver.dialing import Dialer

NETWORK = "127.7.0.0/16"
POD, STRANGER = "127.7.0.5", "127.8.0.5"
NO_LINK = "mame-no-such"


@asynccontextmanager
async def listening(host):
    async def answer(_, writer):
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, host) as server:
        yield server.sockets[0].getsockname()[1]


def link_of(connection):
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0").decode()


async def hear(dialer, host):
    """What is heard there, and the link that the connection is bound to."""
    async with listening(host) as port:
        reader, writer = await dialer.connect(host, port)
        heard = await reader.read()
        link = link_of(writer.get_extra_info("socket"))
        writer.close()
        await writer.wait_closed()
        return heard, link


async def test_a_pod_is_reached_over_the_clusters_link():
    assert await hear(Dialer(NETWORK, "lo"), POD) == (b"hello", "lo")


@pytest.mark.parametrize("host", [STRANGER, "localhost"])
async def test_others_are_reached_as_the_routes_say(host):
    assert await hear(Dialer(NETWORK, NO_LINK), host) == (b"hello", "")


async def test_without_a_link_the_routes_lead_to_pods():
    assert await hear(Dialer(NETWORK), POD) == (b"hello", "")


async def test_where_the_link_is_gone_there_is_no_way():
    with pytest.raises(OSError) as refused:
        await Dialer(NETWORK, NO_LINK).connect(POD, 80)
    assert refused.value.errno == errno.ENODEV


@pytest.mark.parametrize(("host", "link"), [(POD, "lo"), (STRANGER, "")])
def test_sockets_for_clients_that_connect_by_themselves(host, link):
    place = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 80))
    with Dialer(NETWORK, "lo").make_socket(place) as made:
        assert link_of(made) == link
