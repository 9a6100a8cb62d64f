"""The types of Kubernetes v1.36, and of custom resources, as patches and field validation read them.

A `Schema` says of one value what it is, which fields it has, how its lists and maps merge, and what Go type
upstream holds it in (messages name that). The built-in ones come out of the `kubernetes-validate` package, one
definition at a time when first asked for, so that what nobody uses costs nothing. Descriptions are never kept:
`definitions()` reads them again.

A schema is immutable once built, and shared. It knows no values and no registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

VERSION = "v1.36.0"

OBJECT = "object"
MAP = "map"
LIST = "list"
STRING = "string"
INT32 = "int32"
INT64 = "int64"
NUMBER = "float64"
BOOL = "bool"
BYTES = "bytes"
TIME = "time"
MICRO_TIME = "micro-time"
QUANTITY = "quantity"
INT_OR_STRING = "int-or-string"
ANY = "any"
"""JSON of any form, kept as it is: RawExtension, `x-kubernetes-preserve-unknown-fields` without properties."""

SCALARS = frozenset({STRING, INT32, INT64, NUMBER, BOOL, BYTES, TIME, MICRO_TIME, QUANTITY, INT_OR_STRING})

GRANULAR = "granular"
ATOMIC = "atomic"
SET = "set"
ASSOCIATIVE = "map"

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
OBJECT_META = _META + "ObjectMeta"

_SPECIAL = {
    _META + "Time": (TIME, "v1.Time"),
    _META + "MicroTime": (MICRO_TIME, "v1.MicroTime"),
    _META + "FieldsV1": (ANY, "v1.FieldsV1"),
    _META + "Patch": (ANY, "v1.Patch"),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": (ANY, "runtime.RawExtension"),
    "io.k8s.apimachinery.pkg.api.resource.Quantity": (QUANTITY, "resource.Quantity"),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": (INT_OR_STRING, "intstr.IntOrString"),
}

_BY_VALUE = frozenset({"metadata", "spec", "status"})
"""Fields that a kind holds by value where `struct_fields.json` does not know it."""

KEY_DEFAULTS: Mapping[tuple[str, str], str] = {
    ("ContainerPort", "protocol"): "TCP",
    ("ServicePort", "protocol"): "TCP",
}
"""Defaults of fields that are keys of associative lists: an element without the field has this key."""


class Schema:
    """The type of one value, in the place where it stands (patch strategies belong to the field).

    `fields`, `element` and `names` are worked out when first read: definitions refer to each other in circles.
    """

    __slots__ = (
        "_build",
        "atomic",
        "by_value",
        "compiled",
        "custom",
        "default",
        "element",
        "embedded",
        "fields",
        "go_type",
        "keys",
        "list_type",
        "merge_key",
        "name",
        "nullable",
        "plan",
        "preserve",
        "replaces",
        "required",
        "retain_keys",
        "strategy",
        "type",
    )

    type: str
    name: str
    """The name of the definition, `""` for a type without one."""
    go_type: str
    """How upstream's messages name the type: `v1.PodSpec`, `[]v1.Container`, `map[string]string`, `int32`."""
    fields: dict[str, Schema]
    """Of an object. A custom resource's type may have fields and preserve others besides."""
    element: Schema
    """Of a list's elements, of a map's values."""
    list_type: str
    keys: tuple[str, ...]
    atomic: bool
    """One owner owns the whole value: scalars, atomic lists, maps and structs."""
    strategy: str
    """How a strategic merge patch changes a list: `merge` or `""` for replace."""
    merge_key: str
    retain_keys: bool
    replaces: bool
    """A strategic merge patch replaces this struct or map as a whole."""
    default: Any
    required: bool
    by_value: bool
    custom: bool
    preserve: bool
    """Unknown fields are kept."""
    embedded: bool
    """An object with apiVersion, kind and metadata of its own."""
    nullable: bool
    plan: Any
    """How managed fields walk it: theirs alone, kept here because it is worked out once."""
    compiled: Any
    """The same for field validation."""

    def __init__(
        self, type: str, *, go_type: str = "", build: Callable[[Schema], None] | None = None
    ) -> None:
        self.type = type
        self.name = ""
        self.go_type = go_type or type
        self.list_type = ""
        self.keys = ()
        self.atomic = type in SCALARS or type == ANY
        self.strategy = ""
        self.merge_key = ""
        self.retain_keys = False
        self.replaces = False
        self.default = None
        self.required = False
        self.by_value = False
        self.custom = False
        self.preserve = type == ANY
        self.embedded = False
        self.nullable = False
        self.plan = None
        self.compiled = None
        self._build = build

    def __getattr__(self, attribute: str) -> Any:
        """Several threads may build it at once, and any may be given up in the middle: what they make is equal, and
        nobody is told that there is nothing before there is."""
        if attribute not in ("fields", "element"):
            raise AttributeError(attribute)
        if self._build is not None:
            self._build(self)
        try:
            return object.__getattribute__(self, attribute)
        except AttributeError:
            if attribute != "fields":
                raise
            self.fields = {}
            return self.fields

    def __repr__(self) -> str:
        return f"Schema({self.go_type})"

    def placed(self) -> Schema:
        """A copy that may carry what belongs to the place where it stands; it shares what it consists of."""
        copy = Schema(self.type, go_type=self.go_type, build=lambda built: _share(built, self))
        for attribute in (
            "name",
            "list_type",
            "keys",
            "atomic",
            "custom",
            "preserve",
            "embedded",
            "nullable",
        ):
            setattr(copy, attribute, getattr(self, attribute))
        return copy

    def child(self, key: str) -> Schema | None:
        """The schema of a field or of a map's value; None where the field is unknown."""
        field = self.fields.get(key)
        if field is not None:
            return field
        if self.type == MAP:
            return self.element
        if self.type == ANY or self.preserve:
            return UNTYPED
        return None


