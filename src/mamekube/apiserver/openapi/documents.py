"""What the OpenAPI documents define, made from the package's definitions and the kinds.

Pure: kinds in, plain values out, one definition at a time so that no whole document need ever be held as a tree.
v2 is Swagger 2.0, v3 is OpenAPI 3.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mamekube.apiserver.openapi import markers
from mamekube.apiserver.openapi.operations import (
    META,
    PREFIXES,
    TEXT,
    V2,
    V3,
    Operation,
    definition_name,
    gvk_of,
)
from mamekube.kinds.kind import Kind
from mamekube.objects.schema import OBJECT_META, definitions, held_by_value

INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
WORDS: Mapping[str, str] = {
    INT_OR_STRING: "IntOrString is a number, or a text such as a percentage or the name of a port.",
    QUANTITY: (
        "Quantity is a decimal number, alone or with a suffix: m for thousandths; k, M, G, T, P and E for powers of "
        "1000; Ki, Mi, Gi, Ti, Pi and Ei for powers of 1024; or an exponent such as e3."
    ),
}
"""What the package's definitions have no description of."""

ZEROS: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False}
OPAQUE = frozenset({"byte", "date-time", "int-or-string"})
"""Formats whose zero is none in JSON."""

SELECTABLE = "x-kubernetes-selectable-fields"
ADDED = ("x-kubernetes-group-version-kind", SELECTABLE)
"""What the server, and not the definition's author, says of a custom kind."""

UNPUBLISHED = frozenset({"$schema", "example"})
"""What a custom kind's schema may say, and upstream does not keep for its documents."""

DESCRIBED_BY = "io.k8s.api.core.v1.ConfigMap"
"""A kind whose words for `apiVersion`, `kind` and `metadata` custom ones take over."""


# Definitions --------------------------------------------------------------------------------------------


def custom_definitions(kind: Kind) -> dict[str, dict[str, Any]]:
    """The definitions of a custom kind and of its list, in the package's form."""
    name, top = definition_name(kind), _described_metadata()
    own = _with_embedded(kind.schema, top) if isinstance(kind.schema, Mapping) else {}
    own["type"] = "object"
    own["properties"] = {**(own.get("properties") or {}), **top}
    own["x-kubernetes-group-version-kind"] = [gvk_of(kind)]
    if kind.selectable:
        own[SELECTABLE] = [{"fieldPath": path} for path in kind.selectable]
    conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    listed = {
        "description": f"{kind.kind}List is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **top,
            "metadata": {
                "description": f"Standard list metadata. More info: {conventions}#types-kinds",
                "$ref": f"#/$defs/{META}ListMeta",
            },
            "items": {
                "description": f"List of {kind.plural}. More info: {conventions}",
                "type": "array",
                "items": {"$ref": "#/$defs/" + name},
            },
        },
        "x-kubernetes-group-version-kind": [{**gvk_of(kind), "kind": kind.list_kind or kind.kind + "List"}],
    }
    return {name: own, name + "List": listed}


def _described_metadata() -> dict[str, Any]:
    """`apiVersion`, `kind` and `metadata` as every object has them."""
    properties = definitions()[DESCRIBED_BY]["properties"]
    return {
        "apiVersion": {"description": properties["apiVersion"]["description"], "type": "string"},
        "kind": {"description": properties["kind"]["description"], "type": "string"},
        "metadata": {
            "description": properties["metadata"]["description"],
            "$ref": "#/$defs/" + OBJECT_META,
        },
    }


