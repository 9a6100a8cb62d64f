"""A gRPC client without TLS: calls with one answer, and calls with a stream of answers.

Messages are bytes. Every way a call can fail is a `GrpcFailure`. Specification: gRPC over HTTP/2.
"""

from __future__ import annotations

import asyncio
import functools
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote

from mamekube.kubelet import http2

MESSAGE_BYTES_MAX = 16 << 20
"""Of one answer. Upstream's kubelet takes as much from its runtime."""
ANSWERS_WAITING_MAX = 10_000
"""Of a stream that is not read as fast as it comes; together they have no more bytes than one may have."""
HEADERS_MAX = 256
"""Of one call, from its first block of them to its trailers."""

CODES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
_CODES_BY_NUMBER = {str(number): code for number, code in enumerate(CODES)}
RESET_CODES = {http2.CANCEL: "Canceled", http2.REFUSED_STREAM: "Unavailable"}


class GrpcFailure(Exception):
    """A call that was refused, failed or did not arrive. `code` is gRPC's name of the status, such as `NotFound`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {message}")
        self.code = code
        self.message = message


class Call(http2.Stream):
    """One call: its answers as far as they have arrived, and how it ended."""

    def __init__(self, headers: bytes, message: bytes) -> None:
        super().__init__(headers, struct.pack(">BI", 0, len(message)) + message)
        self.answers: deque[bytes] = deque()
        self.failure: GrpcFailure | None = None
        self.ended = False
        self._buffer = bytearray()
        self._waiting_bytes = 0
        """Of `answers`."""
        self._headers: dict[str, str] = {}
        self._waiter: asyncio.Future[None] | None = None

    async def changed(self) -> None:
        """Wait until another answer has arrived, or the call has ended."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def take_headers(self, headers: Mapping[str, str]) -> None:
        if not self.ended:
            self._headers.update(headers)
            if len(self._headers) > HEADERS_MAX:
                self._end(GrpcFailure("Internal", "there is no end of headers"))

    def take_data(self, data: bytes) -> None:
        if self.ended:
            return
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= 5:
            compressed, size = struct.unpack_from(">BI", buffer, start)
            too_many = len(self.answers) >= ANSWERS_WAITING_MAX
            if compressed or too_many or self._waiting_bytes + size > MESSAGE_BYTES_MAX:
                self._end(
                    GrpcFailure("ResourceExhausted", "an answer is compressed, or too large, or one too many")
                )
                return
            if len(buffer) - start < 5 + size:
                break
            self.answers.append(bytes(buffer[start + 5 : start + 5 + size]))
            self._waiting_bytes += size
            start += 5 + size
        del buffer[:start]
        self._wake()

    def take_answer(self) -> bytes:
        """The first of those that have arrived."""
        answer = self.answers.popleft()
        self._waiting_bytes -= len(answer)
        return answer

    def finish(self) -> None:
        self._end(status_of(self._headers))

    def fail(self, why: str, *, reset: int | None = None) -> None:
        code = "Unavailable" if reset is None else RESET_CODES.get(reset, "Internal")
        self._end(GrpcFailure(code, why))

    def _end(self, failure: GrpcFailure | None) -> None:
        if not self.ended:
            self.ended, self.failure = True, failure
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Channel:
    """Calls to one server. It connects with the first call, and anew with the first one after a loss."""

    def __init__(self, *, path: str = "", host: str = "", port: int = 0) -> None:
        self._place = (path, host, port)
        self._connection: http2.Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether there ever was a connection."""
        return self._connection is not None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def call(self, method: str, message: bytes, *, timeout_s: float | None) -> bytes:
        """The one answer. Raises GrpcFailure."""
        try:
            async with asyncio.timeout(timeout_s):
                connection, call = await self._begin(method, message)
                try:
                    while not call.ended:
                        await call.changed()
                finally:
                    connection.leave(call)
        except TimeoutError:
            raise GrpcFailure("DeadlineExceeded", "context deadline exceeded") from None
        if call.failure is not None:
            raise call.failure
        if not call.answers:
            raise GrpcFailure("Internal", "the call ended without an answer")
        return call.answers[0]

    async def stream(self, method: str, message: bytes) -> AsyncIterator[bytes | None]:
        """The answers, after one None that says that the request is on its way. Raises GrpcFailure."""
        connection, call = await self._begin(method, message)
        try:
            yield None
            while True:
                while call.answers:
                    yield call.take_answer()
                if call.ended:
                    break
                await call.changed()
        finally:
            connection.leave(call)
        if call.failure is not None:
            raise call.failure

    async def _begin(self, method: str, message: bytes) -> tuple[http2.Connection, Call]:
        connection = self._connection
        if connection is None or connection.closing:
            connection = await self._connect()
        call = Call(request_headers(method), message)
        connection.begin(call)
        return connection, call

    async def _connect(self) -> http2.Connection:
        path, host, port = self._place
        loop = asyncio.get_running_loop()
        async with self._connecting:
            connection = self._connection
            if connection is not None and not connection.closing:
                return connection  # somebody else was faster
            try:
                if path:
                    _, connection = await loop.create_unix_connection(http2.Connection, path)
                else:
                    _, connection = await loop.create_connection(http2.Connection, host, port)
            except OSError as error:
                raise GrpcFailure("Unavailable", str(error)) from error
            self._connection = connection
            return connection


@functools.lru_cache(maxsize=64)
def request_headers(method: str) -> bytes:
    """The block of headers of every call of a method (RFC 7541): indexed fields, and literals never indexed."""
    post, http, path, authority, content_type = b"\x83", b"\x86", b"\x04", b"\x01", b"\x0f\x10"
    return b"".join(
        [
            post,
            http,
            path + http2.literal(method),
            authority + http2.literal("localhost"),
            content_type + http2.literal("application/grpc"),
            b"\x00" + http2.literal("te") + http2.literal("trailers"),
        ]
    )


def status_of(headers: Mapping[str, str]) -> GrpcFailure | None:
    """What the trailers say; None for success."""
    status = headers.get("grpc-status")
    if status is None:
        http_status = headers.get(":status", "none")
        return GrpcFailure("Unknown", f"there is no status of the call (HTTP status: {http_status})")
    if status == "0":
        return None
    code = _CODES_BY_NUMBER.get(status, "Unknown")
    return GrpcFailure(code, unquote(headers.get("grpc-message", "")) or code)
