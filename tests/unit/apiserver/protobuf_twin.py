"""Kubernetes' messages for the library of protobuf, to check our codec against another one."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from mamekube.apiserver.formats.protobuf import JSON_SCHEMA, _messages, fields_of
from mamekube.foundation.clock import format_micro_time, format_time

Object = dict[str, Any]
Descriptor = descriptor_pb2.FieldDescriptorProto

PLAIN = {
    "string": Descriptor.TYPE_STRING,
    "bytes": Descriptor.TYPE_BYTES,
    "bool": Descriptor.TYPE_BOOL,
    "int": Descriptor.TYPE_INT64,
    "double": Descriptor.TYPE_DOUBLE,
}
SPECIAL: dict[str, list[tuple[str, int, str, bool]]] = {
    "quantity": [("string", 1, "string", False)],
    "time": [("seconds", 1, "int", False), ("nanos", 2, "int", False)],
    "microTime": [("seconds", 1, "int", False), ("nanos", 2, "int", False)],
    "intOrString": [("type", 1, "int", False), ("int", 2, "int", False), ("str", 3, "string", False)],
    "raw": [("raw", 1, "bytes", False)],
    "fieldsV1": [("raw", 1, "bytes", False)],
    "items": [("items", 1, "string", True)],
    "schemas": [("schema", 1, JSON_SCHEMA, False), ("list", 2, JSON_SCHEMA, True)],
    "schemaOrBool": [("allows", 1, "bool", False), ("schema", 2, JSON_SCHEMA, False)],
    "schemaOrStrings": [("schema", 1, JSON_SCHEMA, False), ("strings", 2, "string", True)],
    "typeMeta": [("apiVersion", 1, "string", False), ("kind", 2, "string", False)],
    "unknown": [("typeMeta", 1, "typeMeta", False), ("raw", 2, "bytes", False)],
    "watchEvent": [("type", 1, "string", False), ("object", 2, "raw", False)],
    "list": [
        ("metadata", 1, "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", False),
        ("items", 2, "bytes", True),
    ],
}
"""By type of the table: the fields of the message, as name, number, type and whether there are several."""


def _mangled(name: str) -> str:
    return "M_" + "".join(letter if letter.isalnum() else "_" for letter in name)


def _add(message: descriptor_pb2.DescriptorProto, number: int, kind: str, *, many: bool) -> None:
    field = message.field.add(name=f"f{number}", number=number)
    field.label = Descriptor.LABEL_REPEATED if many else Descriptor.LABEL_OPTIONAL
    if kind in PLAIN:
        field.type = PLAIN[kind]
    else:
        field.type, field.type_name = Descriptor.TYPE_MESSAGE, ".k8s." + _mangled(kind)


def _add_entry(file: descriptor_pb2.FileDescriptorProto, kind: str, known: set[str]) -> str:
    name = f"entry.{kind}"
    if name not in known:
        known.add(name)
        entry = file.message_type.add(name=_mangled(name))
        _add(entry, 1, "string", many=False)
        _add(entry, 2, kind, many=False)
    return name


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="k8s.proto", package="k8s", syntax="proto2")
    entries: set[str] = set()
    for kind, fields in SPECIAL.items():
        message = file.message_type.add(name=_mangled(kind))
        for _, number, of, many in fields:
            _add(message, number, of, many=many)
    for name in _messages():
        message = file.message_type.add(name=_mangled(name))
        for number, field in fields_of(name).items():
            kind = _add_entry(file, field.type, entries) if field.form == "map" else field.type
            _add(message, number, kind, many=field.form in ("list", "map"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def parse(data: bytes, kind: str) -> Any:
    """A message of the library. Raises DecodeError; asserts that every field is one that the message has."""
    message = message_factory.GetMessageClass(_pool().FindMessageTypeByName("k8s." + _mangled(kind)))()
    message.ParseFromString(data)
    assert message.SerializeToString() or not data
    return message


def as_json(message: Any, kind: str) -> Any:
    """The JSON of a message."""
    if kind in PLAIN:
        return base64.b64encode(message).decode() if kind == "bytes" else message
    if kind in SPECIAL:
        return _special(message, kind)
    obj: Object = {}
    for number, field in fields_of(kind).items():
        value = getattr(message, f"f{number}")
        if field.form == "map":
            if value:
                obj[field.name] = {entry.f1: as_json(entry.f2, field.type) for entry in value}
        elif field.form == "list":
            if value:
                obj[field.name] = [as_json(item, field.type) for item in value]
        elif message.HasField(f"f{number}"):
            shown = as_json(value, field.type)
            obj |= shown if field.form == "inline" else {field.name: shown}
    return obj


def _special(message: Any, kind: str) -> Any:
    if kind == "quantity":
        return message.f1
    if kind == "time":
        return format_time(message.f1)
    if kind == "microTime":
        return format_micro_time(message.f1 + message.f2 / 1e9)
    if kind == "intOrString":
        return message.f3 if message.f1 else message.f2
    if kind in ("raw", "fieldsV1"):
        return orjson.loads(message.f1)
    if kind == "items":
        return list(message.f1)
    if kind == "schemaOrBool":
        return as_json(message.f2, JSON_SCHEMA) if message.HasField("f2") else message.f1
    if message.HasField("f1"):
        return as_json(message.f1, JSON_SCHEMA)
    return [as_json(item, JSON_SCHEMA) if kind == "schemas" else item for item in message.f2]
