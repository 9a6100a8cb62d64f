"""CEL's lists extension, version 3, and what optionals add to lists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from mamekube.foundation import slices
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.collections import ORDERED
from mamekube.objects.cel.values import NONE, Optional, compare, equal, type_name
from mamekube.objects.cel.values import ORDERED as ORDERED_CLASSES

CALL_COST = 11
"""Of the call itself and the list that it makes."""
RANGE_MAX = 10_000_000


def _per_result(items: Sequence[Any], start: int = 0, end: int | None = None) -> int:
    return CALL_COST + max(0, (len(items) if end is None else min(end, len(items))) - max(0, start))


def _per_level(items: Sequence[Any], depth: int = 1) -> int:
    return CALL_COST + max(0, depth) * len(items)


def self_compared(items: Sequence[Any]) -> int:
    """The cost of comparing every element with every other."""
    factor = 2.1 if items and isinstance(items[0], (str, bytes)) else 2
    return CALL_COST + int(len(items) * len(items) * factor)


@declare("slice", "list(T), int, int", "list(T)", member=True, cost=_per_result)
def slice_of(items: list[Any], start: int, end: int) -> list[Any]:
    problem = ""
    if start < 0 or end < 0:
        problem = "negative indexes not supported"
    elif start > end:
        problem = "start index must be less than or equal to end index"
    elif len(items) < end:
        problem = f"list is length {len(items)}"
    if problem:
        raise EvaluationError(f"cannot slice({start}, {end}), {problem}")
    return items[start:end]


@declare("flatten", "list(list(T))", "list(T)", member=True, cost=_per_level)
@declare("flatten", "list(dyn), int", "list(dyn)", member=True, cost=_per_level)
def flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    found: list[Any] = []
    for item in slices.each(items):
        if isinstance(item, list) and depth:
            found += flatten(item, depth - 1)
        else:
            found.append(item)
    return found


@declare("lists.range", "int", "list(int)", cost=lambda count: CALL_COST + max(0, count))
def numbers(count: int) -> list[int]:
    if count < 0:
        raise EvaluationError(f"lists.range: size must be non-negative, got {count}")
    if count > RANGE_MAX:
        raise EvaluationError(f"lists.range: size {count} exceeds maximum allowed ({RANGE_MAX})")
    return list(range(count))


declare("reverse", "list(T)", "list(T)", member=True, cost=_per_result)(lambda items: items[::-1])


@declare("distinct", "list(T)", "list(T)", member=True, cost=self_compared)
def distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in slices.each(items):
        slices.breathe()
        if not any(equal(item, other) for other in found):
            found.append(item)
    return found


def sorted_by(items: Sequence[Any], keys: Sequence[Any]) -> list[Any]:
    """The items in the order of their keys, which are of one type."""
    if not items:
        return []
    if type(keys[0]) not in ORDERED_CLASSES:
        raise EvaluationError("list elements must be comparable")
    if any(type_name(key) != type_name(keys[0]) for key in keys):
        raise EvaluationError("list elements must have the same type")

    def in_order(one: int, other: int) -> int:
        return compare(keys[one], keys[other])

    return [items[place] for place in sorted(range(len(items)), key=cmp_to_key(in_order))]


for _type in ORDERED:
    declare("sort", f"list({_type})", f"list({_type})", member=True, cost=self_compared)(
        lambda items: sorted_by(items, items)
    )


declare("first", "list(V)", "optional_type(V)", member=True)(
    lambda items: Optional(items[0]) if items else NONE
)
declare("last", "list(V)", "optional_type(V)", member=True)(
    lambda items: Optional(items[-1]) if items else NONE
)


@declare("optional.unwrap", "list(optional_type(V))", "list(V)")
@declare("unwrapOpt", "list(optional_type(V))", "list(V)", member=True)
def unwrap(items: list[Any]) -> list[Any]:
    if not all(type(item) is Optional for item in items):
        raise EvaluationError("no such overload")
    return [item.value for item in items if item.present]