def _with_embedded(schema: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with what every resource inside of it has, and without what is never published."""
    made = {key: value for key, value in schema.items() if key not in UNPUBLISHED}
    if made.get("properties"):
        made["properties"] = {name: _with_embedded(below, top) for name, below in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), Mapping):
            made[key] = _with_embedded(made[key], top)
    if made.get("x-kubernetes-embedded-resource"):
        made["properties"] = {**(made.get("properties") or {}), **top}
    return made


def closure(kinds: Iterable[Kind], described: Iterable[Operation]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The definitions that these operations, some of them on `kinds`, need; in order of name, in the package's form."""
    custom: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        if not isinstance(kind.schema, str):
            custom |= custom_definitions(kind)
    wanted = set().union(*({operation.body, operation.answer} for operation in described)) - {"", TEXT}
    pending, found = list(wanted), set[str]()
    while pending:
        name = pending.pop()
        if name not in found and (name in custom or name in definitions()):
            found.add(name)
            pending.extend(references(custom.get(name) or definitions()[name]))
    for name in sorted(found):
        yield name, custom.get(name) or definitions()[name]


def references(value: Any) -> Iterator[str]:
    """The names of all definitions that a definition refers to."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix("#/$defs/")
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def dialect(name: str, definition: Mapping[str, Any], version: int) -> dict[str, Any]:
    """A definition of the package in the words of one version of OpenAPI."""
    if version == V2 and _keeps_unknown(definition) and "x-kubernetes-group-version-kind" in definition:
        # kubectl would refuse every field that is not listed.
        return {key: definition[key] for key in ("type", *ADDED) if key in definition}
    if name in WORDS:
        definition = {"description": WORDS[name], **definition}
    result = _translated(definition, version)
    if name == INT_OR_STRING:
        return {
            "description": definition["description"],
            "format": "int-or-string",
            **({"type": "string"} if version == V2 else {"oneOf": [{"type": "integer"}, {"type": "string"}]}),
        }
    if name == QUANTITY and version == V2:
        return {"description": definition["description"], "type": "string"}
    if "x-kubernetes-group-version-kind" in definition:
        for prop in ("apiVersion", "kind"):
            result.get("properties", {}).get(prop, {}).pop("enum", None)
    if name in definitions():
        markers.add_enums(name, result)
        if version == V3:
            _add_defaults(name, definition, result)
            markers.add_defaults(name, result)
    return result


def _add_defaults(name: str, definition: Mapping[str, Any], shown: dict[str, Any]) -> None:
    """What Go has in place of fields that are absent, as version 3 alone says it."""
    structs = held_by_value(name, definition)
    required = definition.get("required") or ()
    for field, below in (definition.get("properties") or {}).items():
        here = shown["properties"][field]
        if "$ref" in below:
            if field in structs:
                shown["properties"][field] = _with_default(below, here)
            continue
        for key in ("items", "additionalProperties"):
            if isinstance(below.get(key), Mapping):
                here[key] = _with_default(below[key], here[key])
        if field in required:
            shown["properties"][field] = _with_default(below, here)


def _with_default(definition: Mapping[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    reference = definition.get("$ref")
    if reference is not None:
        target = definitions().get(reference.removeprefix("#/$defs/")) or {}
        if "properties" not in target:
            return shown
        rest = {key: value for key, value in shown.items() if key != "$ref"}
        return (
            {"allOf": [{"$ref": shown["$ref"]}], **rest, "default": {}}
            if "$ref" in shown
            else {
                **shown,
                "default": {},
            }
        )
    kind = definition.get("type")
    zero = ZEROS.get(kind if isinstance(kind, str) else (kind or [""])[0])
    return shown if zero is None or definition.get("format") in OPAQUE else {**shown, "default": zero}


_V2_LACKS = frozenset({"nullable", "oneOf", "anyOf", "allOf", "not", "default"})


def _keeps_unknown(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def _for_v2(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what clients of v2 stumble over: null and unknown fields beside known ones, lists of anything."""
    untyped = bool(schema.get("nullable")) or (_keeps_unknown(schema) and schema.get("type") == "object")
    dropped = {"properties", "items"} if schema.get("nullable") or _keeps_unknown(schema) else set()
    if untyped or (schema.get("type") == "array" and ("items" in dropped or "items" not in schema)):
        dropped.add("type")
    nullable = frozenset() if "properties" in dropped else _nullable_fields(schema)
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and values.get("nullable"):
        dropped.add("required")
    if not dropped and not nullable:
        return schema
    plain = {key: value for key, value in schema.items() if key not in dropped}
    if nullable and "required" in plain:
        plain["required"] = [name for name in plain["required"] if name not in nullable]
        if not plain["required"]:
            del plain["required"]
    return plain


def _nullable_fields(schema: Mapping[str, Any]) -> frozenset[str]:
    properties = schema.get("properties") or {}
    return frozenset(name for name, below in properties.items() if below.get("nullable"))


def _translated(schema: Mapping[str, Any], version: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if version == V2:
        schema = _for_v2(schema)
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            result[key] = next(item for item in value if item != "null")
        elif key == "$ref":
            result[key] = PREFIXES[version] + value.removeprefix("#/$defs/")
        elif key == "properties":
            result[key] = {name: _translated(item, version) for name, item in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
            if key != "not" or version == V3:
                result[key] = _translated(value, version)
        elif key in ("oneOf", "anyOf", "allOf"):
            if version == V3:
                result[key] = [_translated(item, version) for item in value]
        elif version == V3 or key not in _V2_LACKS:
            result[key] = value
    if version == V3 and "$ref" in result and len(result) > 1:
        return {"allOf": [{"$ref": result.pop("$ref")}], **result}
    return result
