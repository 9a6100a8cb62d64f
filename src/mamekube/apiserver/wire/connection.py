"""One client's connection: HTTP/1.1 in, exchanges out, one after the other.

`httptools` (llhttp) parses; what it would let pass and Go's net/http would not is refused here. A request is served
by a task of its own, beginning when its head is complete, so that it can be refused before its body is sent.

Invariants:

* At most one exchange is being served (`_current`); requests that were sent ahead of its answer wait in `_queue`,
  and while any wait, nothing more is parsed.
* `_receiving` is the exchange whose body is not complete: the current one, or the last of the queue.
* After the parser has failed, or the client asked for another protocol, nothing is parsed any more.
* `deadline_s` is set while the connection waits for its client and nothing is being served.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import httptools

from mamekube.apiserver.wire.exchange import Exchange
from mamekube.apiserver.wire.headers import Headers
from mamekube.foundation.limits import (
    CHUNK_FRAMING_BYTES_MAX,
    CONNECTION_IDLE_TIMEOUT_S,
    CONNECTION_LINGER_S,
    REQUEST_HEAD_BYTES_MAX,
    REQUEST_HEAD_TIMEOUT_S,
    REQUEST_HEADERS_MAX,
)

log = logging.getLogger(__name__)

FEED_BYTES = 16 * 1024
"""The parser gets so much at a time: between, limits are looked at and requests sent ahead stop the reading."""

NEVER = float("inf")

METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
"""Those that are met often; others are decoded."""

OTHER_METHOD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ")
"""Any word is a method to Go; llhttp knows some forty."""
STAND_IN = b"UNLINK"
"""A method without a meaning here: llhttp is shown it where a request begins with a word that it does not know."""

HOST = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=@\[\]_~]*")
"""What Go's `httpguts.ValidHostHeader` lets pass."""
BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

_REASONS = {
    400: "Bad Request",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}


class Malformed(Exception):
    """What the client sent is no request. `text` follows the status where Go's net/http says more; `why` is for us."""

    def __init__(self, code: int, text: str = "", *, why: str = "", body: str = "") -> None:
        super().__init__(why or text or body or _REASONS[code])
        self._line = f"{code} {_REASONS[code]}" + (f": {text}" if text else "")
        self._body = body or self._line

    def answer(self) -> bytes:
        head = f"HTTP/1.1 {self._line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        return f"{head}Content-Length: {len(self._body)}\r\n\r\n{self._body}".encode()


