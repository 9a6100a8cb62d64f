"""A client's connection, taken out of HTTP's hands and joined to another one: bytes both ways until one ends.

What is spoken inside (SPDY, WebSocket) is between the client and the kubelet; here nothing is read or changed.
"""

from __future__ import annotations

import asyncio

from mamekube.apiserver.reply import Passed
from mamekube.apiserver.wire.exchange import Exchange

CHUNK_BYTES = 64 * 1024
SWITCHING_PROTOCOLS = 101


async def join(
    exchange: Exchange, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Passed:
    """Send `head` to the other side, then copy both ways until either side ends."""
    client_reader, client_writer = exchange.take_over()
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
        client_writer.close()
    return Passed(SWITCHING_PROTOCOLS)


async def hand_back(exchange: Exchange, reader: asyncio.StreamReader) -> Passed:
    """Copy the answer of the other side, as it comes, to its end. It is noted as a success: nobody reads it here."""
    _, client_writer = exchange.take_over()
    await _copy(reader, client_writer)
    client_writer.close()
    return Passed(200)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


def request_head(exchange: Exchange, target: str, *, host: str, without: frozenset[str]) -> bytes:
    """The request line and headers for the other side; `without`: headers (lower case) that stay here."""
    lines = [f"{exchange.method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [
        f"{key}: {value}" for key, value in exchange.headers.pairs() if key.lower() not in {"host", *without}
    ]
    return "\r\n".join([*lines, "", ""]).encode()
