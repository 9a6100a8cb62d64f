"""Objects of every kind, made at random out of the schemas of v1.36, nulls and empty parts included."""

from __future__ import annotations

import random
from typing import Any

from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.schema import definitions

DEPTH_MAX = 9
WORDS = (
    "",
    "a",
    "A b",
    "app",
    "x.y",
    "Always",
    "None",
    "10.0.0.1",
    "0",
    "25%",
    "v1",
    "TCP",
    "In",
    "metadata.name",
)
NUMBERS = (-1, 0, 1, 80, 70000)
QUANTITIES = ("100m", "1", "1Gi", "-1", "x", 2, 0.5)


def sample(kind: Kind, chance: random.Random) -> Object:
    """An object with right types: what passes the decoder, however little sense it makes."""
    assert isinstance(kind.schema, str)
    made = _value({"$ref": f"#/definitions/{kind.schema}"}, chance, DEPTH_MAX)
    made = made if isinstance(made, dict) else {}
    metadata = made.get("metadata") if isinstance(made.get("metadata"), dict) else {}
    return {**made, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {**metadata, "name": "x"}}


def _value(schema: dict[str, Any], chance: random.Random, depth: int) -> Any:
    if "$ref" in schema or "allOf" in schema:
        schema = schema if "$ref" in schema else schema["allOf"][0]
        name = schema["$ref"].rpartition("/")[2]
        if name.endswith("resource.Quantity"):
            return chance.choice(QUANTITIES)
        if name.endswith("IntOrString"):
            return chance.choice((1, 0, "25%", "x", "http"))
        if name.endswith(("v1.Time", "v1.MicroTime")):
            return chance.choice(("2026-01-01T00:00:00Z", None))
        return _value(definitions()[name], chance, depth - 1)
    if "properties" in schema:
        return {
            field: None if chance.random() < 0.05 else _value(inner, chance, depth - 1)
            for field, inner in schema["properties"].items()
            if depth > 0 and chance.random() < 0.55
        }
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "array":
        return [_value(schema["items"], chance, depth - 1) for _ in range(chance.randrange(3))]
    if kind == "object":
        inner = schema.get("additionalProperties")
        if not isinstance(inner, dict):
            return {}
        return {chance.choice(WORDS): _value(inner, chance, depth - 1) for _ in range(chance.randrange(3))}
    if kind == "string":
        return chance.choice(WORDS)
    return chance.choice(NUMBERS) if kind in ("integer", "number") else chance.choice((True, False))
