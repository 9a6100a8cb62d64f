"""The values of an object that its Scale is made of: where they stand, and whether they can be what they should.

Paths are simple ones, `.spec.replicas`. Wording and order are those of upstream's accessors of unstructured objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.kinds.apiextensions.values import go_float
from mamekube.objects.fielderrors import FieldError, invalid
from mamekube.objects.meta import Object

INT32_MAX = 2**31 - 1
GO_TYPES = {
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
    type(None): "<nil>",
}


def split_path(path: str) -> tuple[str, ...]:
    """A simple path as field names."""
    return tuple(path.strip(".").split("."))


def errors_of(obj: Object, scale: Mapping[str, Any] | None, *, status: bool) -> list[FieldError]:
    """What is wrong with them; only those of the status, where only that is written."""
    if scale is None:
        return []
    found: list[FieldError] = []
    for key in ("statusReplicasPath",) if status else ("specReplicasPath", "statusReplicasPath"):
        found += _count_errors(obj, scale[key])
    path = scale.get("labelSelectorPath")
    if path:
        _, problem = _find(obj, path, str, "")
        found += [invalid(path, "", problem)] if problem else []
    return found


def _count_errors(obj: Object, path: str) -> list[FieldError]:
    count, problem = _find(obj, path, int, 0)
    if not problem and count < 0:
        problem = "should be a non-negative integer"
    elif not problem and count > INT32_MAX:
        problem = f"should be less than or equal to {INT32_MAX}"
    return [invalid(path, count, problem)] if problem else []


def _find(obj: Object, path: str, wanted: type, absent: Any) -> tuple[Any, str]:
    """The value, and why it cannot be had."""
    value: Any = obj
    names = split_path(path)
    for index, name in enumerate(names):
        if value is None:
            return absent, ""
        if not isinstance(value, dict):
            return absent, _mistyped(names[: index + 1], value, "map[string]interface{}")
        if name not in value:
            return absent, ""
        value = value[name]
    if type(value) is not wanted:
        return absent, _mistyped(names, value, "int64" if wanted is int else "string")
    return value, ""


def _mistyped(names: tuple[str, ...], value: Any, wanted: str) -> str:
    found = GO_TYPES[type(value)]
    return f".{'.'.join(names)} accessor error: {_shown(value)} is of the type {found}, expected {wanted}"


def _shown(value: Any) -> str:
    """A value as Go prints it with `%v`."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_shown(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_shown, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_float(value)
    return "<nil>" if value is None else str(value)
