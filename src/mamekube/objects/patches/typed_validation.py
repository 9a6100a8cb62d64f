"""Whether a value fits its schema, in the words of structured-merge-diff.

Server-side apply checks what it is given with this, and every problem names its path (`.spec.replicas`).
"""

from __future__ import annotations

from typing import Any

import orjson

from mamekube.objects.patches.field_sets import print_element
from mamekube.objects.patches.typed import element_name
from mamekube.objects.schema import (
    ANY,
    ATOMIC,
    BOOL,
    BYTES,
    INT32,
    INT64,
    INT_OR_STRING,
    LIST,
    MICRO_TIME,
    NUMBER,
    OBJECT,
    QUANTITY,
    STRING,
    TIME,
    Schema,
)

PROBLEMS_MAX = 100

_NUMERIC = frozenset({INT32, INT64, NUMBER})
_TEXT = frozenset({STRING, BYTES, TIME, MICRO_TIME})
_UNTYPED_SCALAR = frozenset({QUANTITY, INT_OR_STRING})


def problems(schema: Schema, value: Any) -> list[str]:
    """What does not fit: at most `PROBLEMS_MAX` texts, in the order of the value."""
    found: list[str] = []
    _check(schema, value, "", found)
    return found


def _check(schema: Schema, value: Any, path: str, found: list[str]) -> None:
    if value is None or schema.type == ANY or len(found) >= PROBLEMS_MAX:
        return
    if schema.type == OBJECT:
        _check_struct(schema, value, path, found)
    elif schema.type == LIST:
        _check_list(schema, value, path, found)
    elif schema.type == "map":
        if not isinstance(value, dict):
            found.append(f"{path}: expected map, got {_go(value)}")
            return
        for key, item in value.items():
            _check(schema.element, item, f"{path}.{key}", found)
    else:
        wrong = _scalar_problem(schema.type, value)
        if wrong:
            found.append(f"{path}: {wrong}")


def _check_struct(schema: Schema, value: Any, path: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        found.append(f"{path}: expected map, got {_go(value)}")
        return
    for key, item in value.items():
        field = schema.child(key)
        if field is None:
            found.append(f"{path}.{key}: field not declared in schema")
        else:
            _check(field, item, f"{path}.{key}", found)


def _check_list(schema: Schema, value: Any, path: str, found: list[str]) -> None:
    if not isinstance(value, list):
        found.append(f"{path}: expected list, got {_go(value)}")
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        below = f"{path}[{index}]"
        if schema.list_type != ATOMIC:
            try:
                element = element_name(schema, item)
            except ValueError as error:
                found.append(f"{path}: element {index}: {error}")
                continue
            below = path + print_element(element)
            if element in seen:
                found.append(f"{path}: duplicate entries for key {print_element(element)}")
            seen.add(element)
        _check(schema.element, item, below, found)


def _scalar_problem(kind: str, value: Any) -> str:
    if kind in _NUMERIC:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return "" if number else f"expected numeric (int or float), got {_go_type(value)}"
    if kind in _TEXT:
        return "" if isinstance(value, str) else f"expected string, got {_go(value)}"
    if kind == BOOL:
        return "" if isinstance(value, bool) else f"expected boolean, got {_go(value)}"
    if kind in _UNTYPED_SCALAR and isinstance(value, (dict, list)):
        return f"expected any scalar, got {_go(value)}"
    return ""


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def _go(value: Any) -> str:
    """A value as Go prints upstream's wrapper of it."""
    return f"&value.valueUnstructured{{Value:{_literal(value)}}}"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{orjson.dumps(key).decode()}:{_literal(value[key])}" for key in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(_literal(item) for item in value)}}}"
    return "interface {}(nil)" if value is None else orjson.dumps(value).decode()
