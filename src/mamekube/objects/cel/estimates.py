"""What an expression may cost at worst, told before there are values: cel-go's estimate, as Kubernetes sets it up.

Sizes are the key to it. A path from a variable (`self`, `spec`, `@items`, `name`) is asked of whoever knows the
schema; a literal has the size that it has; what is made of sized things has a size of its own; everything else may
be of any size. The figures decide which definitions can be stored, so they are upstream's also where these are
coarse: what a macro makes has no path, and is taken to be as large as the root.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from mamekube.objects.cel.ast import (
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    MessageLiteral,
    Node,
    Select,
    dotted,
)
from mamekube.objects.cel.evaluator import LIST_COST, MAP_COST, MESSAGE_COST
from mamekube.objects.cel.types import BOOL, DOUBLE, DURATION, DYN, INT, TIMESTAMP, UINT, ObjectType, Type

UNBOUNDED = 2**64 - 1
"""No size and no cost is beyond it; what would be is this."""
PER_CHARACTER = 0.1
PER_PATTERN_CHARACTER = 0.25

Size: TypeAlias = tuple[int, int]
"""(at least, at most)"""
Path: TypeAlias = tuple[str, ...]
SizeOf: TypeAlias = Callable[[Path], int | None]
"""The most that the value at a path can have of characters, elements or entries; None where nobody knows."""

ANY_SIZE: Size = (0, UNBOUNDED)
ONE: Size = (1, 1)
_NO_ENTRY_YET: Size = (UNBOUNDED, 0)
_SCALARS = frozenset((BOOL, DOUBLE, DURATION, INT, TIMESTAMP, UINT))


class Entry(NamedTuple):
    """The sizes of the keys and values of a container that the expression makes itself."""

    key: Size
    value: Size


class Estimate(NamedTuple):
    """What is known of a part of the expression."""

    cost: int
    type: Type
    size: Size | None = None
    path: Path = ()
    entry: Entry | None = None
    literal: Any = None

    @property
    def bounds(self) -> Size:
        return ANY_SIZE if self.size is None else self.size


Scope: TypeAlias = Mapping[str, Estimate]


def total(*costs: int) -> int:
    return min(sum(costs), UNBOUNDED)


def times(one: int, other: int) -> int:
    return min(one * other, UNBOUNDED)


def part_of(count: int, factor: float) -> int:
    """`count` times a fraction, rounded up."""
    return min(math.ceil(float(count) * factor), UNBOUNDED)


def union(one: Size, other: Size) -> Size:
    return min(one[0], other[0]), max(one[1], other[1])


def added(one: Size, other: Size) -> Size:
    return total(one[0], other[0]), total(one[1], other[1])


def multiplied(one: Size, other: Size) -> Size:
    return times(one[0], other[0]), times(one[1], other[1])


def scalar_size(known: Type) -> Size | None:
    if known.name == "optional_type" and known.args:
        return scalar_size(known.args[0])
    return ONE if known in _SCALARS else None


class Estimator:
    """`types` has the type of every node by its id, as the checker found it."""

    def __init__(self, types: Mapping[int, Type], size_of: SizeOf) -> None:
        self._types = types
        self._size_of = size_of

    def visit(self, node: Node, scope: Scope) -> Estimate:
        return _VISITS[type(node)](self, node, scope)

    def known(
        self,
        node: Node,
        cost: int,
        *,
        path: Path = (),
        size: Size | None = None,
        entry: Entry | None = None,
    ) -> Estimate:
        """`size`: where it follows from the expression; else the path tells, or the type."""
        found = self._types.get(id(node), DYN)
        return Estimate(cost, found, size or self.size_at(path) or scalar_size(found), path, entry)

    def size_at(self, path: Path) -> Size | None:
        most = self._size_of(path) if path else None
        return None if most is None else (0, most)

    # Leaves ----------------------------------------------------------------------------------------

    def literal(self, node: Literal, scope: Scope) -> Estimate:
        size = len(node.value) if isinstance(node.value, (str, bytes)) else 1
        return self.known(node, 0, size=(size, size))._replace(literal=node.value)

    def ident(self, node: Ident, scope: Scope) -> Estimate:
        bound = scope.get(node.name)
        if bound is None:
            return self.known(node, 1, path=(node.name,))
        found = self.known(node, 1, path=bound.path, entry=bound.entry)
        return found if found.size is not None else found._replace(size=bound.size)

    def select(self, node: Select, scope: Scope) -> Estimate:
        if id(node.operand) not in self._types:
            return self.known(node, 1)  # The name of a type.
        operand = self.visit(node.operand, scope)
        if node.test:
            return self.known(node, operand.cost)
        if node.optional:
            return self.known(node, total(operand.cost, 1))
        kind = operand.type
        has_fields = isinstance(kind, ObjectType) or kind.name == "map" or kind.variable
        return self.known(node, total(operand.cost, has_fields), path=(*operand.path, node.name))

    def list_literal(self, node: ListLiteral, scope: Scope) -> Estimate:
        parts = [self.visit(element, scope) for element in node.elements]
        entry = Entry(ONE, _all_of([part.bounds for part in parts]))
        cost = total(LIST_COST, *(part.cost for part in parts))
        return self.known(node, cost, size=(len(parts), len(parts)), entry=entry)

    def map_literal(self, node: MapLiteral, scope: Scope) -> Estimate:
        keys = [self.visit(key, scope) for key, _ in node.entries]
        values = [self.visit(value, scope) for _, value in node.entries]
        entry = Entry(_all_of([key.bounds for key in keys]), _all_of([value.bounds for value in values]))
        cost = total(MAP_COST, *(part.cost for part in (*keys, *values)))
        return self.known(node, cost, size=(len(keys), len(keys)), entry=entry)

    def message(self, node: MessageLiteral, scope: Scope) -> Estimate:
        return self.known(node, total(MESSAGE_COST, *(self.visit(v, scope).cost for _, v in node.entries)))

    # Calls -----------------------------------------------------------------------------------------

    def call(self, node: Call, scope: Scope) -> Estimate:
        from mamekube.objects.cel.estimated_calls import estimate_call

        args = [self.visit(arg, scope) for arg in node.args]
        target, name = None, node.function
        if node.target is not None and id(node.target) in self._types:
            target = self.visit(node.target, scope)
        elif node.target is not None:
            name = f"{dotted(node.target)}.{name}"  # The target is a part of the function's name.
        made = estimate_call(name, target, args, self.size_at)
        before = total(target.cost if target is not None else 0, *(arg.cost for arg in args))
        cost = made.cost if made.includes_arguments else total(before, made.cost)
        return self.known(node, cost, path=made.path, size=made.size, entry=made.entry)

    # Macros ----------------------------------------------------------------------------------------

    def comprehension(self, node: Comprehension, scope: Scope) -> Estimate:
        from mamekube.objects.cel.estimated_calls import self_compared

        source = self.visit(node.range, scope)
        if node.macro in ("optMap", "optFlatMap"):
            return self._optional_map(node, source, scope)
        if node.macro == "bind":
            bound = self.visit(node.parts[0], {**scope, node.variables[0]: source._replace(cost=1)})
            return bound._replace(cost=total(source.cost, LIST_COST, bound.cost))
        inner = {**scope, **self._variables(node, source)}
        parts = [self.visit(part, inner) for part in node.parts]
        loop = _LOOPS[node.macro]
        body = parts[-1]
        step = total(loop.step, body.cost)
        entry = None
        if loop.filters:
            element = inner[node.variables[-1]]
            entry = Entry(ONE, union((0, 0), element.bounds))
        elif loop.lists:
            entry = Entry(ONE, union((0, 0), body.bounds))
        if len(parts) > 1:
            step = total(step, parts[0].cost)
        cost = total(source.cost, loop.around, times(source.bounds[1], step))
        if node.macro == "sortBy":
            cost = total(cost, self_compared(source.bounds, body.type).cost)
        return self.known(node, cost, size=source.bounds if loop.makes else ONE, entry=entry)

    def _variables(self, node: Comprehension, source: Estimate) -> dict[str, Estimate]:
        names, entry, is_list = node.variables, source.entry, source.type.name == "list"
        key, value = ("@indices", "@items") if is_list else ("@keys", "@values")
        if len(names) == 1 and is_list:
            steps = [(value, entry.value if entry else None)]
        elif len(names) == 1:
            steps = [(key, entry.key if entry else None)]
        else:
            steps = [(key, entry.key if entry else None), (value, entry.value if entry else None)]
        found = {}
        for name, (step, size) in zip(names, steps, strict=True):
            path = (*source.path, step)
            found[name] = Estimate(1, DYN, self.size_at(path) or size, path)
        return found

    def _optional_map(self, node: Comprehension, source: Estimate, scope: Scope) -> Estimate:
        """`x.hasValue() ? optional.of(bind(v, x.value(), body)) : optional.none()`"""
        bound = source._replace(cost=1, path=(), size=None, entry=None)
        body = self.visit(node.parts[0], {**scope, node.variables[0]: bound})
        asks = total(source.cost, 1)
        wraps = 1 if node.macro == "optMap" else 0
        return self.known(node, total(asks, asks, LIST_COST, body.cost, wraps))


class _Loop(NamedTuple):
    """What a macro is made of: costs around the loop, and in every step beside the expressions in it."""

    around: int
    step: int
    makes: bool = False
    lists: bool = False
    filters: bool = False


_LOOPS = {
    "all": _Loop(1, 3),
    "exists": _Loop(1, 4),
    "existsOne": _Loop(2, 2),
    "filter": _Loop(LIST_COST + 1, 13, makes=True, filters=True),
    "map": _Loop(LIST_COST + 1, 12, makes=True, lists=True),
    "sortBy": _Loop(2 * LIST_COST + 3, 12, makes=True),
    "transformMap": _Loop(MAP_COST + 1, 3, makes=True),
    "transformMapEntry": _Loop(MAP_COST + 1, 2, makes=True),
}


def _all_of(sizes: list[Size]) -> Size:
    if not sizes:
        return 0, 0
    found = _NO_ENTRY_YET
    for size in sizes:
        found = union(found, size)
    return found


_VISITS: Mapping[type, Callable[..., Estimate]] = {
    Literal: Estimator.literal,
    Ident: Estimator.ident,
    Select: Estimator.select,
    Call: Estimator.call,
    ListLiteral: Estimator.list_literal,
    MapLiteral: Estimator.map_literal,
    MessageLiteral: Estimator.message,
    Comprehension: Estimator.comprehension,
}
