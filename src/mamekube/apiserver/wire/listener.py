"""The socket that is listened on, and the connections that came through it.

It looks through its connections from time to time for those that keep it waiting: one timer for all of them, and no
work for a request. Stopping ends idle connections and watches at once, and gives other requests a moment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from mamekube.apiserver.wire.connection import Connection
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import REQUEST_HEAD_TIMEOUT_S, STOP_GRACE_S

BACKLOG = 1_024
SWEEP_PERIOD_S = 5.0
"""How late a connection that keeps the server waiting may be found."""

Handler = Callable[[Exchange], Awaitable[None]]


class Listener(Component):
    """Serves HTTP/1.1 on one address, over TLS where there is a `context`."""

    def __init__(
        self, handler: Handler, *, address: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.port = port
        """0 before the start: any free one, which this tells afterwards."""
        self.connections: set[Connection] = set()
        self._handler = handler
        self._address = address
        self._context = context
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._handler, self.connections, loop),
            self._address,
            self.port,
            ssl=self._context,
            ssl_handshake_timeout=REQUEST_HEAD_TIMEOUT_S if self._context else None,
            backlog=BACKLOG,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.spawn(self._sweep_periodically(), name="listener-sweep")

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        tasks = [connection.task for connection in self.connections if connection.task is not None]
        for connection in list(self.connections):
            connection.retire()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_GRACE_S)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def sweep(self, now_s: float) -> None:
        """Hang up on who has kept the server waiting for too long."""
        for connection in [each for each in self.connections if each.deadline_s <= now_s]:
            connection.give_up()

    async def _sweep_periodically(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_PERIOD_S)
            self.sweep(loop.time())
