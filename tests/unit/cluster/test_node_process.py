"""How a node's program begins."""

import asyncio

from tests.virtual import on_virtual_time

from mamekube.client.http import Response
from mamekube.cluster.node_process import SERVER_PATIENCE_S, SERVER_POLL_S, wait_for_server
from mamekube.objects.status import unavailable


class Booting:
    """An API server that listens at one time and is ready at a later one."""

    def __init__(self, *, listens_s, ready_s):
        self.listens_s, self.ready_s = listens_s, ready_s

    async def request(self, method, path):
        assert (method, path) == ("GET", "/readyz")
        now_s = asyncio.get_running_loop().time()
        if now_s < self.listens_s:
            raise unavailable("nobody listens")
        return Response(200 if now_s >= self.ready_s else 500, {}, b"")


@on_virtual_time
async def test_a_node_begins_as_soon_as_the_server_is_ready():
    await wait_for_server(Booting(listens_s=0.5, ready_s=1.0))
    assert 1.0 <= asyncio.get_running_loop().time() < 1.0 + 2 * SERVER_POLL_S


@on_virtual_time
async def test_a_node_begins_without_a_server_that_stays_away():
    await wait_for_server(Booting(listens_s=1e9, ready_s=1e9))
    assert asyncio.get_running_loop().time() < SERVER_PATIENCE_S + 1
