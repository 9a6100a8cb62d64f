"""How large the values of a schema can be: at most, by the schema's limits or by what fits into one request.

The cost of a rule is estimated with this before there are values, so the figures are upstream's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mamekube.objects.cel.values import escape

Schema = Mapping[str, Any]

REQUEST_BYTES_MAX = 3 * 1024 * 1024
QUOTES = BRACES = 2
CHARACTER_BYTES_MAX = 4
_MIN_BYTES = {"boolean": 4, "integer": 1, "number": 1, "string": QUOTES}
_TIMES = {"date": (12, 12), "date-time": (21, 32), "duration": (3, 32)}
"""The shortest and the longest such text in JSON."""


@dataclass(frozen=True, slots=True)
class Extent:
    """`elements_max`: of characters, elements or entries; 0 for what has none. `bytes_min`: of its JSON."""

    elements_max: int
    bytes_min: int
    fields: Mapping[str, Extent] = field(default_factory=dict)
    element: Extent | None = None
    key: Extent | None = None

    def size_at(self, path: tuple[str, ...]) -> int | None:
        """The most elements of what stands at a path; its first step is the variable, which is this value."""
        found: Extent | None = self
        for step in path[1:]:
            assert found is not None
            if step in ("@items", "@values"):
                found = found.element
            elif step == "@keys":
                found = found.key
            else:
                found = found.fields.get(step)
            if found is None:
                return None
        return found.elements_max if found is not None else None

    @property
    def count_max(self) -> int:
        """How many such values one request can hold."""
        return REQUEST_BYTES_MAX // (self.bytes_min + 1)


_KEY = Extent(0, QUOTES)
_NAME = Extent(REQUEST_BYTES_MAX - QUOTES, QUOTES)
_METADATA = Extent(0, BRACES, {"name": _NAME, "generateName": _NAME})
_RESOURCE = {"apiVersion": _NAME, "kind": _NAME, "metadata": _METADATA}


def extent_of(schema: Schema, *, resource: bool = False) -> Extent | None:
    """None where rules cannot know the type; the same schemas as for `cel_types.type_of`."""
    if schema.get("x-kubernetes-int-or-string"):
        return Extent(_characters(schema), 1)
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items") or {}
        element = extent_of(items, resource=bool(items.get("x-kubernetes-embedded-resource")))
        if element is None:
            return None
        by_size = (REQUEST_BYTES_MAX - BRACES) // (element.bytes_min + 1)
        return Extent(_limit(schema, "maxItems", by_size), BRACES, element=element)
    if kind == "object":
        return _object(schema, resource=resource)
    if kind == "string":
        return _text(schema)
    return Extent(0, _MIN_BYTES[kind]) if kind in _MIN_BYTES else None


def _object(schema: Schema, *, resource: bool) -> Extent | None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        value = extent_of(more, resource=bool(more.get("x-kubernetes-embedded-resource")))
        if value is None:
            return None
        # Two quotes, a colon, a comma and a key of two characters go with every value.
        by_size = (REQUEST_BYTES_MAX - BRACES) // (value.bytes_min + 6)
        return Extent(_limit(schema, "maxProperties", by_size), BRACES, element=value, key=_KEY)
    fields: dict[str, Extent] = {}
    needed = set(schema.get("required") or ())
    size = BRACES
    found: dict[str, tuple[Extent | None, Any]] = {
        name: (extent_of(below, resource=bool(below.get("x-kubernetes-embedded-resource"))), below)
        for name, below in (schema.get("properties") or {}).items()
    }
    if resource:
        found |= {name: (extent, {}) for name, extent in _RESOURCE.items()}
    for name, (extent, below) in found.items():
        if extent is None:
            continue
        fields[escape(name)] = extent
        if name in needed and below.get("default") is None:
            size += len(name.encode()) + extent.bytes_min + 4
    return Extent(0, size, fields)


def _text(schema: Schema) -> Extent:
    shape = schema.get("format") or ""
    if shape in _TIMES:
        shortest, longest = _TIMES[shape]
        return Extent(longest, shortest)
    if shape == "byte":
        return Extent(_limit(schema, "maxLength", REQUEST_BYTES_MAX - QUOTES), QUOTES)
    return Extent(_characters(schema), QUOTES)


def _characters(schema: Schema) -> int:
    """In bytes: a limit is one of code points."""
    if schema.get("maxLength") is not None:
        return _limit(schema, "maxLength", 0) * CHARACTER_BYTES_MAX
    choices = schema.get("enum") if schema.get("type") == "string" else None
    if choices:
        return max((len(choice.encode()) for choice in choices if isinstance(choice, str)), default=0)
    return REQUEST_BYTES_MAX - QUOTES


def _limit(schema: Schema, key: str, otherwise: int) -> int:
    said = schema.get(key)
    return otherwise if said is None else max(0, int(said))
