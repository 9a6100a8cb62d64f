"""The tree of a parsed expression. Macros are nodes of their own; operators are calls with upstream's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(slots=True, kw_only=True)
class Literal:
    pos: int
    value: Any


@dataclass(slots=True, kw_only=True)
class Ident:
    pos: int
    name: str


@dataclass(slots=True, kw_only=True)
class Select:
    """`operand.name`, `operand.?name` and, where `test`, `has(operand.name)`."""

    pos: int
    operand: Node
    name: str
    test: bool = False
    optional: bool = False


@dataclass(slots=True, kw_only=True)
class Call:
    """`function(args)` or `target.function(args)`."""

    pos: int
    function: str
    args: list[Node]
    target: Node | None = None


@dataclass(slots=True, kw_only=True)
class ListLiteral:
    pos: int
    elements: list[Node]
    optional: frozenset[int] = frozenset()
    """Positions of the elements that were written as `?element`."""


@dataclass(slots=True, kw_only=True)
class MapLiteral:
    pos: int
    entries: list[tuple[Node, Node]]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class MessageLiteral:
    """`Name{field: value}`."""

    pos: int
    name: str
    entries: list[tuple[str, Node]]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Comprehension:
    """`range.macro(variables…, parts…)`: all, exists, existsOne, map, filter, transformList, transformMap, …"""

    pos: int
    macro: str
    range: Node
    variables: tuple[str, ...]
    parts: list[Node]
    """The expressions after the variables: a predicate, a transformation or both, in this order."""
    details: dict[str, Any] = field(default_factory=dict)


Node: TypeAlias = Literal | Ident | Select | Call | ListLiteral | MapLiteral | MessageLiteral | Comprehension


def dotted(node: Node | None) -> str:
    """`a.b.c` where the node is a plain path of names, else the empty text."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test and not node.optional:
        prefix = dotted(node.operand)
        return f"{prefix}.{node.name}" if prefix else ""
    return ""