class Connection(asyncio.Protocol):
    """The protocol of one connection."""

    __slots__ = (
        "__weakref__",
        "_begun",
        "_chunks",
        "_connections",
        "_current",
        "_deaf",
        "_drained",
        "_framed",
        "_handler",
        "_head_bytes",
        "_headers",
        "_held",
        "_host",
        "_in_head",
        "_loop",
        "_malformed",
        "_other_method",
        "_parser",
        "_queue",
        "_reading_paused",
        "_receiving",
        "_taken_by",
        "_target",
        "_transport",
        "_upgraded",
        "certificate",
        "deadline_s",
        "half_closed",
        "remote",
        "retiring",
        "task",
        "writing_paused",
    )

    def __init__(
        self,
        handler: Callable[[Exchange], Awaitable[None]],
        connections: set[Connection],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._handler = handler
        self._connections = connections
        self._loop = loop
        self._transport: asyncio.Transport = _NOT_CONNECTED
        self.remote = ""
        self.certificate: Mapping[str, Any] | None = None
        self.deadline_s = NEVER
        self.half_closed = False
        """The client sends no more, and may wait for answers."""
        self.retiring = False
        """The server stops: the answer under way is the last."""
        self.writing_paused = False
        self.task: asyncio.Task[None] | None = None
        self._parser: Any = None
        self._begun = 0
        """Requests whose first byte was seen."""
        self._other_method = b""
        """Of the request that is parsed, where the parser was shown another."""
        self._headers = Headers()
        self._target = b""
        self._host = ""
        """The last Host that was found well-formed: a client sends the same one every time."""
        self._in_head = False
        self._head_bytes = 0
        self._framed = 0
        self._chunks = 0
        self._current: Exchange | None = None
        self._receiving: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._held = b""
        """What was read and is not to be parsed yet."""
        self._reading_paused = False
        self._deaf = False
        """Whatever the client still sends is thrown away, or kept for who takes the connection over."""
        self._upgraded = False
        """The client asked for another protocol, and is waiting for it."""
        self._malformed: Malformed | None = None
        self._drained: asyncio.Future[None] | None = None
        self._taken_by: _Taken | None = None

    # What the transport tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.remote = peer[0] if peer else ""
        self.certificate = transport.get_extra_info("peercert")
        self._parser = httptools.HttpRequestParser(self)
        self._connections.add(self)
        self.deadline_s = self._loop.time() + REQUEST_HEAD_TIMEOUT_S

    def data_received(self, data: bytes) -> None:
        if self._held or self._upgraded:
            self._held += data
        elif self._deaf:
            return
        elif len(data) <= FEED_BYTES:
            self._feed(data)
        else:
            self._feed_slices(data)

    def eof_received(self) -> bool:
        """Whether the connection stays open, to be closed behind the last answer. TLS cannot be half closed."""
        self.half_closed = True
        if self._receiving is not None and not self._held:
            self._receiving.body_broke("unexpected EOF")
        if self._current is None:
            return False
        if self._current.endless and self.task is not None:
            self.task.cancel()
        return self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._deaf = True
        self._parser = None
        self._queue.clear()
        self._held = b""
        self.deadline_s = NEVER
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the client is gone"))
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # Parsing ------------------------------------------------------------------------------------

    def _feed_slices(self, data: bytes) -> None:
        for start in range(0, len(data), FEED_BYTES):
            if self._upgraded:
                self._held += data[start:]
                return
            if self._deaf:
                return
            if self._queue:
                self._held = data[start:]
                return
            self._feed(data[start : start + FEED_BYTES])

    def _feed(self, data: bytes) -> None:
        between = self._receiving is None and not self._in_head
        begun, shown = self._begun, b""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._deaf = self._upgraded = True
            self._held = data[upgrade.args[0] :]
            self._pause_reading()
        except httptools.HttpParserInvalidMethodError as error:
            shown = self._with_stand_in(data) if between and self._begun <= begun + 1 else b""
            if not shown:
                self._refuse(Malformed(400, why=str(error)))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Malformed) else Malformed(400, why=str(error)))
        else:
            if self._in_head:
                self._head_grew(len(data))
            elif self._receiving is not None and self._receiving.content_length is None:
                self._framing_grew(len(data))
            if self._queue:
                self._pause_reading()
        if shown:
            self._feed(shown)

    def _with_stand_in(self, data: bytes) -> bytes:
        """What to show a new parser of a request that begins with a word that llhttp does not know, if it is one."""
        word = OTHER_METHOD.match(data)
        if word is None:
            return b""
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = False
        self._other_method = word[1]
        return STAND_IN + data[word.end(1) :]

    def _head_grew(self, size: int) -> None:
        """The head is not complete: as long as it may be, in as much time as it may take."""
        if self._head_bytes == 0 and self._current is None:
            self.deadline_s = self._loop.time() + REQUEST_HEAD_TIMEOUT_S
        self._head_bytes += size
        # What the parser gets next may complete the head, so there has to be room for it.
        too_long = self._head_bytes + FEED_BYTES > REQUEST_HEAD_BYTES_MAX
        if too_long or self._headers.count() > REQUEST_HEADERS_MAX:
            self._refuse(Malformed(431))

    def _framing_grew(self, size: int) -> None:
        """Chunks of one byte are allowed; endless extensions of chunks, and endless trailers, are not."""
        assert self._receiving is not None
        self._framed += size
        if self._framed - 3 * self._receiving.received - 16 * self._chunks > CHUNK_FRAMING_BYTES_MAX:
            self._refuse(Malformed(400, why="chunks with too much around them"))

    def _refuse(self, malformed: Malformed) -> None:
        """Nothing that follows can be understood. What was understood before is answered first."""
        log.debug("%s sent no valid request: %s", self.remote, malformed)
        self._deaf = True
        self._in_head = False
        if self._receiving is not None:
            # Whoever reads the body answers; that is the last answer.
            self._receiving.body_broke(str(malformed))
            return
        self._malformed = malformed
        if self._current is None:
            self._answer_malformed(malformed)

    def _answer_malformed(self, malformed: Malformed) -> None:
        if not self._transport.is_closing():
            self._transport.write(malformed.answer())
        self._hang_up(unread=True)

    # What the parser tells ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._headers = Headers()
        self._target = b""
        self._head_bytes = 0
        self._in_head = True
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.add(name, value)

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._headers
        self._in_head = False
        method = self._other_method or parser.get_method()
        self._other_method = b""
        version = parser.get_http_version()
        content_length = _body_length(headers, version)
        target = _origin_form(self._target.decode("ascii"))
        self._check_host(version)
        upgrades = parser.should_upgrade()
        exchange = Exchange(
            self,
            method=METHODS.get(method) or method.decode("ascii"),
            target=target,
            headers=headers,
            keep_alive=parser.should_keep_alive() and not upgrades,
            chunks_allowed=version == "1.1",
            content_length=content_length,
            upgrades=upgrades,
        )
        if content_length != 0:
            if upgrades:
                raise Malformed(400, why="a body before another protocol")
            self._framed = self._chunks = 0
            # Trailers are parsed like headers; they must not become any.
            self._headers = Headers()
        expected = headers.by_name.get("expect")
        if expected is not None:
            if expected.lower() != "100-continue":
                raise Malformed(417)
            exchange.expects_continue = version == "1.1"
        self._receiving = exchange
        if self._current is None:
            self._serve(exchange)
        else:
            self._queue.append(exchange)

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, data: bytes) -> None:
        assert self._receiving is not None
        if not self._receiving.body_arrived(data):
            self._pause_reading()

    def on_message_complete(self) -> None:
        assert self._receiving is not None
        self._receiving.body_ended()
        self._receiving = None

    def _check_host(self, version: str) -> None:
        """Raises Malformed. Another version than 1.0 and 1.1 is none."""
        if version not in ("1.1", "1.0"):
            raise Malformed(505, "unsupported protocol version") if version[0] == "2" else Malformed(400)
        headers = self._headers
        host = headers.by_name.get("host")
        if host is None:
            if version == "1.1":
                raise Malformed(400, "missing required Host header")
        elif headers.repeats("host"):
            raise Malformed(400, "too many Host headers")
        elif host != self._host:
            if not HOST.fullmatch(host):
                raise Malformed(400, "malformed Host header")
            self._host = host

    # Serving ------------------------------------------------------------------------------------

    def _serve(self, exchange: Exchange) -> None:
        self._current = exchange
        self.deadline_s = NEVER
        self.task = self._loop.create_task(self._run(exchange))

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self._handler(exchange)
            if self.writing_paused and exchange.keep_alive:
                # Who sends ahead and takes no answers would have them all kept here.
                await self.drained()
        except asyncio.CancelledError:
            # The client is gone, or the server stops: there, what ends of itself ends in good order.
            exchange.keep_alive = False
            if self.retiring and exchange.tail and not self._transport.is_closing():
                self._transport.write(exchange.tail)
        except ConnectionError:
            exchange.keep_alive = False
        except Exception:
            exchange.keep_alive = False
            log.exception("an exchange with %s failed", self.remote)
        self._finish(exchange)

    def _finish(self, exchange: Exchange) -> None:
        self._current = self.task = None
        if self._taken_by is not None:
            self._transport.close()
        elif self._transport.is_closing():
            return
        elif not (exchange.keep_alive and exchange.answered) or self.retiring:
            self._hang_up(unread=not exchange.complete)
        elif self._queue:
            self._serve(self._queue.popleft())
            if not self._queue:
                self._read_on()
        elif self._malformed is not None:
            self._answer_malformed(self._malformed)
        elif self.half_closed and not self._held:
            self._transport.close()
        else:
            timeout_s = REQUEST_HEAD_TIMEOUT_S if self._in_head else CONNECTION_IDLE_TIMEOUT_S
            self.deadline_s = self._loop.time() + timeout_s
            self._read_on()

    def _read_on(self) -> None:
        """Parse what was kept back, then read."""
        if self._upgraded:
            return
        if self._held and not self._deaf:
            held, self._held = self._held, b""
            self._feed_slices(held)
        if not self._held and not self._queue:
            self.resume_reading()
            if self.half_closed and self._current is None and not self._transport.is_closing():
                self._transport.close()

    def _hang_up(self, *, unread: bool) -> None:
        """Close the connection. With input unread, closing at once could cost the client the answer: it would be
        told of a reset connection, which goes ahead of what it has not read yet."""
        self._deaf = True
        self._upgraded = False
        self._queue.clear()
        self._held = b""
        self.deadline_s = NEVER
        if not unread or self.half_closed:
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self.resume_reading()
        self._loop.call_later(CONNECTION_LINGER_S, self._transport.close)

    # For exchanges ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        transport = self._transport
        if transport.is_closing():
            raise ConnectionResetError("the client is gone")
        transport.write(data)

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent. Raises ConnectionResetError."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._drained = self._loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None

    def resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def give_away(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection for a tunnel, with what was read and not parsed."""
        transport, held = self._transport, self._held
        if transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._deaf = True
        self._held = b""
        self._queue.clear()
        reader = asyncio.StreamReader(loop=self._loop)
        taken = self._taken_by = _Taken(reader, self)
        transport.set_protocol(taken)
        taken.connection_made(transport)
        if held:
            reader.feed_data(held)
        if self.half_closed:
            reader.feed_eof()
        self.resume_reading()
        return reader, asyncio.StreamWriter(transport, taken, reader, self._loop)

    # For the listener ---------------------------------------------------------------------------

    def retire(self) -> None:
        """The server stops: end what waits or would never end, let the rest answer."""
        self.retiring = True
        if self._current is None:
            self._transport.close()
        elif self._taken_by is not None:
            self.abort()
        elif self._current.endless and self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self._transport.abort()

    def give_up(self) -> None:
        """The client has kept the server waiting for too long. As upstream, it is not told so."""
        log.debug("%s sent no request in time", self.remote)
        self._hang_up(unread=False)


class _Taken(asyncio.StreamReaderProtocol):
    """The client's side of a tunnel. A lost connection is told to its owner, too, so that it ends the exchange."""

    def __init__(self, reader: asyncio.StreamReader, owner: Connection) -> None:
        super().__init__(reader)
        self._owner = owner

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._owner.connection_lost(exc)


def _body_length(headers: Headers, version: str) -> int | None:
    """What the head says of the body; None for chunks. The parser has made sure of the rest. Raises Malformed."""
    given = headers.by_name
    if "transfer-encoding" in given:
        if version != "1.1":
            raise Malformed(400, why="chunks in HTTP/1.0")
        if given["transfer-encoding"].lower() != "chunked" or headers.repeats("transfer-encoding"):
            raise Malformed(501, body="Unsupported transfer encoding")
        return None
    length = given.get("content-length")
    return int(length) if length is not None else 0


def _origin_form(target: str) -> str:
    """The target as a path with its query. Raises Malformed."""
    if target[:1] != "/":
        if target[:7].lower() == "http://" or target[:8].lower() == "https://":
            path = target.partition("://")[2]
            slash = path.find("/")
            target = path[slash:] if slash >= 0 else "/"
        elif target != "*":
            raise Malformed(400, why="a target that is no path")
    if "%" in target and BROKEN_ESCAPE.search(target.partition("?")[0]):
        raise Malformed(400, why="a broken escape in the path")
    return target


class _NotConnected(asyncio.Transport):
    """Stands where a connection has no transport yet, so that nobody has to ask."""

    def is_closing(self) -> bool:
        return True


_NOT_CONNECTED = _NotConnected()
