"""The client's side of an HTTP/2 connection without TLS (RFC 9113), as far as gRPC needs it.

What differs between two requests to the same place is the body alone, so a request's headers come here encoded, and
headers that arrived before are not decoded again: the peer is told to keep no table of headers, which makes equal
bytes mean the same. See docs/decisions/0006.

Invariants: a stream is in `_streams` from its first frame until it has ended, and hears of its end exactly once.
It must not know what a body means.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Mapping
from typing import cast

from hpack import Decoder, HPACKError

HEADER_BYTES_MAX = 64 << 10
HEADER_BLOCKS_KEPT_MAX = 256
FRAME_BYTES_MAX = 16_384
"""The protocol's default, for both directions until the peer allows more."""
WINDOW_DEFAULT = 65_535
WINDOW = (1 << 31) - 1
"""What the peer may send without being asked to go on: all that can be said. Who reads a stream limits it."""
WINDOW_RENEWED = 1 << 30
STREAM_ID_MAX = (1 << 31) - 1
FRAME_BYTES_EVER = (1 << 24) - 1
"""What a peer may allow at most."""
UNSENT_BYTES_MAX = 4 << 20
"""What may wait for a peer that goes on asking and does not read: it is left, and not served from our memory."""

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, PUSH, STREAMS_MAX, INITIAL_WINDOW, FRAME_SIZE = 1, 2, 3, 4, 5
REFUSED_STREAM, CANCEL = 7, 8

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Stream:
    """One request and what comes back. Subclasses say what to do with that."""

    def __init__(self, headers: bytes, body: bytes) -> None:
        self.id = 0
        self.headers = headers
        self.unsent = body
        self.send_window = 0
        self.received = 0

    def take_headers(self, headers: Mapping[str, str]) -> None:
        """Headers or trailers."""
        raise NotImplementedError

    def take_data(self, data: bytes) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """The peer has said everything."""
        raise NotImplementedError

    def fail(self, why: str, *, reset: int | None = None) -> None:
        """It has ended before its end; `reset` is the peer's error code where it was the peer who broke it off."""
        raise NotImplementedError


