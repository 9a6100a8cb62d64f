"""Bodies in Kubernetes' protobuf, read into the same dicts as JSON bodies.

Clients with compiled-in types, `kubectl create` among them, send what they create so. `protobuf_fields.json` has the
field numbers of every message, by the name of its definition: `number -> "json name, form, type"`, where the form is

    one     a value; absent where it was not sent
    some    a value whose zero is the same as absent (Go: no pointer, and omitempty)
    list    one of several values
    map     one entry of a map with text keys
    inline  a message whose fields are the surrounding object's own
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import orjson

from mamekube.foundation.clock import format_micro_time, format_time
from mamekube.foundation.limits import BODY_VALUES_MAX
from mamekube.foundation.protowire import BYTES, FIXED32, FIXED64, VARINT
from mamekube.objects.meta import Object

MAGIC = b"k8s\x00"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
PACKAGES = {
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
    "meta.k8s.io": "io.k8s.apimachinery.pkg.apis.meta",
}
"""Where the definitions of a group are, if not among `io.k8s.api`."""
EVERYWHERE = frozenset(
    {"APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "DeleteOptions", "Status"}
)
"""Kinds that are in every group and version."""
JSON_SCHEMA = f"{PACKAGES['apiextensions.k8s.io']}.v1.JSONSchemaProps"
TYPE_META, RAW = 1, 2
MESSAGES_DEEP_MAX = 100
"""Far deeper than any real object; a message may be two levels of JSON, so this stays below the limit of those."""
VARINT_MASK = 2**64 - 1
INTEGER_MAX = 2**63
"""Longer integers cannot be written as JSON; as fractions they can."""


class ProtobufError(ValueError):
    """A body that is no object in this encoding."""


class Field(NamedTuple):
    name: str
    form: str
    type: str


def decode(body: bytes) -> Object:
    """The object in the envelope that every body has. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    envelope = dict(_parts(body[len(MAGIC) :]))
    type_meta, raw = dict(_parts(_bytes(envelope.get(TYPE_META, b"")))), _bytes(envelope.get(RAW, b""))
    api_version, kind = _text(type_meta.get(1, b"")), _text(type_meta.get(2, b""))
    name = message_name(api_version, kind)
    if not is_message(name):
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **_message(raw, name, 0)}


@cache
def _messages() -> dict[str, dict[str, str]]:
    text = resources.files("mamekube.apiserver.formats").joinpath("protobuf_fields.json").read_bytes()
    messages: dict[str, dict[str, str]] = orjson.loads(text)
    return messages


def is_message(name: str) -> bool:
    return name in _messages()


@cache
def fields_of(message: str) -> dict[int, Field]:
    return {int(number): Field(*text.split()) for number, text in _messages()[message].items()}


def message_name(api_version: str, kind: str) -> str:
    """Of the definition that has the fields of a kind, if there is any."""
    if kind in EVERYWHERE:
        return f"{META}.{kind}"
    group, _, version = api_version.rpartition("/")
    package = PACKAGES.get(group) or f"io.k8s.api.{group.partition('.')[0] or 'core'}"
    return f"{package}.{version}.{kind}"


def _message(data: bytes, message: str, depth: int) -> Object:
    if depth > MESSAGES_DEEP_MAX:
        raise ProtobufError("proto: exceeded max depth")
    fields = fields_of(message)
    obj: Object = {}
    for number, value in _parts(data):
        field = fields.get(number)
        if field is not None:
            _set(obj, field, value, depth)
    return obj


def _set(obj: Object, field: Field, part: int | bytes, depth: int) -> None:
    if field.form == "map":
        entry = dict(_parts(_bytes(part)))
        value = _value(entry[2], field.type, depth) if 2 in entry else _ZEROS.get(field.type, {})
        obj.setdefault(field.name, {})[_text(entry.get(1, b""))] = value
        return
    value = _value(part, field.type, depth)
    if field.form == "inline":
        obj.update(value)
    elif field.form == "list":
        values = obj.setdefault(field.name, [])
        if len(values) >= BODY_VALUES_MAX:
            raise ProtobufError("proto: exceeded max number of values")
        values.append(value)
    elif value is not None and not (field.form == "some" and not value):
        obj[field.name] = value


def _value(part: int | bytes, kind: str, depth: int) -> Any:
    read = _READERS.get(kind)
    if read is not None:
        return read(part)
    read_schema = _SCHEMA_READERS.get(kind)
    if read_schema is not None:
        return read_schema(part, depth + 1)
    return _message(_bytes(part), kind, depth + 1)


