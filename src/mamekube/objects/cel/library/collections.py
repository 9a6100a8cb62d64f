"""Kubernetes' list functions, and the sets extension."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mamekube.foundation import slices
from mamekube.objects.cel import operators
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.values import Duration, compare, equal


def each(items: list[Any], *others: Any) -> int:
    return max(1, len(items))


def _each_with_each(first: list[Any], second: list[Any]) -> int:
    return max(1, len(first) * len(second))


ORDERED = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
SUMMED = ("int", "uint", "double", "duration")


def is_sorted(items: list[Any]) -> bool:
    return all(compare(first, second) <= 0 for first, second in pairwise(slices.each(items)))


def smallest(items: list[Any]) -> Any:
    return _extreme(items, "min", -1)


def largest(items: list[Any]) -> Any:
    return _extreme(items, "max", 1)


def _extreme(items: list[Any], name: str, sign: int) -> Any:
    if not items:
        raise EvaluationError(f"{name} called on empty list")
    found = items[0]
    for item in slices.each(items):
        if compare(item, found) == sign:
            found = item
    return found


def total(items: list[Any]) -> Any:
    """The sum; of an empty list 0, since its elements have no type to tell which zero."""
    if not items:
        return 0
    found = items[0]
    if not isinstance(found, (int, float, Duration)) or isinstance(found, bool):
        raise EvaluationError("no such overload")
    for item in slices.each(items[1:]):
        found = operators.add(found, item)
    return found


for _type in ORDERED:
    declare("isSorted", f"list({_type})", "bool", member=True, cost=each)(is_sorted)
    declare("min", f"list({_type})", _type, member=True, cost=each)(smallest)
    declare("max", f"list({_type})", _type, member=True, cost=each)(largest)
for _type in SUMMED:
    declare("sum", f"list({_type})", _type, member=True, cost=each)(total)


@declare("indexOf", "list(T), T", "int", member=True, cost=each)
def index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(slices.each(items)) if equal(item, wanted)), -1)


@declare("lastIndexOf", "list(T), T", "int", member=True, cost=each)
def last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], wanted)), -1)


@declare("sets.contains", "list(T), list(T)", "bool", cost=_each_with_each)
def contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(operators.contains(item, items) for item in slices.each(wanted))


@declare("sets.equivalent", "list(T), list(T)", "bool", cost=_each_with_each)
def equivalent(first: list[Any], second: list[Any]) -> bool:
    return contains(first, second) and contains(second, first)


@declare("sets.intersects", "list(T), list(T)", "bool", cost=_each_with_each)
def intersects(first: list[Any], second: list[Any]) -> bool:
    return any(operators.contains(item, first) for item in slices.each(second))
