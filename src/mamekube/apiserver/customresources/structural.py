"""What a structural schema does to a value besides judging it: nulls, defaults, lists that are sets or maps. Pure;
values are plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mamekube.kinds.apiextensions.embedded import children
from mamekube.objects.fielderrors import FieldError, duplicate

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
