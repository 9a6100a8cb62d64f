"""Is the schema of a custom resource well formed? Rules and wording of apiextensions' validation.

A structural schema says the type of every field outside of `allOf`, `anyOf`, `oneOf` and `not`; what stands inside
of these may only narrow values. Defaults have to fit, and rules have to compile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mamekube.foundation.slices import breathe
from mamekube.kinds.apiextensions import embedded, formats, rule_checks, rules, values
from mamekube.kinds.fields import Found, repeated
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.regex import compile_pattern
from mamekube.objects.fielderrors import FieldError, forbidden, invalid, not_supported, required

Schema = Mapping[str, Any]

TYPES = ("array", "boolean", "integer", "number", "object", "string")
AT_ROOT = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
    "XPreserveUnknownFields XValidations"
)
"""Fields of the root schema that go together with a status subresource, as upstream names them."""
_NOT_AT_ROOT = (
    *("enum", "maxProperties", "minProperties", "additionalProperties", "allOf", "anyOf", "oneOf", "not"),
    *("nullable", "default", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"),
)
METADATA = frozenset({"apiVersion", "kind", "metadata"})
JUNCTORS = ("allOf", "anyOf", "oneOf")
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
WRONG_KEYS_TOLD_MAX = 20
"""Of one list. Upstream tells of all, and shows all keys each time."""
UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies")

ROOT, ITEM, FIELD = "at the root", "for specified array items", "for specified object fields"


def validate(schema: Schema, path: str, *, has_status: bool, ratcheted: bool, found: Found) -> None:
    """`schema` is that of one version, or of all, and stands at `path`. `ratcheted`: it did not change."""
    if has_status and schema.get("type") not in (None, "", "object"):
        detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        found.append(invalid(f"{path}.type", schema["type"], detail))
    elif has_status and any(schema.get(key) for key in _NOT_AT_ROOT):
        listed = " ".join(AT_ROOT.split())
        detail = f"only [{listed}] fields are allowed at the root of the schema if the status subresource is enabled"
        found.append(invalid(path, dict(schema), detail))
    if schema.get("nullable"):
        found.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    structural: Found = []
    _check_structure(schema, path, ROOT, structural)
    _check_completeness(schema, schema, path, path, structural)
    if not structural:
        _check_defaults(schema, path, structural, root=True)
    compiles = not structural
    found += sorted(structural, key=str)
    before = len(found)
    _check_node(schema, path, _Context(root=True), found)
    if compiles and len(found) == before:
        rule_checks.check(schema, path, found, ratcheted=ratcheted)


def has_defaults(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (
        schema.get("default") is not None or any(has_defaults(below) for below in _below(schema))
    )


def unknown_formats(schema: Schema) -> Iterator[str]:
    """The formats that nobody looks at."""
    name = schema.get("format")
    if name and not formats.known(name, schema.get("type") or ""):
        yield name
    for item in _below(schema):
        if isinstance(item, Mapping):
            yield from unknown_formats(item)


def _below(schema: Schema) -> list[Any]:
    below: list[Any] = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("not")]
    below.append(schema.get("additionalProperties"))
    for key in JUNCTORS:
        below += schema.get(key) or ()
    return below


# Structure ----------------------------------------------------------------------------------------------


def _check_structure(schema: Schema, path: str, level: str, found: Found) -> None:
    kind, items, more = schema.get("type"), schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and items is None:
        found.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, Mapping):
        _check_structure(items, f"{path}.items", ITEM, found)
    for name, below in (schema.get("properties") or {}).items():
        _check_structure(below, f"{path}.properties[{name}]", FIELD, found)
    if more is not None:
        if level == ROOT:
            found.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(more, Mapping):
            _check_structure(more, f"{path}.additionalProperties", FIELD, found)
    _check_extensions(schema, path, found)
    _check_junctors(schema, path, found, allowed=_int_or_string_pattern(schema))
    _check_types(schema, path, level, found)
    _check_resource(schema, path, level, found)


def _check_types(schema: Schema, path: str, level: str, found: Found) -> None:
    kind = schema.get("type")
    if schema.get("x-kubernetes-embedded-resource"):
        detail = "must be object if x-kubernetes-embedded-resource is true"
        if not kind:
            found.append(required(f"{path}.type", detail))
        elif kind != "object":
            found.append(invalid(f"{path}.type", kind, detail))
        if schema.get("additionalProperties") is not None:
            detail = "must not be used if x-kubernetes-embedded-resource is set"
            found.append(forbidden(f"{path}.additionalProperties", detail))
    elif not kind and not _is_open(schema):
        found.append(required(f"{path}.type", f"must not be empty {level}"))
    if level == ROOT and kind and kind != "object":
        found.append(invalid(f"{path}.type", kind, "must be object at the root"))


def _is_open(schema: Schema) -> bool:
    return bool(
        schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    )


def _check_resource(schema: Schema, path: str, level: str, found: Found) -> None:
    """What may be said of apiVersion, kind and metadata where these belong to a resource."""
    properties = schema.get("properties") or {}
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if level == ROOT or embedded:
        for name in ("kind", "apiVersion"):
            if name in properties and properties[name].get("type") != "string":
                where = f"{path}.properties[{name}].type"
                found.append(invalid(where, properties[name].get("type") or "", "must be string"))
        metadata = properties.get("metadata")
        if metadata is not None and metadata.get("type") != "object":
            where = f"{path}.properties[metadata].type"
            found.append(invalid(where, metadata.get("type") or "", "must be object"))
    if level == ROOT and "metadata" in properties:
        said = set(properties["metadata"]) - {"type", "properties", "description"}
        if said or set(properties["metadata"].get("properties") or ()) - {"name", "generateName"}:
            detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            found.append(forbidden(f"{path}.properties[metadata]", detail))
    if embedded and not properties and not schema.get("x-kubernetes-preserve-unknown-fields"):
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields"
        )
        found.append(required(f"{path}.properties", detail))


def _check_extensions(schema: Schema, path: str, found: Found) -> None:
    if not schema.get("x-kubernetes-int-or-string"):
        return
    for key in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
        if schema.get(key):
            detail = "must be false if x-kubernetes-int-or-string is true"
            found.append(invalid(f"{path}.{key}", True, detail))


def _int_or_string_pattern(schema: Schema) -> str:
    """Where the one thing may stand that junctors may say of types: `anyOf`, `allOf` (in its first), or nowhere."""
    if schema.get("anyOf") == INT_OR_STRING:
        return "anyOf"
    first: Schema = next(iter(schema.get("allOf") or ()), {})
    return "allOf" if first.get("anyOf") == INT_OR_STRING else ""


def _check_junctors(schema: Schema, path: str, found: Found, *, allowed: str = "") -> None:
    for key in JUNCTORS:
        if key == allowed == "anyOf":
            continue
        for index, below in enumerate(schema.get(key) or ()):
            inner = "anyOf" if key == allowed == "allOf" and index == 0 else ""
            _check_nested(below, f"{path}.{key}[{index}]", found, allowed=inner)
    if isinstance(schema.get("not"), Mapping):
        _check_nested(schema["not"], f"{path}.not", found)
    if schema.get("pattern"):
        try:
            compile_pattern(schema["pattern"])
        except EvaluationError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            found.append(invalid(f"{path}.pattern", schema["pattern"], detail))


_NOT_NESTED = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)


def _check_nested(schema: Schema, path: str, found: Found, *, allowed: str = "") -> None:
    _check_junctors(schema, path, found, allowed=allowed)
    if isinstance(schema.get("items"), Mapping):
        _check_nested(schema["items"], f"{path}.items", found)
    for name, below in (schema.get("properties") or {}).items():
        _check_nested(below, f"{path}.properties[{name}]", found)
    for key, detail in _NOT_NESTED:
        if schema.get(key) not in (None, "", False, []):
            found.append(forbidden(f"{path}.{key}", detail))
    if "metadata" in (schema.get("properties") or {}):
        found.append(forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))


def _check_completeness(schema: Schema, nested: Schema, path: str, where: str, found: Found) -> None:
    """Every field and element that a junctor speaks of is specified outside of it as well."""
    for key, below in _junctors(nested):
        _check_specified(schema, below, path, f"{where}.{key}", found)
    if nested is not schema:
        return
    for name, below in (schema.get("properties") or {}).items():
        _check_completeness(below, below, f"{path}.properties[{name}]", f"{where}.properties[{name}]", found)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            _check_completeness(schema[key], schema[key], f"{path}.{key}", f"{where}.{key}", found)


def _junctors(schema: Schema) -> Iterator[tuple[str, Schema]]:
    for key in JUNCTORS:
        for index, below in enumerate(schema.get(key) or ()):
            yield f"{key}[{index}]", below
    if isinstance(schema.get("not"), Mapping):
        yield "not", schema["not"]


def _check_specified(schema: Schema, nested: Schema, path: str, where: str, found: Found) -> None:
    for name, below in (nested.get("properties") or {}).items():
        spine = (schema.get("properties") or {}).get(name)
        here, there = f"{path}.properties[{name}]", f"{where}.properties[{name}]"
        if spine is None:
            found.append(required(here, f"because it is defined in {there}"))
        else:
            _check_specified(spine, below, here, there, found)
    if isinstance(nested.get("items"), Mapping):
        if not isinstance(schema.get("items"), Mapping):
            found.append(required(f"{path}.items", f"because it is defined in {where}.items"))
        else:
            _check_specified(schema["items"], nested["items"], f"{path}.items", f"{where}.items", found)
    _check_completeness(schema, nested, path, where, found)


# Defaults -----------------------------------------------------------------------------------------------


def _check_defaults(
    schema: Schema, path: str, found: Found, *, root: bool = False, around: _Around | None = None
) -> None:
    """`around`: the embedded resource in which the schema stands."""
    if schema.get("x-kubernetes-embedded-resource"):
        around = _Around(schema)
    default = schema.get("default")
    if default is not None:
        found += _default_errors(default, schema, f"{path}.default", around)
    if isinstance(schema.get("items"), Mapping):
        below = None if around is None else around.below(None)
        _check_defaults(schema["items"], f"{path}.items", found, around=below)
    for name, child in (schema.get("properties") or {}).items():
        if not (root and name in METADATA):
            below = None if around is None else around.below(name)
            _check_defaults(child, f"{path}.properties[{name}]", found, around=below)


class _Around(NamedTuple):
    """An embedded resource, and where in it something stands: names of fields, None for an element."""

    schema: Schema
    steps: tuple[str | None, ...] = ()

    def below(self, step: str | None) -> _Around:
        return self._replace(steps=(*self.steps, step))

    @property
    def in_metadata(self) -> bool:
        return bool(self.steps) and self.steps[0] in METADATA

    def resource(self, value: Any) -> Any:
        """The resource with nothing but the value in it."""
        for step in reversed(self.steps):
            value = [value] if step is None else {step: value}
        return {"apiVersion": "validation/v1", "kind": "Validation", **value}


def _default_errors(default: Any, schema: Schema, where: str, around: _Around | None) -> Found:
    """What is wrong with a default. Its values are looked at once its metadata are right."""
    wrong: Found = []
    if around is not None and around.in_metadata:
        resource = embedded.errors_of(around.resource(default), around.schema)
        texts = [str(error).removeprefix(".") for error in resource]
        if texts:
            text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            return [invalid(where, default, f"must result in valid metadata: {text}")]
    else:
        if _has_unknown(default, schema):
            wrong.append(invalid(where, default, "must not have unknown fields"))
        if metadata := embedded.errors_of(default, schema, where):
            return wrong + metadata
    judged = values.Rules(schema).check(default).errors
    if not judged and (tree := _rules_of(schema)) is not None:
        judged = tree.errors(default)
    for error in judged:
        below = "" if error.field == values.NOWHERE else f".{error.field}"
        wrong.append(FieldError(error.reason, where + below, error.message))
    return wrong


def _rules_of(schema: Schema) -> rules.RuleTree | None:
    """What defaults have to pass; rules that are none are told of elsewhere."""
    try:
        return rules.tree_of(schema)
    except (KeyError, TypeError):
        return None


def _has_unknown(value: Any, schema: Schema) -> bool:
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return any(_has_unknown(item, schema["items"]) for item in value)
    if not isinstance(value, dict):
        return False
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or more is True
    for name, item in value.items():
        if name in properties:
            if _has_unknown(item, properties[name]):
                return True
        elif isinstance(more, Mapping):
            if _has_unknown(item, more):
                return True
        elif not keeps and not (schema.get("x-kubernetes-embedded-resource") and name in METADATA):
            return True
    return False


# Single schemas -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Context:
    root: bool = False
    in_metadata: bool = False
    no_defaults: str | None = None
    """Why there may be no defaults; None where there may."""


def _check_node(schema: Schema, path: str, context: _Context, found: Found) -> None:
    breathe()
    _check_keywords(schema, path, context, found)
    more, properties = schema.get("additionalProperties"), schema.get("properties") or {}
    inside = replace(context, root=False)
    if more is not None:
        if properties and more is not True:
            detail = "additionalProperties and properties are mutual exclusive"
            found.append(forbidden(f"{path}.additionalProperties", detail))
        if isinstance(more, Mapping):
            rest = inside
            if context.in_metadata:
                rest = replace(inside, no_defaults="inside additionalProperties applying to object metadata")
            _check_node(more, f"{path}.additionalProperties", rest, found)
    for name, below in properties.items():
        within = inside
        if name in METADATA and (context.root or schema.get("x-kubernetes-embedded-resource")):
            within = replace(inside, in_metadata=True)
            if context.root:
                within = replace(within, no_defaults=f"in top-level {name}")
        _check_node(below, f"{path}.properties[{name}]", within, found)
    for key, below in _junctors(schema):
        _check_node(below, f"{path}.{key}", inside, found)
    if isinstance(schema.get("items"), Mapping):
        _check_node(schema["items"], f"{path}.items", inside, found)
    _check_maps_and_lists(schema, path, found)
    rule_checks.check_form(schema, path, found)


def _check_keywords(schema: Schema, path: str, context: _Context, found: Found) -> None:
    kind = schema.get("type")
    if kind and kind not in TYPES:
        found.append(not_supported(f"{path}.type", kind, TYPES))
    if schema.get("default") is not None and context.no_defaults is not None:
        found.append(forbidden(f"{path}.default", f"must not be set {context.no_defaults}"))
    for key in UNSUPPORTED:
        if schema.get(key):
            found.append(forbidden(f"{path}.{key}", f"{key} is not supported"))
    if schema.get("$ref"):
        found.append(forbidden(f"{path}.$ref", "$ref is not supported"))
    if kind == "null":
        found.append(forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(schema.get("items"), list):
        detail = "items must be a schema object and not an array"
        found.append(forbidden(f"{path}.items", detail))
    if context.in_metadata and schema.get("x-kubernetes-embedded-resource"):
        where = f"{path}.x-kubernetes-embedded-resource"
        found.append(forbidden(where, "must not be used inside of resource meta"))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.append(forbidden(f"{path}.uniqueItems", detail))


def _check_maps_and_lists(schema: Schema, path: str, found: Found) -> None:
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        found.append(invalid(where, False, "must be true or undefined"))
    kind = schema.get("type") or ""
    for key, wanted, choices in (
        ("map", "object", ("atomic", "granular")),
        ("list", "array", ("atomic", "set", "map")),
    ):
        said = schema.get(f"x-kubernetes-{key}-type")
        if said is None:
            continue
        if kind != wanted:
            detail = f"must be {wanted} if x-kubernetes-{key}-type is specified"
            found.append(invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail))
        if said not in choices:
            found.append(not_supported(f"{path}.x-kubernetes-{key}-type", said, choices))
    items = schema.get("items")
    if schema.get("x-kubernetes-list-type") == "set" and isinstance(items, Mapping):
        _check_set(items, f"{path}.items", found, atomic=kind == "array")
    _check_keys(schema, path, found)


def _check_set(items: Schema, path: str, found: Found, *, atomic: bool) -> None:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    inner = items.get("x-kubernetes-list-type")
    if atomic and items.get("type") == "array" and inner not in (None, "atomic"):
        found.append(invalid(f"{path}.x-kubernetes-list-type", inner, detail))
    if atomic and items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        found.append(invalid(f"{path}.x-kubernetes-map-type", inner, detail))
    if items.get("nullable"):
        found.append(forbidden(f"{path}.nullable", "cannot be nullable when x-kubernetes-list-type is set"))


def _check_keys(schema: Schema, path: str, found: Found) -> None:
    keys, said = schema.get("x-kubernetes-list-map-keys") or [], schema.get("x-kubernetes-list-type")
    where = f"{path}.x-kubernetes-list-map-keys"
    if keys and said != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        type_path = f"{path}.x-kubernetes-list-type"
        found.append(required(type_path, detail) if said is None else invalid(type_path, said, detail))
    if said != "map":
        return
    if not keys:
        found.append(required(where, "must not be empty if x-kubernetes-list-type is map"))
    items, below = schema.get("items"), f"{path}.items"
    if not isinstance(items, Mapping):
        if items is None:
            found.append(required(below, "must have a schema if x-kubernetes-list-type is map"))
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        found.append(invalid(f"{below}.type", items.get("type") or "", detail))
        return
    if items.get("nullable"):
        found.append(forbidden(f"{below}.nullable", "cannot be nullable when x-kubernetes-list-type is map"))
    twice, needed, wrong = repeated(keys), frozenset(items.get("required") or ()), 0
    for position, key in enumerate(keys):
        field = (items.get("properties") or {}).get(key)
        problems = [
            *(["must not contain duplicate entries"] if position in twice else ()),
            *(["entries must all be names of item properties"] if field is None else ()),
        ]
        wrong += len(problems)
        if wrong <= WRONG_KEYS_TOLD_MAX:
            found += [invalid(where, keys, problem) for problem in problems]
        if field is not None:
            _check_key(field, f"{below}.properties[{key}]", found, is_required=key in needed)


def _check_key(field: Schema, path: str, found: Found, *, is_required: bool) -> None:
    if field.get("type") in ("array", "object"):
        detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
        found.append(invalid(f"{path}.type", "object", detail))
    if not is_required and field.get("default") is None:
        detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
        found.append(required(f"{path}.default", detail))
    if field.get("nullable"):
        detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
        found.append(forbidden(f"{path}.nullable", detail))
