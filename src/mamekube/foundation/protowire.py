"""How numbers and lengths are written in protocol buffers: what every encoder of messages stands on."""

from __future__ import annotations

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

_64_BITS = (1 << 64) - 1
_SMALL = tuple(bytes([value]) for value in range(0x80))


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as the 64 bits of their two's complement."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    value &= _64_BITS
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def tag_of(number: int, wire: int) -> bytes:
    """What stands before the value of the field `number`."""
    return varint(number << 3 | wire)


def sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def delimited(number: int, data: bytes) -> bytes:
    """A field whose value is text, bytes or a message."""
    return tag_of(number, BYTES) + sized(data)