class Connection(asyncio.Protocol):
    """Many streams over one transport. Once it is `closing` it takes no more."""

    def __init__(self) -> None:
        self.closing = False
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[Stream] = deque()
        self._next_id = 1
        self._streams_max = STREAM_ID_MAX
        self._frame_bytes_max = FRAME_BYTES_MAX
        self._send_window = self._initial_window = WINDOW_DEFAULT
        self._received = 0
        self._rest = b""
        self._decoder = Decoder()
        self._known_blocks: dict[bytes, dict[str, str]] = {}
        # A block of headers that comes in several frames: its stream, whether it ends that, its bytes so far.
        self._block: tuple[int, bool, bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        settings = ((TABLE_SIZE, 0), (PUSH, 0), (INITIAL_WINDOW, WINDOW))
        wishes = b"".join(struct.pack(">HI", name, value) for name, value in settings)
        widened = struct.pack(">I", WINDOW - WINDOW_DEFAULT)
        self._transport.write(PREFACE + frame(SETTINGS, 0, 0, wishes) + frame(WINDOW_UPDATE, 0, 0, widened))

    def connection_lost(self, error: Exception | None) -> None:
        self.close(str(error) if error else "the connection was lost")

    def close(self, why: str = "the connection was closed") -> None:
        self.closing = True
        unfinished = [*self._streams.values(), *self._waiting]
        self._streams.clear()
        self._waiting.clear()
        for stream in unfinished:
            stream.fail(why)
        self._transport.close()

    # What is sent ----------------------------------------------------------------------------------

    def begin(self, stream: Stream) -> None:
        """Send a request, as soon as the peer takes another one."""
        if len(self._streams) >= self._streams_max:
            self._waiting.append(stream)
            return
        stream.id, self._next_id = self._next_id, self._next_id + 2
        self.closing = self.closing or self._next_id > STREAM_ID_MAX
        stream.send_window = self._initial_window
        self._streams[stream.id] = stream
        self._send(stream, frame(HEADERS, END_HEADERS, stream.id, stream.headers))

    def leave(self, stream: Stream) -> None:
        """Nobody waits for the stream any more: the peer may stop working on it."""
        if self._streams.get(stream.id) is stream:
            self._transport.write(frame(RST_STREAM, 0, stream.id, struct.pack(">I", CANCEL)))
            self._drop(stream)
        elif stream in self._waiting:
            self._waiting.remove(stream)

    def _send(self, stream: Stream, first: bytes = b"") -> None:
        """As much of the body as the peer takes now."""
        pieces = [first]
        while stream.unsent:
            size = min(len(stream.unsent), self._frame_bytes_max, self._send_window, stream.send_window)
            if size <= 0:
                break
            piece, stream.unsent = stream.unsent[:size], stream.unsent[size:]
            self._send_window -= size
            stream.send_window -= size
            pieces.append(frame(DATA, 0 if stream.unsent else END_STREAM, stream.id, piece))
        self._transport.write(b"".join(pieces))

    def _send_more(self) -> None:
        for stream in list(self._streams.values()):
            if stream.unsent:
                self._send(stream)

    def _drop(self, stream: Stream) -> None:
        del self._streams[stream.id]
        while self._waiting and len(self._streams) < self._streams_max:
            self.begin(self._waiting.popleft())
        if self.closing and not self._streams:
            self._transport.close()

    # What arrives ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        position, available = 0, len(data)
        try:
            while available - position >= 9:
                size = data[position] << 16 | data[position + 1] << 8 | data[position + 2]
                if size > FRAME_BYTES_MAX:
                    raise ValueError("a frame is longer than allowed")
                end = position + 9 + size
                if end > available:
                    break
                number = int.from_bytes(data[position + 5 : position + 9], "big") & STREAM_ID_MAX
                self._take(data[position + 3], data[position + 4], number, data[position + 9 : end])
                position = end
        except (ValueError, IndexError, struct.error, HPACKError) as error:
            self.close(f"the peer breaks the rules of HTTP/2: {error}")
        self._rest = data[position:]

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if (self._block is not None) != (kind == CONTINUATION):
            raise ValueError("a block of headers is interrupted, or goes on without a beginning")
        if kind == DATA:
            self._take_data(flags, number, payload)
        elif kind == HEADERS:
            block = unpadded(flags, payload)
            self._take_block(
                number, block[5:] if flags & PRIORITY else block, last=bool(flags & END_STREAM), flags=flags
            )
        elif kind == CONTINUATION and self._block is not None:
            number, last, begun = self._block
            self._take_block(number, begun + payload, last=last, flags=flags)
        elif kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
        elif kind == WINDOW_UPDATE:
            self._widen(number, int.from_bytes(payload, "big") & STREAM_ID_MAX)
        elif kind == PING and not flags & ACK:
            self._acknowledge(PING, payload)
        elif kind == RST_STREAM:
            self._end_early(number, "the peer broke it off", reset=int.from_bytes(payload, "big"))
        elif kind == GOAWAY:
            self._take_goodbye(int.from_bytes(payload[:4], "big") & STREAM_ID_MAX)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received >= WINDOW_RENEWED:
            self._transport.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received)))
            self._received = 0
        stream = self._streams.get(number)
        if stream is None:
            return  # somebody left it
        stream.received += len(payload)
        if stream.received >= WINDOW_RENEWED:
            self._transport.write(frame(WINDOW_UPDATE, 0, number, struct.pack(">I", stream.received)))
            stream.received = 0
        stream.take_data(unpadded(flags, payload))
        if flags & END_STREAM and number in self._streams:
            self._drop(stream)
            stream.finish()

    def _take_block(self, number: int, block: bytes, *, last: bool, flags: int) -> None:
        if len(block) > HEADER_BYTES_MAX:
            raise ValueError("headers are longer than allowed")
        if not flags & END_HEADERS:
            self._block = (number, last, block)
            return
        self._block = None
        # Also for a stream that somebody left: the decoder has to follow the peer's encoder.
        headers = self._decode(block)
        stream = self._streams.get(number)
        if stream is None:
            return
        stream.take_headers(headers)
        if last:
            self._drop(stream)
            stream.finish()

    def _decode(self, block: bytes) -> Mapping[str, str]:
        table = self._decoder.header_table
        stateless = not table.dynamic_entries
        known = self._known_blocks.get(block) if stateless else None
        if known is None:
            fields = self._decoder.decode(block, raw=True)
            known = {bytes(name).decode(): bytes(value).decode() for name, value in fields}
            stateless = stateless and not table.dynamic_entries
            if stateless and len(self._known_blocks) < HEADER_BLOCKS_KEPT_MAX:
                self._known_blocks[block] = known
        return known

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == STREAMS_MAX:
                self._streams_max = value
            elif name == FRAME_SIZE:
                self._frame_bytes_max = min(value, FRAME_BYTES_EVER)
            elif name == INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.send_window += value - self._initial_window
                self._initial_window = value
        self._acknowledge(SETTINGS, b"")
        self._send_more()

    def _acknowledge(self, kind: int, payload: bytes) -> None:
        if self._transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            raise ValueError("the peer does not read what it asks for")
        self._transport.write(frame(kind, ACK, 0, payload))

    def _widen(self, number: int, by: int) -> None:
        if number == 0:
            self._send_window += by
        elif number in self._streams:
            self._streams[number].send_window += by
        self._send_more()

    def _end_early(self, number: int, why: str, *, reset: int) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            self._drop(stream)
            stream.fail(why, reset=reset)

    def _take_goodbye(self, last: int) -> None:
        """The peer answers the streams up to `last`, and nothing else."""
        self.closing = True
        refused, self._waiting = [*self._waiting], deque()
        for stream in refused:
            stream.fail("the peer is going away", reset=REFUSED_STREAM)
        for number in [number for number in self._streams if number > last]:
            self._end_early(number, "the peer is going away", reset=REFUSED_STREAM)
        if not self._streams:
            self._transport.close()


def frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, number) + payload


def unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & PADDED:
        return payload
    end = len(payload) - payload[0]
    if end < 1:
        raise ValueError("there is more padding than frame")
    return payload[1:end]


def literal(text: str) -> bytes:
    """HPACK's encoding of a string, as it is (RFC 7541, 5.2)."""
    data = text.encode()
    length, out = len(data), bytearray()
    if length < 0x7F:
        return bytes([length]) + data
    out.append(0x7F)
    length -= 0x7F
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out) + data
