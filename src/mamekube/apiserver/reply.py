"""Answers, written straight to the connection: whole ones in one write, streams a chunk at a time.

aiohttp's own response builds and checks a header map for every answer, which costs more than everything else in
a GET. What stands here has few headers, all of them the server's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web

from mamekube.apiserver import audit
from mamekube.apiserver.documents import Pieces

ONE_WRITE_BYTES_MAX = 64 * 1024
"""Below, copying the body behind the head is cheaper than a second write."""

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


class Reply:
    """Stands where aiohttp expects a response."""

    __slots__ = ("_body", "_headers", "_raw", "status")

    def __init__(
        self, raw: web.BaseRequest, status: int, headers: Mapping[str, str], body: bytes | Pieces
    ) -> None:
        self.status = status
        self._raw = raw
        self._headers = headers
        self._body = body

    @property
    def keep_alive(self) -> bool:
        return self._raw.keep_alive

    def finish_audit(self) -> None:
        """Show the answer to the audit log."""
        audit.finish(self.status, self._body, self._headers)

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is sent before all is."""

    async def write_eof(self) -> None:
        transport = self._raw.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        body = b"" if self._raw.method == "HEAD" or self.status in _BODILESS else self._body
        head = self._head()
        if isinstance(body, Pieces):
            transport.write(head)
            for piece in body:
                transport.write(piece)
                await self._raw.writer.drain()
            return
        if len(body) <= ONE_WRITE_BYTES_MAX:
            transport.write(head + body)
            return
        transport.write(head)
        transport.write(body)
        await self._raw.writer.drain()

    def _head(self) -> bytes:
        lines = [_LINES[self.status]]
        lines += [f"{key}: {value}\r\n" for key, value in self._headers.items()]
        connection = "" if self._raw.keep_alive else "Connection: close\r\n"
        lines.append(f"{_date()}{connection}Content-Length: {len(self._body)}\r\n\r\n")
        return "".join(lines).encode("latin-1", "replace")


class Stream:
    """An answer that goes on: chunks as they come. Stands where aiohttp expects a response, too."""

    __slots__ = ("_headers", "_raw", "began", "status")

    def __init__(self, raw: web.BaseRequest, headers: Mapping[str, str]) -> None:
        self.status = 200
        self.began = False
        self._raw = raw
        self._headers = headers

    @property
    def keep_alive(self) -> bool:
        return self._raw.keep_alive

    def begin(self) -> None:
        """Send the head."""
        lines = [_LINES[self.status], *(f"{key}: {value}\r\n" for key, value in self._headers.items())]
        lines.append(f"{_date()}Transfer-Encoding: chunked\r\n\r\n")
        self._transport().write("".join(lines).encode("latin-1", "replace"))
        self.began = True

    async def write(self, data: bytes) -> None:
        """Send a chunk, and wait while the client is slow to take what was sent before."""
        self._transport().write(b"%x\r\n%b\r\n" % (len(data), data))
        if self._raw.protocol.writing_paused:
            await self._raw.writer.drain()

    async def prepare(self, request: web.BaseRequest) -> None:
        """The head is long gone."""

    async def write_eof(self) -> None:
        self._transport().write(b"0\r\n\r\n")

    def _transport(self) -> asyncio.Transport:
        transport = self._raw.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        return transport


_dated: tuple[int, str] = (0, "")


def _date() -> str:
    """The Date header, written anew each second."""
    global _dated
    now_s = int(time.time())
    if _dated[0] != now_s:
        _dated = (now_s, f"Date: {formatdate(now_s, usegmt=True)}\r\n")
    return _dated[1]