def _int(part: int | bytes) -> int:
    if not isinstance(part, int):
        raise ProtobufError("proto: wrong wireType for an integer")
    return part - (1 << 64) if part >= 1 << 63 else part


def _bytes(part: int | bytes) -> bytes:
    if not isinstance(part, bytes):
        raise ProtobufError("proto: wrong wireType for a message")
    return part


def _text(part: int | bytes) -> str:
    try:
        return _bytes(part).decode()
    except UnicodeDecodeError:
        raise ProtobufError("proto: invalid UTF-8 in a string") from None


def _double(part: int | bytes) -> float:
    """As JSON would have it: a whole number has no fraction."""
    number: float = struct.unpack("<d", struct.pack("<Q", _int(part) & VARINT_MASK))[0]
    if not math.isfinite(number):
        raise ProtobufError(f"json: unsupported value: {number}")
    return int(number) if number.is_integer() and abs(number) < INTEGER_MAX else number


def _int_or_string(part: int | bytes) -> int | str:
    fields = dict(_parts(_bytes(part)))
    return _text(fields.get(3, b"")) if _int(fields.get(1, 0)) else _int(fields.get(2, 0))


def _time(part: int | bytes) -> str | None:
    fields = dict(_parts(_bytes(part)))
    return _written(format_time, _int(fields[1])) if 1 in fields else None


def _micro_time(part: int | bytes) -> str | None:
    fields = dict(_parts(_bytes(part)))
    if 1 not in fields:
        return None
    return _written(format_micro_time, _int(fields[1]) + _int(fields.get(2, 0)) // 1000 / 1_000_000)


def _written(write: Callable[[float], str], seconds: float) -> str:
    try:
        return write(seconds)
    except (ValueError, OverflowError, OSError):
        raise ProtobufError("Time.MarshalJSON: year outside of range [0,9999]") from None


def _json(part: int | bytes) -> Any:
    """What is embedded as JSON text: RawExtension, FieldsV1."""
    raw = _bytes(dict(_parts(_bytes(part))).get(1, b""))
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProtobufError(str(error)) from None


def _schema_or_schemas(part: int | bytes, depth: int) -> Any:
    """`items` of a JSON schema: one, or a list of them."""
    fields = [(number, _message(_bytes(value), JSON_SCHEMA, depth)) for number, value in _parts(_bytes(part))]
    schemas = dict(fields)
    return schemas[1] if 1 in schemas else [schema for _, schema in fields]


def _schema_or_bool(part: int | bytes, depth: int) -> Any:
    fields = dict(_parts(_bytes(part)))
    return _message(_bytes(fields[2]), JSON_SCHEMA, depth) if 2 in fields else bool(_int(fields.get(1, 0)))


def _schema_or_strings(part: int | bytes, depth: int) -> Any:
    fields = list(_parts(_bytes(part)))
    values = dict(fields)
    if 1 in values:
        return _message(_bytes(values[1]), JSON_SCHEMA, depth)
    return [_text(value) for _, value in fields]


def _items(part: int | bytes) -> list[str]:
    return [_text(value) for number, value in _parts(_bytes(part)) if number == 1]


_READERS: dict[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "bytes": lambda part: base64.b64encode(_bytes(part)).decode(),
    "bool": lambda part: bool(_int(part)),
    "int": _int,
    "double": _double,
    "intOrString": _int_or_string,
    "quantity": lambda part: _text(dict(_parts(_bytes(part))).get(1, b"")),
    "time": _time,
    "microTime": _micro_time,
    "raw": _json,
    "fieldsV1": _json,
    "items": _items,
}
_SCHEMA_READERS: dict[str, Callable[[int | bytes, int], Any]] = {
    "schemas": _schema_or_schemas,
    "schemaOrBool": _schema_or_bool,
    "schemaOrStrings": _schema_or_strings,
}
_ZEROS: dict[str, Any] = {"string": "", "bytes": "", "bool": False, "int": 0, "quantity": "0", "items": []}


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers with their raw values, in order. Raises ProtobufError."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(data, position)
            yield number, value
        elif wire == BYTES:
            size, position = _varint(data, position)
            if position + size > end:
                raise ProtobufError("unexpected EOF")
            yield number, data[position : position + size]
            position += size
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            if position + size > end:
                raise ProtobufError("unexpected EOF")
            yield number, int.from_bytes(data[position : position + size], "little")
            position += size
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(10):
        if position + index >= len(data):
            raise ProtobufError("unexpected EOF")
        byte = data[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & VARINT_MASK, position + index + 1
    raise ProtobufError("proto: integer overflow")
