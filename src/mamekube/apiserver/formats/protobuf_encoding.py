"""Objects, lists and watch events written in Kubernetes' protobuf, from the dicts that are their JSON.

The other half of `protobuf`, by the same table. What an object does not have is left out, which readers do not tell
from a zero. How each field is written is worked out once per message.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import orjson

from mamekube.apiserver.formats.protobuf import (
    JSON_SCHEMA,
    MAGIC,
    META,
    RAW,
    TYPE_META,
    fields_of,
    is_message,
    message_name,
)
from mamekube.foundation.clock import parse_time
from mamekube.foundation.protowire import BYTES, FIXED64, VARINT, delimited, sized, tag_of, varint
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError

CONTENT_ENCODING, CONTENT_TYPE = 3, 4
"""Of the envelope; always empty."""

FRAME_HEAD = struct.Struct(">I")
"""In a watch, the size of each event stands before it."""


class Step(NamedTuple):
    """How one field is written. `tag` stands before each of its values, `entry_tag` before those of a map's entries."""

    tag: bytes
    form: str
    value: Callable[[Any], bytes]
    entry_tag: bytes = b""
    inline: str = ""
    """The message that the field belongs to, where that one's fields are the object's own."""


def encode(obj: Object) -> bytes:
    """An object, or a list of them, in its envelope. Raises 406 for what has no messages."""
    return envelope(obj, _object(obj))


def encode_event(kind: str, obj: Object) -> bytes:
    """One event of a watch, with its size before it."""
    event = delimited(1, kind.encode()) + delimited(2, delimited(1, encode(obj)))
    return FRAME_HEAD.pack(len(event)) + event


def envelope(obj: Object, raw: bytes) -> bytes:
    type_meta = delimited(1, obj["apiVersion"].encode()) + delimited(2, obj["kind"].encode())
    parts = ((TYPE_META, type_meta), (RAW, raw), (CONTENT_ENCODING, b""), (CONTENT_TYPE, b""))
    return MAGIC + b"".join(delimited(number, part) for number, part in parts)


def _object(obj: Object) -> bytes:
    api_version, kind = obj["apiVersion"], obj["kind"]
    if api_version == "meta.k8s.io/v1beta1":  # whose messages are v1's
        api_version = "meta.k8s.io/v1"
    name = message_name(api_version, kind)
    if is_message(name):
        return _message(obj, name)
    of_item = message_name(api_version, kind.removesuffix("List"))
    if kind.endswith("List") and is_message(of_item):
        metadata = delimited(1, _message(obj.get("metadata") or {}, f"{META}.ListMeta"))
        return metadata + b"".join(delimited(2, _message(item, of_item)) for item in obj["items"])
    raise not_marshalable(obj)


def not_marshalable(obj: Object) -> StatusError:
    """Upstream's refusal of what is no message there: tables, and everything that is custom."""
    kind = "*v1.Table"
    if obj["kind"] != "Table":
        kind = "*unstructured.UnstructuredList" if "items" in obj else "*unstructured.Unstructured"
    interface = "does not implement the protobuf marshalling interface"
    text = f"object {kind} {interface} and cannot be encoded to a protobuf message"
    return StatusError(406, "NotAcceptable", text, details=None)


# Messages -----------------------------------------------------------------------------------------------


def _message(obj: Mapping[str, Any], message: str) -> bytes:
    steps = _steps(message)
    parts: list[bytes] = []
    inlined: dict[tuple[bytes, str], dict[str, Any]] = {}
    for name, value in obj.items():
        step = steps.get(name)
        if step is None or value is None:
            continue
        if step.inline:
            inlined.setdefault((step.tag, step.inline), {})[name] = value
        elif step.form == "list":
            for item in value:
                parts += (step.tag, step.value(item))
        elif step.form == "map":
            parts += _map(step, value)
        else:
            parts += (step.tag, step.value(value))
    for (tag, below), fields in inlined.items():
        parts += (tag, sized(_message(fields, below)))
    return b"".join(parts)


def _map(step: Step, entries: Mapping[str, Any]) -> Iterator[bytes]:
    for key in sorted(entries):
        if entries[key] is not None:
            yield step.tag + sized(delimited(1, key.encode()) + step.entry_tag + step.value(entries[key]))


@cache
def _steps(message: str) -> dict[str, Step]:
    """By JSON name, for all fields of a message and of those that are inlined in it."""
    steps: dict[str, Step] = {}
    for number, field in fields_of(message).items():
        if field.form == "inline":
            tag = tag_of(number, BYTES)
            steps |= {name: Step(tag, "inline", bytes, inline=field.type) for name in _steps(field.type)}
        else:
            wire, value = _WRITERS.get(field.type) or (BYTES, partial(_sized_message, message=field.type))
            steps[field.name] = Step(tag_of(number, wire), field.form, value, tag_of(2, wire))
    return steps


def _sized_message(obj: Mapping[str, Any], *, message: str) -> bytes:
    return sized(_message(obj, message))


# Values -------------------------------------------------------------------------------------------------


def _number(number: int, value: int) -> bytes:
    return tag_of(number, VARINT) + varint(value)


def _text(value: Any) -> bytes:
    return sized(str(value).encode())


def _time(value: str) -> bytes:
    return sized(_number(1, int(parse_time(value))))


def _micro_time(value: str) -> bytes:
    micros = round(parse_time(value) * 1_000_000)
    return sized(_number(1, micros // 1_000_000) + _number(2, micros % 1_000_000 * 1000))


def _int_or_string(value: int | str) -> bytes:
    is_text = isinstance(value, str)
    number, text = (0, value) if isinstance(value, str) else (value, "")
    return sized(_number(1, is_text) + _number(2, number) + delimited(3, text.encode()))


def _schemas(value: Any) -> bytes:
    """`items` of a JSON schema: one schema, or a list of them."""
    if isinstance(value, list):
        return sized(b"".join(delimited(2, _message(schema, JSON_SCHEMA)) for schema in value))
    return sized(delimited(1, _message(value, JSON_SCHEMA)))


def _schema_or_bool(value: Any) -> bytes:
    if isinstance(value, bool):
        return sized(_number(1, value))
    return sized(_number(1, 1) + delimited(2, _message(value, JSON_SCHEMA)))


def _schema_or_strings(value: Any) -> bytes:
    if isinstance(value, list):
        return sized(b"".join(delimited(2, text.encode()) for text in value))
    return sized(delimited(1, _message(value, JSON_SCHEMA)))


_WRITERS: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "string": (BYTES, _text),
    "bytes": (BYTES, lambda value: sized(base64.b64decode(value))),
    "bool": (VARINT, varint),
    "int": (VARINT, varint),
    "double": (FIXED64, struct.Struct("<d").pack),
    "intOrString": (BYTES, _int_or_string),
    "quantity": (BYTES, lambda value: sized(delimited(1, str(value).encode()))),
    "time": (BYTES, _time),
    "microTime": (BYTES, _micro_time),
    "raw": (BYTES, lambda value: sized(delimited(1, orjson.dumps(value)))),
    "fieldsV1": (BYTES, lambda value: sized(delimited(1, orjson.dumps(value)))),
    "items": (BYTES, lambda value: sized(b"".join(delimited(1, text.encode()) for text in value))),
    "schemas": (BYTES, _schemas),
    "schemaOrBool": (BYTES, _schema_or_bool),
    "schemaOrStrings": (BYTES, _schema_or_strings),
}
