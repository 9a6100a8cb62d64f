"""What a structural schema does to a value besides judging it: nulls, defaults, lists that are sets or maps, and
resources inside of resources. Pure; values are plain JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mamekube.apiserver import objectmeta
from mamekube.objects import names
from mamekube.objects.fielderrors import FieldError, duplicate, invalid, required

Schema = Mapping[str, Any]


def fill(value: Any, schema: Schema) -> None:
    """Drop nulls where none may stand, and put in defaults, in place."""
    if isinstance(value, dict):
        _fill_object(value, schema)
    elif isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, Mapping):
            for index, item in enumerate(value):
                if item is None and not items.get("nullable") and "default" in items:
                    value[index] = _copy(items["default"])
                fill(value[index], items)


def _fill_object(value: dict[str, Any], schema: Schema) -> None:
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    for name, below in properties.items():
        missing = name not in value
        if not missing and (value[name] is not None or below.get("nullable")):
            fill(value[name], below)
        elif below.get("default") is not None:
            value[name] = _copy(below["default"])
            fill(value[name], below)
        elif not missing:
            del value[name]
    if not isinstance(more, Mapping):
        return
    for name in [name for name in value if name not in properties]:
        if value[name] is None and not more.get("nullable"):
            if more.get("default") is None:
                del value[name]
                continue
            value[name] = _copy(more["default"])
        fill(value[name], more)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value)) if isinstance(value, (dict, list)) else value


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


# Lists --------------------------------------------------------------------------------------------------


def repeated(value: Any, schema: Schema, path: str = "") -> list[FieldError]:
    """What stands twice in lists that are sets, or maps by keys."""
    found: list[FieldError] = []
    list_type = schema.get("x-kubernetes-list-type")
    if isinstance(value, list) and list_type in ("set", "map"):
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        seen: set[bytes] = set()
        for index, item in enumerate(value):
            shown = item if list_type == "set" else _keys(item, keys, schema)
            identity = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)
            if identity in seen:
                found.append(duplicate(f"{path}[{index}]", shown))
            seen.add(identity)
    for item, below, where in children(value, schema, path):
        found += repeated(item, below, where)
    return found


def _keys(item: Any, keys: Any, schema: Schema) -> Any:
    if not isinstance(item, dict):
        return item
    return {key: item[key] for key in keys if key in item}


# Resources inside ---------------------------------------------------------------------------------------


def embedded_errors(value: Any, schema: Schema, path: str = "") -> list[FieldError]:
    """What is wrong with the names and metadata of embedded resources."""
    found: list[FieldError] = []
    if schema.get("x-kubernetes-embedded-resource") and isinstance(value, dict):
        found += _resource_errors(value, path)
    for item, below, where in children(value, schema, path):
        found += embedded_errors(item, below, where)
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
    if isinstance(meta, dict):
        for field, rule in (
            ("generateName", names.path_segment),
            ("name", names.path_segment),
            ("namespace", names.dns1123_label),
        ):
            text = meta.get(field) or ""
            found += [invalid(f"{path}.metadata.{field}", text, problem) for problem in rule(text) if text]
        for error in objectmeta.validate_parts(meta):
            found.append(FieldError(error.reason, f"{path}.{error.field}", error.message))
    return found
