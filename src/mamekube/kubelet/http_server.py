"""HTTP/1.1 as far as the kubelet's port needs it: one request on a connection, which a handler may keep for itself.

Most of what comes here is taken over for SPDY, which the HTTP libraries do not let through: they know
WebSocket upgrades only.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

import orjson

log = logging.getLogger(__name__)

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 1024 * 1024
HEAD_TIMEOUT_S = 30.0


class Refused(Exception):
    """A request that is answered with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    """By name in lower case; of a header that came twice, both, separated by a comma."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    user: str = ""
    groups: tuple[str, ...] = ()
    body: bytes = b""
    query: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def path(self) -> list[str]:
        """The path's segments, decoded."""
        return [unquote(part) for part in self.target.partition("?")[0].strip("/").split("/")]

    def first(self, name: str) -> str:
        return self.query.get(name, [""])[0]

    def flag(self, *names: str) -> bool:
        return any(self.first(name) in ("1", "true") for name in names)

    @property
    def wants_upgrade(self) -> bool:
        return "upgrade" in self.headers.get("connection", "").lower() and "upgrade" in self.headers

    @property
    def is_websocket(self) -> bool:
        return self.wants_upgrade and self.headers["upgrade"].lower() == "websocket"

    def respond(
        self, status: int, body: bytes | str = b"", *, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), "Connection": "close"}
        self.begin(status, headers)
        self.writer.write(data)

    def respond_json(self, content: object) -> None:
        self.respond(200, orjson.dumps(content), kind="application/json")

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def write_chunk(self, data: bytes) -> None:
        """A piece of a body begun with `Transfer-Encoding: chunked`; the empty one ends it."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()


Handler = Callable[[Request], Awaitable[None]]


async def serve(
    handler: Handler, *, address: str, port: int, context: ssl.SSLContext | None
) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _handle(handler, reader, writer)
        except (ConnectionError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    return await asyncio.start_server(
        connected, address or None, port, ssl=context, limit=HEAD_BYTES_MAX, reuse_address=True
    )


async def _handle(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(HEAD_TIMEOUT_S):
        try:
            request = await read_request(reader, writer)
        except Refused as refused:
            bare = Request(method="", target="", headers={}, reader=reader, writer=writer)
            bare.respond(refused.status, refused.text)
            return
    try:
        await handler(request)
    except Refused as refused:
        request.respond(refused.status, refused.text)
    await writer.drain()


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    """Raises Refused for what is no request, IncompleteReadError where nothing comes."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(431, "the head of the request is too long") from None
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Refused(400, "malformed request line")
    headers: dict[str, str] = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon:
            raise Refused(400, "malformed header")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    user, groups = _peer(writer)
    return Request(
        method=parts[0],
        target=parts[1],
        headers=headers,
        reader=reader,
        writer=writer,
        user=user,
        groups=groups,
        body=await _read_body(reader, headers),
        query=parse_qs(parts[1].partition("?")[2], keep_blank_values=True),
    )


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "upgrade" in headers or "transfer-encoding" in headers:
        return b""
    size = headers.get("content-length", "0")
    if not size.isdigit():
        raise Refused(400, "malformed Content-Length")
    if int(size) > BODY_BYTES_MAX:
        raise Refused(413, "the body of the request is too long")
    return await reader.readexactly(int(size))


def _peer(writer: asyncio.StreamWriter) -> tuple[str, tuple[str, ...]]:
    """User and groups of the client's certificate: its common name and organizations."""
    certificate = writer.get_extra_info("peercert") or {}
    pairs = [pair for group in certificate.get("subject", ()) for pair in group]
    names = [value for key, value in pairs if key == "commonName"]
    return names[0] if names else "", tuple(value for key, value in pairs if key == "organizationName")
