"""What upstream's Go types are marked with, and the package's definitions leave out.

A live server publishes two markers that the definitions in upstream's repository are made without: `+enum`, the
values that a type of strings has, and, in version 3 alone, `+default`, what stands for an absent field. The zero of a
field that need not be sent, but that Go always writes, is such a default too. Both are facts, in `markers.json`; this
module knows where in a definition they stand. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

PREFIX = "io.k8s."
"""What the names of definitions in `markers.json` begin with."""

HEADING = "Possible enum values:"


class Enum:
    """The values of a type, sorted, and the lines that every description of a field of this type ends with."""

    __slots__ = ("lines", "values")

    def __init__(self, values: Sequence[str]) -> None:
        self.values = list(values)
        self.lines = "\n".join((HEADING, *(f' - `"{value}"`' for value in values)))


@cache
def enums() -> Mapping[str, Mapping[str, Enum]]:
    """By definition and field: the type of its strings, of its list's strings or of its map's."""
    found: dict[str, dict[str, Enum]] = {}
    for marked in _markers()["enums"].values():
        enum = Enum(marked["values"])
        for path in marked["fields"]:
            name, _, field = path.rpartition(".")
            found.setdefault(PREFIX + name, {})[field] = enum
    return found


@cache
def defaults() -> Mapping[str, Mapping[str, Any]]:
    """By definition and field: what an absent field is taken for."""
    return {PREFIX + name: fields for name, fields in _markers()["defaults"].items()}


@cache
def _markers() -> Mapping[str, Any]:
    found: dict[str, Any] = orjson.loads(Path(__file__).with_name("markers.json").read_bytes())
    return found


def add_enums(name: str, shown: dict[str, Any]) -> None:
    """Write the values into the fields of a definition; only where the field itself is one into its description."""
    for field, enum in enums().get(name, {}).items():
        here = shown["properties"][field]
        inside = here.get("items") or here.get("additionalProperties")
        (inside or here)["enum"] = enum.values
        if inside is None:
            here["description"] = (
                f"{here['description']}\n\n{enum.lines}" if "description" in here else enum.lines
            )


def add_defaults(name: str, shown: dict[str, Any]) -> None:
    """Write the defaults into the fields of a definition."""
    for field, default in defaults().get(name, {}).items():
        shown["properties"][field]["default"] = default
