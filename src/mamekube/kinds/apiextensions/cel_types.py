"""Structural schemas for CEL: the type that a rule's `self` has, and the value that it is given.

JSON is CEL already but for texts that stand for times, durations and bytes, for whole numbers where any number
may stand, for lists that are sets or maps, and for fields that are null. Fields of which the schema says nothing
are unknown to rules.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Set
from typing import Any

from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.library.standard import parse_duration, parse_timestamp
from mamekube.objects.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    object_type,
)
from mamekube.objects.cel.values import MapList, SetList, Timestamp, escape

Schema = Mapping[str, Any]
Convert = Callable[[Any], Any]

_SCALARS = {"boolean": BOOL, "integer": INT, "number": DOUBLE, "string": STRING}
_FORMATS = {"byte": BYTES, "date": TIMESTAMP, "date-time": TIMESTAMP, "duration": DURATION}

_METADATA = object_type("metadata", {"name": STRING, "generateName": STRING})
_RESOURCE = {"apiVersion": STRING, "kind": STRING, "metadata": _METADATA}


def type_of(schema: Schema, *, resource: bool = False) -> Type | None:
    """None where rules cannot know it. `resource`: it has apiVersion, kind and metadata."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    kind = schema.get("type")
    if kind == "array":
        element = type_of(schema.get("items") or {}, resource=_is_resource(schema.get("items")))
        return list_of(element) if element is not None else None
    if kind == "object":
        return _object_type(schema, resource=resource)
    if kind == "string":
        return _FORMATS.get(schema.get("format") or "", STRING)
    return _SCALARS.get(kind or "")


def _object_type(schema: Schema, *, resource: bool) -> Type | None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        value = type_of(more, resource=_is_resource(more))
        return map_of(STRING, value) if value is not None else None
    fields: dict[str, Type] = {}
    for name, below in (schema.get("properties") or {}).items():
        found = type_of(below, resource=_is_resource(below))
        if found is not None:
            fields[escape(name)] = found
    return object_type("object", {**fields, **_RESOURCE} if resource else fields)


def _is_resource(schema: Any) -> bool:
    return isinstance(schema, Mapping) and bool(schema.get("x-kubernetes-embedded-resource"))


def converter(schema: Schema) -> Convert | None:
    """What makes CEL of a value's JSON; None where that is the same."""
    if schema.get("x-kubernetes-int-or-string"):
        return None
    kind = schema.get("type")
    if kind == "number":
        return lambda value: float(value) if isinstance(value, int) else value
    if kind == "string":
        return _TEXTS.get(schema.get("format") or "")
    if kind == "array":
        element = converter(schema.get("items") or {})
        whole = _each(element) if element is not None else None
        list_type = schema.get("x-kubernetes-list-type")
        if list_type == "set":
            return _wrapped(SetList, whole)
        if list_type == "map":
            keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
            return _wrapped(lambda items: MapList(items, keys), whole)
        return whole
    if kind != "object":
        return None
    more = schema.get("additionalProperties")
    rest = converter(more) if isinstance(more, Mapping) else None
    found = {name: converter(below) for name, below in (schema.get("properties") or {}).items()}
    fields = {name: convert for name, convert in found.items() if convert is not None}
    nullable = {name for name, below in (schema.get("properties") or {}).items() if below.get("nullable")}
    return _fields(fields, rest, nullable) if fields or nullable or rest is not None else None


def _wrapped(wrap: Callable[[list[Any]], Any], convert: Convert | None) -> Convert:
    def wrapped(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return wrap(value if convert is None else convert(value))

    return wrapped


def _each(convert: Convert) -> Convert:
    return lambda value: [convert(item) for item in value] if isinstance(value, list) else value


def _fields(fields: Mapping[str, Convert], rest: Convert | None, nullable: Set[str]) -> Convert:
    """A field that is null is to rules as if it were not there."""

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: _field(fields.get(name, rest), item)
            for name, item in value.items()
            if item is not None or name not in nullable
        }

    return convert


def _field(convert: Convert | None, value: Any) -> Any:
    return value if convert is None else convert(value)


def _parsed(parse: Callable[[str], Any]) -> Convert:
    """What does not parse stays what it is: the schema's own check has refused it, or was told not to."""

    def convert(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except (EvaluationError, ValueError):
            return value

    return convert


def _parse_date(text: str) -> Timestamp:
    return parse_timestamp(f"{text}T00:00:00Z")


_TEXTS: Mapping[str, Convert] = {
    "byte": _parsed(lambda text: binascii.a2b_base64(text)),
    "date": _parsed(_parse_date),
    "date-time": _parsed(parse_timestamp),
    "duration": _parsed(parse_duration),
}