def _share(copy: Schema, original: Schema) -> None:
    if original.type == OBJECT:
        copy.fields = original.fields
    elif original.type in (LIST, MAP):
        copy.element = original.element
    else:
        copy.fields = {}


UNTYPED = Schema(ANY, go_type="interface {}")
"""What nothing is known of. Managed fields look at the value: maps are granular, lists atomic."""
UNTYPED.atomic = False
UNTYPED.custom = True
UNTYPED.nullable = True


# The package's definitions ------------------------------------------------------------------------------


class Definitions(Mapping[str, dict[str, Any]]):
    """The definitions by name, each decoded from the file whenever it is asked for and not kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_bytes()
        starts = [
            (match.group(1).decode(), match.start(2))
            for match in re.finditer(rb'\n    "(io\.k8s\.[^"]+)": (\{)', text)
        ]
        ends = [start for _, start in starts[1:]] + [len(text)]
        self._spans = {
            name: (start, text.rindex(b"\n    }", start, end) + len(b"\n    }"))
            for (name, start), end in zip(starts, ends, strict=True)
        }

    def __getitem__(self, name: str) -> dict[str, Any]:
        start, end = self._spans[name]
        with self._path.open("rb") as file:
            file.seek(start)
            decoded: dict[str, Any] = orjson.loads(file.read(end - start))
        return decoded

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __contains__(self, name: object) -> bool:
        return name in self._spans


@cache
def definitions() -> Definitions:
    """Every definition of the version, by name, in the package's form of JSON schema."""
    package = find_spec("kubernetes_validate")  # importing it would load a validator that is of no use here
    assert package is not None and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0]) / "kubernetes-json-schema"
    return Definitions(folder / f"{VERSION}-local" / "_definitions.json")


def held_by_value(name: str, definition: Mapping[str, Any]) -> frozenset[str]:
    """The fields of a definition that Go holds as structs and not as pointers: they are never absent there."""
    known = frozenset(_struct_fields().get(name, "").split())
    return known or (_BY_VALUE if "x-kubernetes-group-version-kind" in definition else known)


@cache
def _struct_fields() -> dict[str, str]:
    """By definition, the fields that upstream holds by value: they are there, if empty, even in a new object."""
    found: dict[str, str] = orjson.loads(Path(__file__).with_name("struct_fields.json").read_bytes())
    return found


@cache
def builtin_schema(name: str) -> Schema:
    """The schema of one definition, such as `io.k8s.api.core.v1.Pod`. KeyError for an unknown name."""
    if name in _SPECIAL:
        kind, go_type = _SPECIAL[name]
        return Schema(kind, go_type=go_type)
    if name not in definitions():
        raise KeyError(name)
    *_, package, simple = name.split(".")
    definition = definitions()[name]
    if "properties" not in definition and "type" not in definition:
        schema = Schema(ANY, go_type=f"{package}.{simple}")
    else:
        schema = Schema(OBJECT, go_type=f"{package}.{simple}", build=_build_builtin)
        schema.atomic = definition.get("x-kubernetes-map-type") == ATOMIC
    schema.name = name
    return schema


def _build_builtin(schema: Schema) -> None:
    simple = schema.name.rpartition(".")[2]
    definition = definitions()[schema.name]
    by_value = held_by_value(schema.name, definition)
    required = definition.get("required") or ()
    fields: dict[str, Schema] = {}
    for name, prop in (definition.get("properties") or {}).items():
        field = _property_schema(prop)
        if field.type == OBJECT and name in by_value:
            field.by_value = True
        field.required = name in required
        field.default = KEY_DEFAULTS.get((simple, name))
        fields[name] = field
    schema.fields = fields


