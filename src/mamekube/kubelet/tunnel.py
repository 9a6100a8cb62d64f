"""Two connections joined: bytes both ways until one ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from mamekube.kubelet.http_server import Refused

CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 10.0
HOP_HEADERS = {"host", "authorization", "content-length"}


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """A connection to the runtime's streaming server, and the target to ask it for. Raises Refused."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, TimeoutError) as error:
        raise Refused(500, f"error dialing backend: {error}") from error
    return reader, writer, target


def request_head(method: str, target: str, headers: Mapping[str, str], *, host: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in HOP_HEADERS]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def join(
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Copy both ways until either side ends; what was on its way by then still arrives."""
    copies = [asyncio.create_task(_copy(near[0], far[1])), asyncio.create_task(_copy(far[0], near[1]))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        far[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
