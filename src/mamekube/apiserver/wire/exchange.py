"""One request and its answer, as whoever serves it sees them: no parser, no queue, no timer.

The body is read whole (`read`) or as it comes (`chunks`); answers are written by `apiserver.reply`, which turns them
into bytes, or by a tunnel, which takes the connection over. A client that is gone ends the task of its exchange; who
writes to it nevertheless gets `ConnectionResetError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from mamekube.apiserver.wire.headers import Headers
from mamekube.foundation.limits import BODY_BYTES_PENDING_MAX

if TYPE_CHECKING:
    from mamekube.apiserver.wire.connection import Connection

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyTooLarge(Exception):
    """The body is longer than its reader would take."""


class BodyBroken(Exception):
    """The body ended early, or was no chunked body; the text says what was wrong."""


class Exchange:
    """One request on a connection."""

    __slots__ = (
        "_broken",
        "_connection",
        "_parts",
        "_pending",
        "_waiter",
        "answered",
        "chunks_allowed",
        "complete",
        "content_length",
        "endless",
        "expects_continue",
        "headers",
        "keep_alive",
        "method",
        "received",
        "tail",
        "target",
        "upgrades",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        method: str,
        target: str,
        headers: Headers,
        keep_alive: bool,
        chunks_allowed: bool,
        content_length: int | None,
        upgrades: bool,
    ) -> None:
        self._connection = connection
        self.method = method
        self.target = target
        """Path and query as they stand in the request line, without scheme and host."""
        self.headers = headers
        self.content_length = content_length
        """None where the body comes in chunks."""
        self.keep_alive = keep_alive
        """Whether the connection serves on afterwards. Settled when the head of the answer is written."""
        self.chunks_allowed = chunks_allowed
        """HTTP/1.0 knows no chunks: there an answer without a length ends with the connection."""
        self.upgrades = upgrades
        """The client asks to speak another protocol from here on. It has no body, then."""
        self.expects_continue = False
        self.complete = False
        """The whole request has arrived."""
        self.received = 0
        """Bytes of the body so far."""
        self.answered = False
        """The head of the answer is on its way, so there can be no other."""
        self.endless = False
        """An answer that ends with its client's interest, as a watch: it does not outlast the client's half-close."""
        self.tail = b""
        """What ends an answer that is under way in good order."""
        self._parts: list[bytes] = []
        self._pending = 0
        self._broken = ""
        self._waiter: asyncio.Future[None] | None = None

    # The client ---------------------------------------------------------------------------------

    @property
    def remote(self) -> str:
        """The client's address."""
        return self._connection.remote

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """The client's certificate, verified; the same object for every request of a connection."""
        return self._connection.certificate

    @property
    def gone(self) -> bool:
        """There is nobody to answer any more."""
        return self._connection.closing

    # The request's body -------------------------------------------------------------------------

    @property
    def body_exists(self) -> bool:
        return self.content_length != 0

    async def read(self, size_max: int) -> bytes:
        """The whole body. Raises BodyTooLarge without reading the rest, BodyBroken."""
        if self.content_length is not None and self.content_length > size_max:
            raise BodyTooLarge
        while not self.complete and self.received <= size_max:
            await self._more()
        if self.received > size_max:
            raise BodyTooLarge
        return self._taken()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises BodyBroken."""
        while True:
            data = self._taken()
            if data:
                yield data
            elif self.complete:
                return
            else:
                await self._more()

    def _taken(self) -> bytes:
        if self._broken:
            raise BodyBroken(self._broken)
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        self._pending = 0
        return data

    async def _more(self) -> None:
        if self._broken:
            raise BodyBroken(self._broken)
        if self.expects_continue and not self.answered:
            self.write(CONTINUE)
        self.expects_continue = False
        self._waiter = asyncio.get_running_loop().create_future()
        self._connection.resume_reading()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def body_arrived(self, data: bytes) -> bool:
        """Keep a piece of the body. Whether the connection may go on reading.

        After the first pieces it waits to be asked for each, so that other connections get their turn in between.
        """
        self.received += len(data)
        self._pending += len(data)
        self._parts.append(data)
        self._wake()
        return self._pending <= BODY_BYTES_PENDING_MAX

    def body_ended(self) -> None:
        self.complete = True
        self._wake()

    def body_broke(self, why: str) -> None:
        """There will be no more of it. The answer, if there is to be one, is the last of the connection."""
        self._broken = why
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The answer ---------------------------------------------------------------------------------

    def settle(self, *, endless: bool = False) -> bool:
        """Call before the head of the answer is written: whether the connection serves on after it.

        A body that nobody has read to its end would have to be read now, so the connection ends instead.
        """
        self.answered = True
        self.endless = endless
        self.keep_alive = self.keep_alive and self.complete and not self._connection.retiring
        if endless and self._connection.half_closed:
            raise ConnectionResetError("the client has hung up")
        return self.keep_alive

    def write(self, data: bytes) -> None:
        """Raises ConnectionResetError when the client is gone."""
        self._connection.write(data)

    @property
    def writing_paused(self) -> bool:
        """The client is slow to take what was sent before."""
        return self._connection.writing_paused

    async def drain(self) -> None:
        """Wait while the client is slow. Raises ConnectionResetError when it is gone."""
        if self._connection.writing_paused:
            await self._connection.drained()

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection itself, with what has come behind the request; it never comes back to HTTP."""
        self.answered = True
        self.keep_alive = False
        return self._connection.give_away()
