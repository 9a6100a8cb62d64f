"""A listener on loopback whose handler each test brings, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mamekube.apiserver.reply import Reply
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.apiserver.wire.listener import Listener

GUARD_S = 20.0
"""No measure: only so that a hang is a failure."""


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something has happened inside that nobody announces."""
    async with asyncio.timeout(GUARD_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def echo(exchange: Exchange) -> None:
    """The request line and the body, back."""
    body = await exchange.read(1 << 20)
    text = f"{exchange.method} {exchange.target} ".encode() + body
    await Reply(exchange, 200, {"Content-Type": "text/plain"}, text).finish()


@dataclass
class Wire:
    """A server; `handler` may be exchanged at any time."""

    listener: Listener
    handler: Callable[[Exchange], Awaitable[None]] = echo
    seen: list[Exchange] = field(default_factory=list)

    async def serve(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        await self.handler(exchange)

    async def say(self, data: bytes, *, stop: bool = False) -> bytes:
        """All that is answered to these bytes until the server hangs up; `stop`: no more will come."""
        async with self.connected() as (reader, writer):
            writer.write(data)
            if stop:
                writer.write_eof()
            try:
                async with asyncio.timeout(GUARD_S):
                    return await reader.read()
            except ConnectionResetError:
                return b""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    served: list[Wire] = []

    async def handle(exchange: Exchange) -> None:
        await served[0].serve(exchange)

    listener = Listener(handle, address="127.0.0.1", port=0)
    served.append(Wire(listener))
    async with listener:
        yield served[0]
