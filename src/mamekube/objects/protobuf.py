"""`application/vnd.kubernetes.protobuf`: what typed Go clients send, read into the wire JSON.

Newer kubectl creates objects in this form, so the API server must read it; nobody needs it written, since every
such client also accepts JSON. Field numbers are in `go_types.json`, types in the schema. What this version does not
know by number is passed over, as protobuf has it.

Values that Go's JSON leaves out when they are zero are left out here too, so that both forms of a request give the
same object.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson

from mamekube.foundation.clock import format_time
from mamekube.objects import schema
from mamekube.objects.meta import Object
from mamekube.objects.schema import OBJECT_META, Schema, builtin_schema, definitions, go_fields

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

MAGIC = b"k8s\x00"
META = OBJECT_META.removesuffix("ObjectMeta")

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """Bytes that are no object in this form, or one of a kind that cannot be read."""


class _Field(NamedTuple):
    name: str
    keeps_zero: bool
    schema: Schema
    inline: dict[int, _Field] | None
    """The fields of a struct that stands in the same JSON object as its parent."""


def decode(body: bytes) -> Object:
    """The object in `body`. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        envelope = {number: value for number, _, value in _read(body[len(MAGIC) :])}
        type_meta = {number: value for number, _, value in _read(envelope.get(1, b""))}
        api_version, kind = type_meta.get(1, b"").decode(), type_meta.get(2, b"").decode()
        name = definition_of(api_version, kind)
        content = _message(envelope.get(2, b""), _fields_of(name))
    except (ValueError, IndexError, AttributeError, TypeError, struct.error) as error:
        raise ProtobufError(str(error) or "unexpected EOF") from None
    return {"apiVersion": api_version, "kind": kind, **content}


def definition_of(api_version: str, kind: str) -> str:
    """The definition of a built-in kind. Raises ProtobufError."""
    group, _, version = api_version.rpartition("/")
    name = f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"
    for candidate in (name, META + kind):
        if candidate in definitions() and go_fields(candidate):
            return candidate
    raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')


@cache
def _fields_of(name: str) -> dict[int, _Field]:
    return _number(name, builtin_schema(name))


def _number(name: str, of: Schema) -> dict[int, _Field]:
    """The fields of a message by number; `of` is the schema of the JSON object in which they stand."""
    fields: dict[int, _Field] = {}
    for field in go_fields(name):
        if field.inline:
            fields[field.number] = _Field(field.name, False, of, _number(field.inline, of))
        elif field.name in of.fields:
            fields[field.number] = _Field(field.name, field.keeps_zero, of.fields[field.name], None)
    return fields


def _read(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """`(number, wire type, value)` of every field: an int or bytes."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        wire = tag & 7
        value: Any
        if wire == VARINT:
            value, position = _varint(data, position)
        elif wire == BYTES:
            length, position = _varint(data, position)
            value, position = data[position : position + length], position + length
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            value, position = data[position : position + size], position + size
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if position > end:
            raise ProtobufError("unexpected EOF")
        yield tag >> 3, wire, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift >= 70:
            raise ProtobufError("proto: integer overflow")


def _message(data: bytes, fields: dict[int, _Field]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    _fill(result, data, fields)
    return result


def _fill(result: dict[str, Any], data: bytes, fields: dict[int, _Field]) -> None:
    for number, wire, value in _read(data):
        field = fields.get(number)
        if field is None:
            continue
        name, keeps_zero, of, inline = field
        if inline is not None:
            _fill(result, value, inline)
        elif of.type == schema.LIST:
            found = result.setdefault(name, [])
            if wire == BYTES and of.element.type in (schema.INT32, schema.INT64):
                found.extend(_packed(value))
            else:
                found.append(_value(value, of.element))
        elif of.type == schema.MAP:
            entry = {key: item for key, _, item in _read(value)}
            result.setdefault(name, {})[entry.get(1, b"").decode()] = _value(entry.get(2), of.element)
        else:
            decoded = _value(value, of)
            if decoded is not None and (keeps_zero or decoded or isinstance(decoded, dict)):
                result[name] = decoded


def _packed(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield _signed(value)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _value(value: Any, of: Schema) -> Any:
    """One value of wire form as JSON; None for a zero time."""
    kind = of.type
    if kind == schema.OBJECT:
        return _message(value or b"", _fields_of(of.name))
    if kind == schema.STRING:
        return (value or b"").decode()
    if kind in (schema.INT32, schema.INT64):
        return _signed(value or 0)
    if kind == schema.BOOL:
        return bool(value)
    if kind == schema.BYTES:
        return base64.b64encode(value or b"").decode()
    if kind == schema.NUMBER:
        return struct.unpack("<d", value)[0]
    parts = {number: item for number, _, item in _read(value or b"")}
    if kind == schema.QUANTITY:
        return parts.get(1, b"0").decode()
    if kind == schema.INT_OR_STRING:
        return parts.get(3, b"").decode() if parts.get(1) else _signed(parts.get(2, 0))
    if kind in (schema.TIME, schema.MICRO_TIME):
        return _time(parts, micro=kind == schema.MICRO_TIME)
    if kind == schema.LIST:  # the value of a map, which is a message of one list
        return [_value(item, of.element) for _, _, item in _read(value or b"")]
    return orjson.loads(parts[1]) if parts.get(1) else None


def _time(parts: dict[int, Any], *, micro: bool) -> str | None:
    if not parts:
        return None
    text = format_time(_signed(parts.get(1, 0)))
    return f"{text[:-1]}.{parts.get(2, 0) // 1000:06d}Z" if micro else text
