"""The types of Kubernetes objects for the checker."""

from __future__ import annotations

from collections.abc import Mapping

from mamekube.objects import schema as schemas
from mamekube.objects.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    ObjectType,
    Type,
    list_of,
    map_of,
)
from mamekube.objects.cel.values import escape
from mamekube.objects.schema import Schema

_SCALARS: Mapping[str, Type] = {
    schemas.STRING: STRING,
    schemas.INT32: INT,
    schemas.INT64: INT,
    schemas.NUMBER: DOUBLE,
    schemas.BOOL: BOOL,
    schemas.BYTES: BYTES,
    schemas.TIME: TIMESTAMP,
    schemas.MICRO_TIME: TIMESTAMP,
    schemas.QUANTITY: STRING,
    schemas.INT_OR_STRING: DYN,
    schemas.ANY: DYN,
}


def type_of_schema(schema: Schema) -> Type:
    """The type of values of a schema. Fields that may be unknown make a type that may be anything."""
    if schema.type == schemas.LIST:
        return list_of(type_of_schema(schema.element))
    if schema.type == schemas.MAP:
        return map_of(STRING, type_of_schema(schema.element))
    if schema.type == schemas.OBJECT:
        if schema.preserve:
            return DYN
        return ObjectType(
            schema.name or schema.go_type,
            lambda: {escape(name): type_of_schema(field) for name, field in schema.fields.items()},
        )
    return _SCALARS.get(schema.type, DYN)


def whole_object(schema: Schema) -> Type:
    """The type of an object of some kind: it always has a kind, a version and metadata."""
    found = type_of_schema(schema)
    if not isinstance(found, ObjectType):
        return found
    return ObjectType(found.name, lambda: {"apiVersion": STRING, "kind": STRING, **found.fields})