def _property_schema(prop: Mapping[str, Any]) -> Schema:
    """The schema of one property, with what its place says about merging."""
    if "$ref" in prop:
        schema = builtin_schema(prop["$ref"].removeprefix("#/$defs/")).placed()
    else:
        schema = _inline_schema(prop)
    _read_merge_rules(schema, prop)
    strategies = (prop.get("x-kubernetes-patch-strategy") or "").split(",")
    schema.strategy = "merge" if "merge" in strategies else ""
    schema.replaces = "replace" in strategies
    schema.retain_keys = "retainKeys" in strategies
    schema.merge_key = prop.get("x-kubernetes-patch-merge-key", "")
    return schema


def _inline_schema(prop: Mapping[str, Any]) -> Schema:
    kind = prop.get("type", "")
    kind = kind if isinstance(kind, str) else next(name for name in kind if name != "null")
    if kind == "array":
        element = _property_schema(prop["items"])
        schema = Schema(LIST, go_type="[]" + element.go_type)
        schema.element = element
        return schema
    if kind == "object":
        values = prop.get("additionalProperties")
        if not isinstance(values, Mapping):
            return Schema(ANY, go_type="map[string]interface {}")
        element = _property_schema(values)
        schema = Schema(MAP, go_type="map[string]" + element.go_type)
        schema.element = element
        return schema
    return _scalar(kind, prop.get("format", ""))


def _scalar(kind: str, form: str) -> Schema:
    if kind == "integer":
        return Schema(INT32 if form == "int32" else INT64)
    if kind == "string":
        return Schema(BYTES, go_type="[]uint8") if form == "byte" else Schema(STRING)
    return Schema({"boolean": BOOL, "number": NUMBER}.get(kind, ANY))


def _read_merge_rules(schema: Schema, rules: Mapping[str, Any]) -> None:
    """Note list type, keys and map type. A list that says nothing is atomic, a map that says nothing granular."""
    if schema.type == LIST:
        schema.list_type = rules.get("x-kubernetes-list-type") or ATOMIC
        schema.keys = tuple(rules.get("x-kubernetes-list-map-keys") or ())
        schema.atomic = schema.list_type == ATOMIC
    elif schema.type in (MAP, OBJECT) and rules.get("x-kubernetes-map-type"):
        schema.atomic = rules["x-kubernetes-map-type"] == ATOMIC


# Custom resources ---------------------------------------------------------------------------------------


def schema_from_crd(structural: Mapping[str, Any]) -> Schema:
    """The schema of a custom resource out of its `openAPIV3Schema`, which is a structural one."""
    return _custom(structural, embedded=True)


def _custom(rules: Mapping[str, Any], *, embedded: bool = False) -> Schema:
    kind = rules.get("type", "")
    preserve = bool(rules.get("x-kubernetes-preserve-unknown-fields"))
    embedded = embedded or bool(rules.get("x-kubernetes-embedded-resource"))
    if rules.get("x-kubernetes-int-or-string"):
        schema = Schema(INT_OR_STRING)
    elif kind == "array":
        schema = Schema(LIST, go_type="[]interface {}")
        schema.element = _custom(rules.get("items") or {})
    elif kind == "object" or embedded:
        schema = _custom_object(rules, embedded=embedded)
    elif kind:
        schema = _scalar(kind, rules.get("format", ""))
    else:
        schema = Schema(ANY, go_type="interface {}")
        schema.atomic = False
    schema.custom = True
    schema.preserve = preserve or schema.type == ANY
    schema.nullable = bool(rules.get("nullable"))
    schema.default = rules.get("default")
    _read_merge_rules(schema, rules)
    return schema


def _custom_object(rules: Mapping[str, Any], *, embedded: bool) -> Schema:
    properties = rules.get("properties") or {}
    values = rules.get("additionalProperties")
    if not properties and not embedded and values:
        schema = Schema(MAP, go_type="map[string]interface {}")
        schema.element = _custom(values if isinstance(values, Mapping) else _ANYTHING)
        return schema
    schema = Schema(OBJECT, go_type="map[string]interface {}")
    schema.embedded = embedded
    fields = {name: _custom(prop) for name, prop in properties.items()}
    if embedded:
        fields |= {
            "apiVersion": Schema(STRING),
            "kind": Schema(STRING),
            "metadata": builtin_schema(OBJECT_META).placed(),
        }
    schema.fields = fields
    return schema


_ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
