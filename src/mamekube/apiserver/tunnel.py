"""A client's connection, taken out of HTTP's hands and joined to another one: bytes both ways until one ends.

What is spoken inside (SPDY, WebSocket) is between the client and the kubelet; here nothing is read or changed. But the
other side believes this server, so no byte of the client's goes there behind the request unless the other side has
agreed to another protocol: as HTTP it would be a request of this server's own.
"""

from __future__ import annotations

import asyncio
import re

from mamekube.apiserver.reply import Passed
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.foundation.limits import REQUEST_HEAD_BYTES_MAX
from mamekube.objects.status import StatusError, unavailable

CHUNK_BYTES = 64 * 1024
SWITCHING_PROTOCOLS = 101
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?")
OF_CONNECTION = (b"connection:", b"keep-alive:", b"proxy-connection:")
IDENTITY = ("impersonate-", "x-remote-")
"""Headers that said who asks. They have been read, and would be believed by who believes this server."""


async def join(
    exchange: Exchange, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Passed:
    """Send `head` to the other side; if that takes up the other protocol, copy both ways until either side ends.
    Otherwise its refusal is the answer. Raises 500."""
    try:
        writer.write(head)
        await writer.drain()
        code, lines = await _read_head(reader)
        if code < 400 and code != SWITCHING_PROTOCOLS:
            raise _broken(f"invalid upgrade response: status code {code}")
        if code != SWITCHING_PROTOCOLS:
            return await _pass_on(exchange, code, lines, reader)
        client_reader, client_writer = exchange.take_over()
        client_writer.write(b"\r\n".join([*lines, b"", b""]))
        await _copy_both_ways((client_reader, client_writer), (reader, writer))
    except OSError as error:
        if exchange.answered:
            raise
        raise _broken(str(error)) from None
    finally:
        writer.close()
    return Passed(SWITCHING_PROTOCOLS)


async def hand_back(exchange: Exchange, reader: asyncio.StreamReader) -> Passed:
    """Copy the answer of the other side, as it comes, to its end. Raises 503."""
    try:
        code, lines = await _read_head(reader)
        if code == SWITCHING_PROTOCOLS:
            raise _broken("it speaks another protocol without having been asked to")
    except (OSError, StatusError) as error:
        why = error.message if isinstance(error, StatusError) else str(error)
        raise unavailable(f"error trying to reach service: {why}") from None
    return await _pass_on(exchange, code, lines, reader)


async def _pass_on(exchange: Exchange, code: int, lines: list[bytes], reader: asyncio.StreamReader) -> Passed:
    """The client is told that the connection ends with this answer. Otherwise it might take what the other side
    sends behind it for the answer to its next request."""
    kept = [line for line in lines[1:] if not line.lower().startswith(OF_CONNECTION)]
    _, client_writer = exchange.take_over()
    client_writer.write(b"\r\n".join([lines[0], b"Connection: close", *kept, b"", b""]))
    await _copy(reader, client_writer)
    client_writer.close()
    return Passed(code)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, list[bytes]]:
    """Status and lines of the other side's answer, without the blank one. Raises StatusError and OSError."""
    left = REQUEST_HEAD_BYTES_MAX
    lines: list[bytes] = []
    while True:
        try:
            raw = await reader.readline()
        except ValueError:
            raise _broken("malformed HTTP response: a line is too long") from None
        left -= len(raw)
        if not raw.endswith(b"\n"):
            raise _broken("EOF" if not lines and not raw else "unexpected EOF")
        line = raw.rstrip(b"\r\n")
        if left < 0 or b"\r" in line or line[:1] in (b" ", b"\t"):
            raise _broken("malformed HTTP response")
        if line:
            lines.append(line)
            continue
        status = STATUS_LINE.fullmatch(lines[0]) if lines else None
        if status is None:
            raise _broken("malformed HTTP response")
        code = int(status[1])
        if code >= 200 or code == SWITCHING_PROTOCOLS:
            return code, lines
        lines = []  # what goes before the answer, such as 100 Continue


def _broken(why: str) -> StatusError:
    return StatusError(500, "", why)


async def _copy_both_ways(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    copies = [
        asyncio.create_task(_copy(client[0], other[1])),
        asyncio.create_task(_copy(other[0], client[1])),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        client[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


def request_head(exchange: Exchange, target: str, *, host: str, without: frozenset[str]) -> bytes:
    """The request line and headers for the other side; `without`: headers (lower case) that stay here."""
    lines = [f"{exchange.method} {target} HTTP/1.1", f"Host: {host}"]
    for key, value in exchange.headers.pairs():
        name = key.lower()
        if name not in without and name != "host" and not name.startswith(IDENTITY):
            lines.append(f"{key}: {value}")
    return "\r\n".join([*lines, "", ""]).encode()
