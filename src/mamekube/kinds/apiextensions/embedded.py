"""Resources inside of resources: their kinds, names and metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mamekube.objects import metadata_parts, names
from mamekube.objects.fielderrors import FieldError, invalid, required

Schema = Mapping[str, Any]


def children(value: Any, schema: Schema, path: str) -> Iterator[tuple[Any, Schema, str]]:
    """The values below `value` that the schema says something about, with their schemas and paths."""
    if isinstance(value, dict):
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        more = schema.get("additionalProperties")
        for name, item in value.items():
            if name in properties:
                yield item, properties[name], f"{path}.{name}" if path else name
            elif isinstance(more, Mapping):
                yield item, more, f"{path}[{name}]"
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, item in enumerate(value):
            yield item, schema["items"], f"{path}[{index}]"


def errors_of(value: Any, schema: Schema, path: str = "") -> list[FieldError]:
    """What is wrong with the names and metadata of embedded resources."""
    found: list[FieldError] = []
    if schema.get("x-kubernetes-embedded-resource") and isinstance(value, dict):
        found += _resource_errors(value, path)
    for item, below, where in children(value, schema, path):
        found += errors_of(item, below, where)
    return found


def _resource_errors(value: Mapping[str, Any], path: str) -> list[FieldError]:
    found: list[FieldError] = []
    for field in ("apiVersion", "kind"):
        text = value.get(field)
        where = f"{path}.{field}"
        if text is None:
            found.append(required(where, "must not be empty"))
        elif not isinstance(text, str):
            found.append(invalid(where, text, "must be a string"))
        elif not text:
            found.append(invalid(where, text, "must not be empty"))
        elif field == "apiVersion" and text.count("/") > 1:
            found.append(invalid(where, text, f"unexpected GroupVersion string: {text}"))
        elif field == "kind":
            problems = names.dns1035_label(text.lower())
            if problems:
                detail = "may have mixed case, but should otherwise match: " + ",".join(problems)
                found.append(invalid(where, text, detail))
    meta = value.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        found.append(invalid(f"{path}.metadata", meta, "must be an object"))
    elif isinstance(meta, dict) and (wrong := _mistyped(meta)):
        found.append(invalid(f"{path}.metadata", meta, wrong))
    elif isinstance(meta, dict):
        for field, rule in (
            ("generateName", names.path_segment),
            ("name", names.path_segment),
            ("namespace", names.dns1123_label),
        ):
            text = meta.get(field) or ""
            found += [invalid(f"{path}.metadata.{field}", text, problem) for problem in rule(text) if text]
        for error in metadata_parts.validate(meta):
            found.append(FieldError(error.reason, f"{path}.{error.field}", error.message))
    return found


_TYPES: Mapping[str, tuple[type, type | None, str]] = {
    "name": (str, None, "string"),
    "generateName": (str, None, "string"),
    "namespace": (str, None, "string"),
    "labels": (dict, str, "map[string]string"),
    "annotations": (dict, str, "map[string]string"),
    "finalizers": (list, str, "[]string"),
    "ownerReferences": (list, dict, "[]v1.OwnerReference"),
}
"""Of fields of metadata and of what is in them, and what Go calls them."""


def _mistyped(meta: Mapping[str, Any]) -> str:
    """Why the metadata cannot be read, empty where they can."""
    for field, (whole, part, name) in _TYPES.items():
        value = meta.get(field)
        if value is None:
            continue
        parts = value.values() if isinstance(value, dict) else value
        if not isinstance(value, whole) or (part and not all(isinstance(item, part) for item in parts)):
            return f"json: cannot unmarshal into Go struct field ObjectMeta.{field} of type {name}"
    return ""
