"""The client's side of SPDY/3.1 framing without I/O, as far as containers' streams need it.

Specification: SPDY Protocol, Draft 3.1. There is no flow control: the runtime's server has none either.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FLAG_FIN = 1
_CONTROL = 0x8000

_WORD_LIST = """
options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma
proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding
upgrade user-agent vary via warning www-authenticate method get status
"""
_PHRASES = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    """The dictionary that primes the compression of header blocks: words after their lengths, then plain text."""
    words = [*_WORD_LIST.split(), *_PHRASES]
    return b"".join(struct.pack(">I", len(word)) + word.encode() for word in words) + _TAIL.encode()


DICTIONARY = _dictionary()


class Frame(NamedTuple):
    """A received frame: data where `kind` is 0, otherwise a control frame's type."""

    kind: int
    stream: int
    fin: bool
    data: bytes


class Session:
    """Frames of one connection. Streams that the client opens have odd numbers."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(zdict=DICTIONARY)
        self._next_stream = 1
        self._buffer = bytearray()

    def open_stream(self, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """A new stream's number, and the frame that opens it."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        block = self._compress(headers)
        body = struct.pack(">IIBB", stream, 0, 0, 0) + block
        return stream, _control(SYN_STREAM, 0, body)

    @staticmethod
    def data(stream: int, data: bytes, *, fin: bool = False) -> bytes:
        return struct.pack(">I", stream) + _flags(FLAG_FIN if fin else 0, len(data)) + data

    @staticmethod
    def pong(ping: Frame) -> bytes:
        return _control(PING, 0, ping.data)

    def feed(self, data: bytes) -> Sequence[Frame]:
        self._buffer += data
        frames = []
        while len(self._buffer) >= 8:
            size = int.from_bytes(self._buffer[5:8], "big")
            if len(self._buffer) < 8 + size:
                break
            head, flags = struct.unpack(">I", self._buffer[:4])[0], self._buffer[4]
            body = bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            fin = bool(flags & FLAG_FIN)
            if head >> 31:
                # Header blocks are not read: the runtime tells nothing in them that matters here.
                stream = int.from_bytes(body[:4], "big") & 0x7FFFFFFF
                frames.append(Frame(head & 0xFFFF, stream, fin, body))
            else:
                frames.append(Frame(0, head, fin, body))
        return frames

    def _compress(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        return self._compressor.compress(block) + self._compressor.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">HH", _CONTROL | VERSION, kind) + _flags(flags, len(body)) + body


def _flags(flags: int, size: int) -> bytes:
    return bytes((flags,)) + size.to_bytes(3, "big")
