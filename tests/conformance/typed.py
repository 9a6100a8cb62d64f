"""Requests as a Go client with compiled-in types sends them, the suite's among them: bodies in protobuf.

The server's own table says which field has which number; what is checked here is that bodies of this form take the
same way as others, not the numbers.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from tests.conformance.api import Api, Object

from mamekube.apiserver.formats.protobuf import fields_of, message_name

PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPT = f"{PROTOBUF}, */*"


class Typed:
    """A typed client: what it creates and updates goes as protobuf; patches are what they are."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(self, path: str, obj: Object) -> Object:
        return self._send("POST", path, obj)

    def update(self, path: str, obj: Object) -> Object:
        return self._send("PUT", path, obj)

    def refusal(self, path: str, obj: Object, method: str = "POST") -> Any:
        return self._api.refusal(method, path, encode(obj), content_type=PROTOBUF, headers={"Accept": ACCEPT})

    def delete(self, path: str, **query: Any) -> Object:
        """With empty options, as they are sent when a test says nothing; selectors make it a deletecollection."""
        options = {"apiVersion": _group_version(path), "kind": "DeleteOptions"}
        return self._send("DELETE", path, options, query=query)

    def _send(self, method: str, path: str, obj: Object, **more: Any) -> Object:
        return self._api.call(
            method, path, encode(obj), content_type=PROTOBUF, headers={"Accept": ACCEPT}, **more
        )


def _group_version(path: str) -> str:
    parts = path.split("/")
    return parts[2] if parts[1] == "api" else f"{parts[2]}/{parts[3]}"


def encode(obj: Object) -> bytes:
    """An object in the envelope."""
    api_version, kind = obj["apiVersion"], obj["kind"]
    raw = _message(obj, message_name(api_version, kind))
    type_meta = _bytes(1, api_version.encode()) + _bytes(2, kind.encode())
    return b"k8s\0" + b"".join((_bytes(1, type_meta), _bytes(2, raw), _bytes(3, b""), _bytes(4, b"")))


def _message(obj: Object, name: str) -> bytes:
    return b"".join(
        part for number, field in sorted(fields_of(name).items()) for part in _field(obj, number, field)
    )


def _field(obj: Object, number: int, field: Any) -> Iterable[bytes]:
    if field.form == "inline":
        yield _bytes(number, _message(obj, field.type))
        return
    value = obj.get(field.name)
    if value is None:
        return
    if field.form == "map":
        for key, item in value.items():
            yield _bytes(number, _bytes(1, key.encode()) + _value(2, item, field.type))
    elif field.form == "list":
        yield from (_value(number, item, field.type) for item in value)
    else:
        yield _value(number, value, field.type)


def _value(number: int, value: Any, kind: str) -> bytes:
    match kind:
        case "bool" | "int":
            return _varint(number << 3) + _varint(int(value) & (2**64 - 1))
        case "double":
            return _varint(number << 3 | 1) + struct.pack("<d", value)
        case "string":
            return _bytes(number, value.encode())
        case "bytes":
            return _bytes(number, base64.b64decode(value))
        case "quantity":
            return _bytes(number, _bytes(1, str(value).encode()))
        case "raw" | "fieldsV1":
            return _bytes(number, _bytes(1, orjson.dumps(value)))
        case "time" | "microTime":
            moment = datetime.fromisoformat(value)
            seconds, nanos = math.floor(moment.timestamp()), moment.microsecond * 1000
            return _bytes(number, _value(1, seconds, "int") + _value(2, nanos, "int"))
        case "intOrString":
            return _bytes(number, _int_or_string(value))
        case "items":
            return _bytes(number, b"".join(_bytes(1, item.encode()) for item in value))
        case "schemas":
            schemas = [(1, value)] if isinstance(value, dict) else [(2, one) for one in value]
            return _bytes(number, b"".join(_value(place, one, SCHEMA) for place, one in schemas))
        case "schemaOrBool":
            schema = _value(2, value, SCHEMA) if isinstance(value, dict) else b""
            return _bytes(number, _value(1, value is not False, "bool") + schema)
    return _bytes(number, _message(value, kind))


SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, int):
        return _value(1, 0, "int") + _value(2, value, "int") + _bytes(3, b"")
    return _value(1, 1, "int") + _value(2, 0, "int") + _bytes(3, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
