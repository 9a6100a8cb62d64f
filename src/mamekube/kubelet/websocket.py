"""The server's side of WebSocket (RFC 6455) without I/O: bytes in, messages out; messages in, bytes out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL_CLOSURE = 1000
MESSAGE_BYTES_MAX = 32 << 20


class ProtocolError(Exception):
    """The client does not speak WebSocket."""


def accept_key(key: str) -> str:
    """The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def protocols(header: str) -> list[str]:
    """The subprotocols that a client offers, the one it likes best first."""
    return [name.strip() for name in header.split(",") if name.strip()]


def encode(opcode: int, payload: bytes) -> bytes:
    """One unmasked frame, as servers send them."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")
    return head + payload


def encode_close(code: int = NORMAL_CLOSURE, reason: str = "") -> bytes:
    return encode(CLOSE, code.to_bytes(2, "big") + reason.encode())


class Decoder:
    """Collects bytes; `feed` answers the whole messages as (opcode, payload), fragments joined."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._opcode = 0
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> Sequence[tuple[int, bytes]]:
        """Raises ProtocolError."""
        self._buffer += data
        messages = []
        while (frame := self._next_frame()) is not None:
            final, opcode, payload = frame
            if opcode >= CLOSE:
                messages.append((opcode, payload))
                continue
            if opcode != CONTINUATION:
                self._opcode, self._parts = opcode, []
            self._parts.append(payload)
            if sum(map(len, self._parts)) > MESSAGE_BYTES_MAX:
                raise ProtocolError("message too long")
            if final:
                messages.append((self._opcode, b"".join(self._parts)))
                self._parts = []
        return messages

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, position = buffer[1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(buffer) < 2 + width:
                return None
            size, position = int.from_bytes(buffer[2 : 2 + width], "big"), 2 + width
        if size > MESSAGE_BYTES_MAX:
            raise ProtocolError("frame too long")
        if not buffer[1] & 0x80:
            raise ProtocolError("a client's frame has to be masked")
        end = position + 4 + size
        if len(buffer) < end:
            return None
        mask, payload = bytes(buffer[position : position + 4]), bytes(buffer[position + 4 : end])
        first = buffer[0]
        del buffer[:end]
        return bool(first & 0x80), first & 0x0F, unmask(payload, mask)


def unmask(payload: bytes, mask: bytes) -> bytes:
    """The exclusive or with a repeated mask, as one operation on big numbers."""
    size = len(payload)
    if not size:
        return b""
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
