"""Protocol buffers' wire format for plain dicts, driven by a table of messages.

The kubelet speaks a small part of two gRPC interfaces. A table of field numbers and this codec serve it with
dicts on both sides, without generated code and without a message class per type. A decoded message has every
scalar, list and map of its type, defaults included; a nested message that was not sent is absent.
Fields that the table does not know are skipped, as the format asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from mamekube.foundation.protowire import BYTES, FIXED32, FIXED64, VARINT, delimited, tag_of, varint

Message: TypeAlias = dict[str, Any]

_DEFAULTS: dict[str, Any] = {"string": "", "bytes": b"", "bool": False, "int": 0, "uint": 0}
_SIGN_BIT = 1 << 63
_TWO_POW_64 = 1 << 64


class WireError(ValueError):
    """Bytes that are no message of the expected type."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `type` is a scalar's name, `map` (string to string) or a message's name."""

    name: str
    number: int
    type: str
    repeated: bool


class Schema:
    """Messages by name, read from the table's text: `Name: field=number:type …`.

    A type is `string` when left out; a leading `*` makes the field repeated. Indented lines continue.
    """

    def __init__(self, text: str) -> None:
        self._messages: dict[str, tuple[Field, ...]] = {}
        for line in text.strip().replace("\n    ", " ").splitlines():
            name, _, fields = line.partition(":")
            self._messages[name.strip()] = tuple(_parse_field(field) for field in fields.split())
        self._by_number = {
            name: {field.number: field for field in fields} for name, fields in self._messages.items()
        }
        self._check()

    def encode(self, name: str, message: Message) -> bytes:
        """The bytes of `message`. Raises KeyError for a key that is no field of the type."""
        out = bytearray()
        left = len(message)
        for field in self._messages[name]:
            if field.name not in message:
                continue
            left -= 1
            value = message[field.name]
            if value is not None:
                self._encode_field(out, field, value)
        if left:
            known = {field.name for field in self._messages[name]}
            raise KeyError(f"{name} has no field {sorted(set(message) - known)}")
        return bytes(out)

    def decode(self, name: str, data: bytes) -> Message:
        message = self._defaults(name)
        fields = self._by_number[name]
        position, end = 0, len(data)
        while position < end:
            tag, position = _read_varint(data, position)
            value, position = _read_value(data, position, tag & 7)
            field = fields.get(tag >> 3)
            if field is not None:
                self._store(message, field, value)
        return message

    def _encode_field(self, out: bytearray, field: Field, value: Any) -> None:
        if field.type == "map":
            for key, text in value.items():
                entry = bytearray()
                entry += delimited(1, key.encode())
                entry += delimited(2, text.encode())
                out += delimited(field.number, bytes(entry))
        elif not field.repeated:
            # proto3 leaves a scalar's default out; a nested message is sent even when it is empty.
            if value or field.type not in _DEFAULTS:
                self._encode_one(out, field, value)
        elif field.type in ("int", "uint", "bool"):
            packed = bytearray()
            for item in value:
                packed += varint(int(item))
            if packed:
                out += delimited(field.number, bytes(packed))
        else:
            for item in value:
                self._encode_one(out, field, item)

    def _encode_one(self, out: bytearray, field: Field, value: Any) -> None:
        if field.type in ("int", "uint", "bool"):
            out += tag_of(field.number, VARINT)
            out += varint(int(value))
        elif field.type == "string":
            out += delimited(field.number, str(value).encode())
        elif field.type == "bytes":
            out += delimited(field.number, value)
        else:
            out += delimited(field.number, self.encode(field.type, value))

    def _store(self, message: Message, field: Field, value: Any) -> None:
        if field.type == "map":
            key, text = _decode_entry(value)
            message[field.name][key] = text
        elif not field.repeated:
            message[field.name] = self._convert(field, value)
        elif field.type in ("int", "uint", "bool") and isinstance(value, bytes):
            position = 0
            while position < len(value):
                item, position = _read_varint(value, position)
                message[field.name].append(self._convert(field, item))
        else:
            message[field.name].append(self._convert(field, value))

    def _convert(self, field: Field, value: Any) -> Any:
        if isinstance(value, int) != (field.type in ("int", "uint", "bool")):
            raise WireError(f"{field.name} has another wire type")
        if field.type == "int":
            return value - _TWO_POW_64 if value & _SIGN_BIT else value
        if field.type == "uint":
            return value
        if field.type == "bool":
            return bool(value)
        if field.type == "bytes":
            return value
        if field.type == "string":
            return value.decode("utf-8", "replace")
        return self.decode(field.type, value)

    def _defaults(self, name: str) -> Message:
        message: Message = {}
        for field in self._messages[name]:
            if field.repeated:
                message[field.name] = []
            elif field.type == "map":
                message[field.name] = {}
            elif field.type in _DEFAULTS:
                message[field.name] = _DEFAULTS[field.type]
        return message

    def _check(self) -> None:
        for name, fields in self._messages.items():
            numbers = [field.number for field in fields]
            assert len(set(numbers)) == len(numbers), f"{name} uses a number twice"
            for field in fields:
                known = field.type in _DEFAULTS or field.type == "map" or field.type in self._messages
                assert known, f"{name}.{field.name} has the unknown type {field.type}"


def _parse_field(text: str) -> Field:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(":")
    return Field(name, int(number), kind.lstrip("*") or "string", kind.startswith("*"))


def _decode_entry(data: bytes) -> tuple[str, str]:
    parts = {1: b"", 2: b""}
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        value, position = _read_value(data, position, tag & 7)
        if isinstance(value, int):
            raise WireError("an entry of a map has another wire type")
        parts[tag >> 3] = value
    return parts[1].decode("utf-8", "replace"), parts[2].decode("utf-8", "replace")


def _read_value(data: bytes, position: int, wire_type: int) -> tuple[Any, int]:
    if wire_type == VARINT:
        return _read_varint(data, position)
    if wire_type == BYTES:
        size, position = _read_varint(data, position)
    elif wire_type in (FIXED64, FIXED32):
        size = 8 if wire_type == FIXED64 else 4
    else:
        raise WireError(f"wire type {wire_type} is not supported")
    if position + size > len(data):
        raise WireError("the message ends within a field")
    return data[position : position + size], position + size


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    try:
        while True:
            byte = data[position]
            position += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result & _TWO_POW_64 - 1, position
            shift += 7
            if shift > 63:
                raise WireError("a number of more than 64 bits")
    except IndexError:
        raise WireError("the message ends within a number") from None
