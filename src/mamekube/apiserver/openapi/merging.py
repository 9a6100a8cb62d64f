"""Other servers' OpenAPI v2 put together with this one's. Pure.

Of another server's document only the paths of the group and version that it serves count, and the definitions that
these need. A definition that is here already under its name, and says something else, gets another name: upstream's
`NAME_v2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mamekube.objects.meta import Object

DEFINITION = "#/definitions/"
PARAMETER = "#/parameters/"
NESTED_MAX = 200
"""Levels of one definition. Deeper ones are no document of an API server."""


class Part(NamedTuple):
    """What one group and version of another server adds to the document."""

    digest: str
    paths: Mapping[str, Object]
    definitions: Mapping[str, Object]


NOTHING = Part("", {}, {})


def part_of(document: Object, *, group: str, version: str, digest: str) -> Part:
    """The part of another server's document that is about one group and version. Raises ValueError."""
    prefix = f"/apis/{group}/{version}/"
    parameters = _mapping(document.get("parameters"))
    paths = {
        path: _with_parameters(item, parameters, 0)
        for path, item in _mapping(document.get("paths")).items()
        if f"{path.rstrip('/')}/".startswith(prefix)
    }
    known = _mapping(document.get("definitions"))
    found: dict[str, Object] = {}
    pending = list(_references(list(paths.values()), 0))
    while pending:
        name = pending.pop()
        if name not in found and isinstance(known.get(name), dict):
            found[name] = known[name]
            pending += _references(known[name], 0)
    return Part(digest, paths, found)


def merged(parts: Iterable[Part], own: Iterable[tuple[str, Object]]) -> Part:
    """All parts in one, without what is in `own`, this server's definitions, already."""
    parts = list(parts)
    names = {name for part in parts for name in part.definitions}
    taken = {name: definition for name, definition in own if name in names}
    paths: dict[str, Object] = {}
    added: dict[str, Object] = {}
    for part in parts:
        renamed = {
            name: _free(name, taken)
            for name, definition in part.definitions.items()
            if taken.get(name, definition) != definition
        }
        for name, definition in part.definitions.items():
            if name in taken and name not in renamed:
                continue
            here = renamed.get(name, name)
            taken[here] = definition
            added[here] = _renamed(definition, renamed, 0)
        for path, item in part.paths.items():
            paths.setdefault(path, _renamed(item, renamed, 0))
    return Part("", paths, added)


def _free(name: str, taken: Mapping[str, Object]) -> str:
    number = 2
    while f"{name}_v{number}" in taken:
        number += 1
    return f"{name}_v{number}"


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ValueError("no OpenAPI document")
    return value or {}


def _references(value: Any, depth: int) -> Iterator[str]:
    _check(depth)
    if isinstance(value, list):
        for item in value:
            yield from _references(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix(DEFINITION)
            else:
                yield from _references(item, depth + 1)


def _renamed(value: Any, names: Mapping[str, str], depth: int) -> Any:
    _check(depth)
    if not names:
        return value
    if isinstance(value, list):
        return [_renamed(item, names, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _renamed(item, names, depth + 1) for key, item in value.items()}
    reference = result.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix(DEFINITION)
        result["$ref"] = DEFINITION + names.get(name, name)
    return result


def _with_parameters(value: Any, parameters: Mapping[str, Any], depth: int) -> Any:
    """With shared parameters written where they are used: their names may be somebody else's here."""
    _check(depth)
    if isinstance(value, list):
        return [_with_parameters(item, parameters, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith(PARAMETER):
        return parameters.get(reference.removeprefix(PARAMETER), {})
    return {key: _with_parameters(item, parameters, depth + 1) for key, item in value.items()}


def _check(depth: int) -> None:
    if depth > NESTED_MAX:
        raise ValueError("the OpenAPI document is nested too deep")
