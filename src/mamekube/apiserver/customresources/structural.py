"""What a structural schema does to a value besides judging it: nulls, defaults, lists that are sets or maps. Pure;
values are plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mamekube.foundation.limits import BODY_BYTES_MAX
from mamekube.kinds.apiextensions.embedded import children
from mamekube.objects.fielderrors import FieldError, duplicate
from mamekube.objects.status import too_large

Schema = Mapping[str, Any]


FILLED_BYTES_MAX = BODY_BYTES_MAX
"""Of all defaults that one object is given: a large one may be missing in very many places. Upstream gives any number,
and cannot store what comes out."""


class Defaults:
    """One compiled schema, as far as it says what stands in for what is missing, and where there may be nulls."""

    __slots__ = (
        "_default",
        "_fields",
        "_has_default",
        "_items",
        "_missing",
        "_more",
        "_nullable",
        "_size_bytes",
    )

    def __init__(self, schema: Schema) -> None:
        self._default = schema.get("default")
        self._has_default = "default" in schema
        self._size_bytes = 0 if self._default is None else len(orjson.dumps(self._default))
        self._nullable = bool(schema.get("nullable"))
        self._fields = {name: Defaults(below) for name, below in (schema.get("properties") or {}).items()}
        self._missing = [name for name, below in self._fields.items() if below._default is not None]
        self._items, self._more = (
            Defaults(below) if isinstance(below, Mapping) else None
            for below in (schema.get("items"), schema.get("additionalProperties"))
        )

    def fill(self, value: Any) -> None:
        """Drop nulls where none may stand, and put in defaults, in place. Raises 413 for more than can be stored."""
        self._fill(value, _Room())

    def _fill(self, value: Any, room: _Room) -> None:
        if isinstance(value, dict):
            self._fill_object(value, room)
        elif isinstance(value, list) and self._items is not None:
            for index, item in enumerate(value):
                if item is None and not self._items._nullable and self._items._has_default:
                    value[index] = self._items._given(room)
                self._items._fill(value[index], room)

    def _fill_object(self, value: dict[str, Any], room: _Room) -> None:
        for name in list(value):
            below = self._fields.get(name, self._more)
            if below is None:
                continue
            if value[name] is None and not below._nullable:
                if below._default is None:
                    del value[name]
                    continue
                value[name] = below._given(room)
            below._fill(value[name], room)
        for name in self._missing:
            if name not in value:
                value[name] = self._fields[name]._given(room)
                self._fields[name]._fill(value[name], room)

    def _given(self, room: _Room) -> Any:
        room.take(self._size_bytes)
        default = self._default
        return orjson.loads(orjson.dumps(default)) if isinstance(default, (dict, list)) else default


class _Room:
    """How much one object may still be given."""

    __slots__ = ("_left_bytes",)

    def __init__(self) -> None:
        self._left_bytes = FILLED_BYTES_MAX

    def take(self, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise too_large(f"defaults would make the object larger by more than {FILLED_BYTES_MAX} bytes")


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
