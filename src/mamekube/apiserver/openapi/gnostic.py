"""OpenAPI v2 as protobuf, in the form of gnostic's `openapi.v2.Document`: what client-go asks /openapi/v2 for.

The messages are a table of field numbers; a value that the table does not name is left out, and keys that start
with `x-` become vendor extensions. Only writing is needed, so there is no reader.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from mamekube.foundation.protowire import FIXED64, VARINT, delimited, tag_of, varint

Field = tuple[int, str]
"""Number and form: `string`, `strings`, `bool`, `int`, `double`, `any`, `anys`, `MESSAGE`, `MESSAGE*` (repeated),
`{MESSAGE}` (a map, as a message of named values)."""

_LIMITS: Mapping[str, Field] = {
    "maximum": (7, "double"),
    "minimum": (9, "double"),
    "maxLength": (11, "int"),
    "minLength": (12, "int"),
    "pattern": (13, "string"),
    "maxItems": (14, "int"),
    "minItems": (15, "int"),
    "uniqueItems": (16, "bool"),
}

MESSAGES: Mapping[str, tuple[Mapping[str, Field], int]] = {
    "Info": ({"title": (1, "string"), "version": (2, "string")}, 7),
    "Schema": (
        {
            "$ref": (1, "string"),
            "format": (2, "string"),
            "title": (3, "string"),
            "description": (4, "string"),
            "default": (5, "any"),
            **_LIMITS,
            "multipleOf": (6, "double"),
            "exclusiveMaximum": (8, "bool"),
            "exclusiveMinimum": (10, "bool"),
            "maxProperties": (17, "int"),
            "minProperties": (18, "int"),
            "required": (19, "strings"),
            "enum": (20, "anys"),
            "additionalProperties": (21, "AdditionalProperties"),
            "type": (22, "Type"),
            "items": (23, "Items"),
            "properties": (25, "{Schema}"),
            "externalDocs": (29, "ExternalDocs"),
        },
        31,
    ),
    "ExternalDocs": ({"description": (1, "string"), "url": (2, "string")}, 3),
    "PathItem": (
        {
            "get": (2, "Operation"),
            "put": (3, "Operation"),
            "post": (4, "Operation"),
            "delete": (5, "Operation"),
            "options": (6, "Operation"),
            "head": (7, "Operation"),
            "patch": (8, "Operation"),
            "parameters": (9, "ParametersItem*"),
        },
        10,
    ),
    "Operation": (
        {
            "tags": (1, "strings"),
            "description": (3, "string"),
            "operationId": (5, "string"),
            "produces": (6, "strings"),
            "consumes": (7, "strings"),
            "parameters": (8, "ParametersItem*"),
            "responses": (9, "Responses"),
            "schemes": (10, "strings"),
        },
        13,
    ),
    "BodyParameter": (
        {
            "description": (1, "string"),
            "name": (2, "string"),
            "in": (3, "string"),
            "required": (4, "bool"),
            "schema": (5, "Schema"),
        },
        6,
    ),
    "QueryParameter": (
        {
            "required": (1, "bool"),
            "in": (2, "string"),
            "description": (3, "string"),
            "name": (4, "string"),
            "type": (6, "string"),
            "uniqueItems": (20, "bool"),
        },
        23,
    ),
    "PathParameter": (
        {
            "required": (1, "bool"),
            "in": (2, "string"),
            "description": (3, "string"),
            "name": (4, "string"),
            "type": (5, "string"),
            "uniqueItems": (19, "bool"),
        },
        22,
    ),
    "Response": ({"description": (1, "string"), "schema": (2, "SchemaItem")}, 5),
    "ApiKeySecurity": (
        {"type": (1, "string"), "name": (2, "string"), "in": (3, "string"), "description": (4, "string")},
        5,
    ),
}
"""By message: its fields by JSON key, and the number of its vendor extensions."""


def encode_document(
    *,
    info: Mapping[str, Any],
    paths: Iterable[tuple[str, Mapping[str, Any]]],
    definitions: Iterable[tuple[str, Mapping[str, Any]]],
    security: Mapping[str, Mapping[str, Any]],
) -> bytes:
    """A whole document. Paths and definitions are taken one at a time."""
    path_items = b"".join(delimited(2, _named(path, _message("PathItem", item))) for path, item in paths)
    schemas = b"".join(delimited(1, _named(name, _message("Schema", item))) for name, item in definitions)
    keys = b"".join(
        delimited(1, _named(name, delimited(2, _message("ApiKeySecurity", item))))
        for name, item in security.items()
    )
    requirement = b"".join(delimited(1, _named(name, b"")) for name in security)
    return b"".join(
        (
            delimited(1, b"2.0"),
            delimited(2, _message("Info", info)),
            delimited(8, path_items),
            delimited(9, schemas),
            delimited(12, requirement),
            delimited(13, keys),
        )
    )


def _message(name: str, value: Mapping[str, Any]) -> bytes:
    fields, extension = MESSAGES[name]
    parts: list[bytes] = []
    for key, item in value.items():
        field = fields.get(key)
        if field is not None:
            parts.append(_field(field[0], field[1], item))
        elif key.startswith("x-"):
            parts.append(delimited(extension, _named(key, _any(item))))
    return b"".join(parts)


def _field(number: int, form: str, value: Any) -> bytes:
    if form == "string":
        return delimited(number, value.encode())
    if form == "strings":
        return b"".join(delimited(number, item.encode()) for item in value)
    if form == "bool":
        return tag_of(number, VARINT) + (b"\x01" if value else b"\x00")
    if form == "int":
        return tag_of(number, VARINT) + varint(int(value))
    if form == "double":
        return tag_of(number, FIXED64) + struct.pack("<d", value)
    if form == "any":
        return delimited(number, _any(value))
    if form == "anys":
        return b"".join(delimited(number, _any(item)) for item in value)
    if form.endswith("*"):
        return b"".join(delimited(number, _nested(form[:-1], item)) for item in value)
    if form.startswith("{"):
        inner = form[1:-1]
        return delimited(
            number,
            b"".join(delimited(1, _named(name, _message(inner, item))) for name, item in value.items()),
        )
    return delimited(number, _nested(form, value))


def _nested(form: str, value: Any) -> bytes:
    """Messages whose JSON has another shape than they have themselves."""
    if form == "AdditionalProperties":
        return (
            b"\x10" + (b"\x01" if value else b"\x00")
            if isinstance(value, bool)
            else delimited(1, _message("Schema", value))
        )
    if form == "Type":
        return b"".join(
            delimited(1, item.encode()) for item in ([value] if isinstance(value, str) else value)
        )
    if form in ("Items", "SchemaItem"):
        return delimited(1, _message("Schema", value))
    if form == "ParametersItem":
        return delimited(1, _parameter(value))
    if form == "Responses":
        return b"".join(
            delimited(1, _named(code, delimited(1, _message("Response", item))))
            for code, item in value.items()
        )
    return _message(form, value)


def _parameter(value: Mapping[str, Any]) -> bytes:
    if value["in"] == "body":
        return delimited(1, _message("BodyParameter", value))
    if value["in"] == "path":
        return delimited(2, delimited(4, _message("PathParameter", value)))
    return delimited(2, delimited(3, _message("QueryParameter", value)))


def _any(value: Any) -> bytes:
    """gnostic's Any holds YAML, of which JSON is a part."""
    return delimited(2, orjson.dumps(value) + b"\n")


def _named(name: str, value: bytes) -> bytes:
    return delimited(1, name.encode()) + delimited(2, value)
