"""A client's connection, taken out of HTTP's hands and joined to another one: bytes both ways until one ends.

What is spoken inside (SPDY, WebSocket) is between the client and the kubelet; here nothing is read or changed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

CHUNK_BYTES = 64 * 1024


class Tunnelled(web.StreamResponse):
    """Stands for an answer that went through a tunnel: there is nothing left to write."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """The kubelet's answer was copied already."""

    async def write_eof(self, data: Any = b"") -> None:
        """The connection has ended with the tunnel."""


class _Taken(asyncio.StreamReaderProtocol):
    """The client's side. A lost connection is told to the HTTP server, too, so that it ends its handler."""

    def __init__(self, reader: asyncio.StreamReader, owner: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._owner = owner

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._owner.connection_lost(exc)


async def join(
    raw: web.BaseRequest, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> web.StreamResponse:
    """Send `head` to the other side, then copy both ways until either side ends."""
    transport, owner = raw.transport, raw.protocol
    assert transport is not None, "the client is connected"
    client_reader = asyncio.StreamReader()
    taken = _Taken(client_reader, owner)
    transport.set_protocol(taken)
    taken.connection_made(transport)
    client_writer = asyncio.StreamWriter(transport, taken, client_reader, asyncio.get_running_loop())
    copies = [
        asyncio.create_task(_copy(client_reader, writer)),
        asyncio.create_task(_copy(reader, client_writer)),
    ]
    try:
        writer.write(head)
        await writer.drain()
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        writer.close()
        owner.force_close()
        transport.set_protocol(owner)
        transport.close()
    return Tunnelled()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


def request_head(raw: web.BaseRequest, target: str, *, host: str, without: frozenset[str]) -> bytes:
    """The request line and headers for the other side; `without`: headers (lower case) that stay here."""
    lines = [f"{raw.method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [
        f"{key}: {value}" for key, value in raw.headers.items() if key.lower() not in {"host", *without}
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
