"""Sets of field paths in the form of `fieldsV1`, and their algebra.

A set is a dict from path elements to what is below them: `f:NAME` a field, `k:{...}` the list element with these
keys, `v:VALUE` the element of a set list, `i:N` an index. An element stands in the set itself if its node is empty
or has the member `.`; otherwise only what is below it does. The empty set is the empty dict.

This is the wire form of structured-merge-diff. Nodes are shared and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import orjson

FieldSet: TypeAlias = dict[str, Any]

SELF = "."
LEAF: FieldSet = {}
"""The node of a path that stands in a set with nothing below. Shared: whoever changes it breaks every set."""


def is_member(node: FieldSet) -> bool:
    """Whether the path of `node` itself is in the set, besides what is below."""
    return not node or SELF in node


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not right or left is right:
        return left
    if not left:
        return right
    result = dict(left)
    for element, node in right.items():
        mine = result.get(element)
        if mine is None:
            result[element] = node
        elif mine is not node and element != SELF:
            result[element] = _union_nodes(mine, node)
    return result


def union_all(sets: Sequence[FieldSet]) -> FieldSet:
    """Of one or more sets, pair by pair: one after the other, each would copy what all before it hold."""
    while len(sets) > 1:
        pairs = zip(sets[::2], sets[1::2], strict=False)
        sets = [*(union(left, right) for left, right in pairs), *sets[len(sets) & ~1 :]]
    return sets[0]


def _union_nodes(left: FieldSet, right: FieldSet) -> FieldSet:
    below = union(left, right)
    if not below or SELF in below or (left and right):
        return below
    return {SELF: LEAF, **below}


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in `left` and not in `right`: a path in `right` takes nothing away from below it."""
    return _subtract(left, right, deep=False)


def difference_below(left: FieldSet, right: FieldSet) -> FieldSet:
    """As `difference`, and a path in `right` takes away everything below it."""
    return _subtract(left, right, deep=True)


def _subtract(left: FieldSet, right: FieldSet, *, deep: bool) -> FieldSet:
    if not right or not left:
        return left
    result: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None:
            result[element] = node
        elif element != SELF:
            member = is_member(node) and not is_member(other)
            if deep and is_member(other):
                continue
            below = _subtract({key: sub for key, sub in node.items() if key != SELF}, other, deep=deep)
            _put(result, element, below, member=member)
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    if left is right:
        return left
    result: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is not None and element != SELF:
            below = intersection(node, other)
            _put(result, element, below, member=is_member(node) and is_member(other))
    return result


def _put(result: FieldSet, element: str, below: FieldSet, *, member: bool) -> None:
    if below:
        result[element] = {SELF: LEAF, **below} if member else below
    elif member:
        result[element] = LEAF


def of_paths(paths: Iterator[tuple[str, ...]] | tuple[tuple[str, ...], ...]) -> FieldSet:
    """The set of these field paths, given as names."""
    result: FieldSet = {}
    for path in paths:
        single: FieldSet = LEAF
        for name in reversed(path):
            single = {"f:" + name: single}
        result = union(result, single)
    return result


def paths_of(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Every path in the set as messages print it (`.spec.containers[name="a"].image`), in upstream's order."""
    elements = sorted(((element, node) for element, node in fields.items() if element != SELF), key=_order)
    for element, node in elements:
        if is_member(node):
            yield prefix + print_element(element)
    for element, node in elements:
        if node:
            yield from paths_of(node, prefix + print_element(element))


def _order(entry: tuple[str, FieldSet]) -> tuple[int, str]:
    return ".fkvi".index(entry[0][0]), entry[0]


def in_order(fields: FieldSet) -> FieldSet:
    """The same set as upstream writes it: each level sorted, names before keys before values before indices."""
    return {element: in_order(node) if node else node for element, node in sorted(fields.items(), key=_order)}


def print_element(element: str) -> str:
    kind, rest = element[0], element[2:]
    if kind == "f":
        return "." + rest
    if kind == "k":
        keys = orjson.loads(rest)
        return "[" + ",".join(f"{key}={orjson.dumps(keys[key]).decode()}" for key in sorted(keys)) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


def is_valid(fields: Any) -> bool:
    """Whether JSON from a client is a set: nested objects with known kinds of path elements."""
    if not isinstance(fields, dict):
        return False
    pending = [fields]
    while pending:
        for element, node in pending.pop().items():
            if not isinstance(node, dict) or not _is_element(element):
                return False
            pending.append(node)
    return True


def _is_element(element: str) -> bool:
    if element == SELF or element.startswith("f:"):
        return True
    kind, rest = element[:2], element[2:]
    try:
        value = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return False
    return (
        kind == "v:"
        or (kind == "k:" and isinstance(value, dict))
        or (kind == "i:" and isinstance(value, int))
    )
