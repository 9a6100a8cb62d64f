"""The table of a custom resource: its printer columns, each a JSONPath into the object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column
from mamekube.objects import ages, jsonpath
from mamekube.objects.meta import Object, name_of

AGE: Mapping[str, Any] = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
"""The only column, besides the name, of a version that names none."""

NO_VALUE = "<no value>"
"""What Go prints of a null."""
_AGE = replace(cells.AGE, type="date")

Row = Callable[[Object, float], Sequence[Any]]


def table(definitions: Sequence[Mapping[str, Any]]) -> tuple[tuple[Column, ...], Row]:
    """The columns of `additionalPrinterColumns`, and what makes a row of an object."""
    # A path that cannot be read ends the table, as upstream's falls back to what it has by then.
    shown = list(takewhile(_can_be_read, definitions or (AGE,)))
    columns = [_column(definition) for definition in shown] if definitions else [_AGE]
    paths = [(definition["jsonPath"], definition["type"]) for definition in shown]

    def row(obj: Object, now_s: float) -> list[Any]:
        return [name_of(obj), *(_cell(obj, path, kind, now_s) for path, kind in paths)]

    return (cells.NAME, *columns), row


def _can_be_read(definition: Mapping[str, Any]) -> bool:
    try:
        jsonpath.steps_of(definition["jsonPath"])
    except jsonpath.JSONPathError:
        return False
    return True


def _column(definition: Mapping[str, Any]) -> Column:
    path = definition["jsonPath"]
    return Column(
        name=definition["name"],
        type=definition["type"],
        format=definition.get("format") or "",
        description=definition.get("description")
        or f"Custom resource definition column (in JSONPath format): {path}",
        priority=definition.get("priority") or 0,
    )


def _cell(obj: Object, path: str, kind: str, now_s: float) -> Any:
    try:
        found = jsonpath.find(path, obj)
    except jsonpath.JSONPathError:
        return None
    if not found:
        return None
    value = found[0]
    if kind == "string":
        return NO_VALUE if value is None else jsonpath.text_of(value)
    if kind == "date":
        return _age(value, now_s) if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if kind == "integer" else float(value)


def _age(value: str, now_s: float) -> str:
    text = ages.since(value, now_s)
    return ages.INVALID if text == ages.UNKNOWN and value else text
