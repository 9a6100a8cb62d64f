"""Answers as bytes: whole ones in one write, streams a chunk at a time, and those that somebody else wrote.

They have few headers, nearly all of them the server's own, so a head is joined and not built.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus

from mamekube.apiserver.auditing import audit
from mamekube.apiserver.documents import Pieces
from mamekube.apiserver.wire.exchange import Exchange

ONE_WRITE_BYTES_MAX = 64 * 1024
"""Below, copying the body behind the head is cheaper than a second write."""

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS = frozenset({204, 304})

Pairs = Iterable[tuple[str, str]]


class Reply:
    """A whole answer."""

    __slots__ = ("_body", "_exchange", "_headers", "_more", "status")

    def __init__(
        self,
        exchange: Exchange,
        status: int,
        headers: Mapping[str, str],
        body: bytes | Pieces,
        *,
        more: Pairs = (),
    ) -> None:
        """`more`: headers that come more than once."""
        self.status = status
        self._more = more
        self._exchange = exchange
        self._headers = headers
        self._body = body

    @property
    def size(self) -> int:
        """Of the body, in bytes."""
        return len(self._body)

    def finish_audit(self) -> None:
        """Show the answer to the audit log."""
        audit.finish(self.status, self._body, self._headers)

    async def finish(self) -> None:
        """Send it. Raises ConnectionResetError."""
        exchange = self._exchange
        length = f"Content-Length: {len(self._body)}\r\n"
        headers = [*self._headers.items(), *self._more] if self._more else self._headers.items()
        head = _head(exchange, _line(self.status), headers, ending=length)
        body = b"" if exchange.method == "HEAD" or self.status in _BODILESS else self._body
        if isinstance(body, Pieces):
            exchange.write(head)
            for piece in body:
                exchange.write(piece)
                await exchange.drain()
        elif len(body) <= ONE_WRITE_BYTES_MAX:
            exchange.write(head + body)
        else:
            exchange.write(head)
            exchange.write(body)
            await exchange.drain()


class Stream:
    """An answer that goes on: chunks as they come. `endless`: it ends when its client has had enough."""

    size = 0
    """Nobody counts what goes on."""
    __slots__ = ("_endless", "_exchange", "_headers", "_line", "_mute", "_plain", "began", "status")

    def __init__(
        self,
        exchange: Exchange,
        headers: Mapping[str, str] | Pairs,
        *,
        status: int = 200,
        reason: str | None = None,
        endless: bool = False,
    ) -> None:
        self.status = status
        self.began = False
        self._exchange = exchange
        self._headers = headers.items() if isinstance(headers, Mapping) else headers
        self._line = _line(status, reason)
        self._endless = endless
        self._mute = exchange.method == "HEAD" or status in _BODILESS
        self._plain = False
        """Bytes go out without chunks around them: their number was said before, or the connection ends with them."""

    def begin(self) -> None:
        """Send the head."""
        exchange, headers = self._exchange, list(self._headers)
        has_length = any(name.lower() == "content-length" for name, _ in headers)
        ending = ""
        if has_length or self.status in _BODILESS:
            self._plain = True
        elif exchange.chunks_allowed:
            ending = "Transfer-Encoding: chunked\r\n"
        else:
            self._plain = True
            exchange.keep_alive = False
        exchange.write(_head(exchange, self._line, headers, ending=ending, endless=self._endless))
        self.began = True
        exchange.tail = b"" if self._plain or exchange.method == "HEAD" else b"0\r\n\r\n"

    async def write(self, data: bytes) -> None:
        """Send a chunk, and wait while the client is slow to take what was sent before."""
        if not self.put(data):
            await self.drain()

    def put(self, data: bytes) -> bool:
        """Send a chunk without waiting. Whether the client keeps up; if not, `drain` before the next one."""
        exchange = self._exchange
        if data and not self._mute:
            exchange.write(data if self._plain else _chunk(data))
        return not exchange.writing_paused

    async def drain(self) -> None:
        """Wait while the client is slow. Raises ConnectionResetError when it is gone."""
        await self._exchange.drain()

    async def finish(self) -> None:
        """Say that it was all. Raises ConnectionResetError."""
        if not self.began:
            self.begin()
        if self._exchange.tail:
            self._exchange.write(self._exchange.tail)


class Passed:
    """Stands for an answer that went through a tunnel: there is nothing left to write."""

    size = 0
    __slots__ = ("status",)

    def __init__(self, status: int) -> None:
        self.status = status

    async def finish(self) -> None:
        """The connection has ended with the tunnel."""


Response = Reply | Stream | Passed


_chunked: tuple[bytes, bytes] = (b"", b"")


def _chunk(data: bytes) -> bytes:
    """The data as a chunk. The watchers of one resource are sent the same bytes one after the other."""
    global _chunked
    if _chunked[0] is not data:
        _chunked = (data, b"%x\r\n%b\r\n" % (len(data), data))
    return _chunked[1]


def _line(status: int, reason: str | None = None) -> str:
    if reason is not None or status not in _LINES:
        return f"HTTP/1.1 {status} {reason or ''}\r\n"
    return _LINES[status]


def _head(exchange: Exchange, line: str, headers: Pairs, *, ending: str, endless: bool = False) -> bytes:
    """`ending`: what it says of the body."""
    lines = [line, *[f"{name}: {value}\r\n" for name, value in headers]]
    if not exchange.settle(endless=endless):
        lines.append("Connection: close\r\n")
    elif not exchange.chunks_allowed:
        lines.append("Connection: keep-alive\r\n")
    lines.append(f"{_date()}{ending}\r\n")
    # What another server wrote in another encoding goes out as it came.
    return "".join(lines).encode(errors="surrogateescape")


_dated: tuple[int, str] = (0, "")


def _date() -> str:
    """The Date header, written anew each second."""
    global _dated
    now_s = int(time.time())
    if _dated[0] != now_s:
        _dated = (now_s, f"Date: {formatdate(now_s, usegmt=True)}\r\n")
    return _dated[1]
