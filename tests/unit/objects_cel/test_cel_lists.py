"""CEL's lists extension: what it gives, what it refuses, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.objects import cel
from mamekube.objects.cel.types import INT, STRING, list_of, object_type

ENOUGH = 1_000_000


NESTED = [1, [2, [3, [4]]]]


def value(expression: str) -> Any:
    bindings = {"nested": NESTED, "mixed": [1, 1.0, "a"]}
    return cel.compile(expression, variables=tuple(bindings)).evaluate(bindings, budget=ENOUGH)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("[1, 2, 3, 4].slice(1, 3)", [2, 3]),
        ("[1, 2].slice(0, 0)", []),
        ("[[1], [2, 3]].flatten()", [1, 2, 3]),
        ("nested.flatten(2)", [1, 2, 3, [4]]),
        ("nested.flatten(0)", NESTED),
        ("lists.range(4)", [0, 1, 2, 3]),
        ("[1, 2, 3].reverse()", [3, 2, 1]),
        ("[1, 2, 1, 3, 2].distinct()", [1, 2, 3]),
        ("mixed.distinct()", [1, "a"]),
        ("[3, 1, 2].sort()", [1, 2, 3]),
        ("['b', 'a'].sort()", ["a", "b"]),
        ("[].sort()", []),
        ("['bb', 'a', 'ccc'].sortBy(x, -size(x))", ["ccc", "bb", "a"]),
        ("[{'n': 2}, {'n': 1}].sortBy(x, x.n).map(x, x.n)", [1, 2]),
        ("[5, 6].first().value()", 5),
        ("[5, 6].last().orValue(0)", 6),
        ("[].first().hasValue()", False),
        ("[optional.of(1), optional.none(), optional.of(2)].unwrapOpt()", [1, 2]),
        ("optional.unwrap([optional.of('a'), optional.none()])", ["a"]),
    ],
)
def test_a_list_is_taken_apart_and_put_together(expression: str, wanted: Any) -> None:
    assert value(expression) == wanted


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("[1].slice(-1, 1)", "cannot slice(-1, 1), negative indexes not supported"),
        ("[1].slice(1, 0)", "cannot slice(1, 0), start index must be less than or equal to end index"),
        ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
        ("dyn([1]).flatten(-1)", "level must be non-negative"),
        ("lists.range(-1)", "lists.range: size must be non-negative, got -1"),
        ("mixed.sort()", "list elements must have the same type"),
        ("dyn([[1], [2]]).sort()", "list elements must be comparable"),
    ],
)
def test_what_cannot_be_done_is_told_in_cel_gos_words(expression: str, problem: str) -> None:
    with pytest.raises(cel.EvaluationError) as caught:
        value(expression)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("[{'a': 1}].sort()", "found no matching overload for 'sort' applied to 'list(map(string, int)).()'"),
        (
            "[1].sortBy(x, [x])",
            "found no matching overload for '@sortByAssociatedKeys' applied to 'list(int).(list(list(int)))'",
        ),
        ("[1].slice('a', 1)", "found no matching overload for 'slice' applied to 'list(int).(string, int)'"),
    ],
)
def test_types_are_checked_before_there_are_values(expression: str, problem: str) -> None:
    with pytest.raises(cel.CelCompileError, match="found no matching overload") as caught:
        cel.compile(expression, variables=())
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("xs.slice(2, 5)", 1 + 11 + 3),
        ("xs.reverse()", 1 + 11 + 10),
        ("xs.distinct()", 1 + 11 + 200),
        ("xs.sort()", 1 + 11 + 200),
        ("names.sort()", 1 + 11 + 210),
        ("lists.range(7)", 11 + 7),
    ],
)
def test_a_call_costs_by_what_it_makes_or_compares(expression: str, wanted: int) -> None:
    bindings = {"xs": list(range(10)), "names": list("abcdefghij")}
    budget = cel.Budget(ENOUGH)
    cel.compile(expression, variables=tuple(bindings)).evaluate(bindings, budget=budget)
    assert ENOUGH - budget.left == wanted


def test_no_range_is_made_that_costs_too_much() -> None:
    with pytest.raises(cel.CelBudgetExceeded):
        value("lists.range(9000000).size() > 0")


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("self.xs.slice(1, 4).size() > 0", 2 + 11 + 3 + 2),
        ("self.xs.distinct().size() > 0", 2 + 11 + 200 + 2),
        ("self.names.sort().size() > 0", 2 + 11 + 210 + 2),
        ("lists.range(5).all(x, true)", 11 + 5 + 1 + 5 * 3),
        ("self.xs.sortBy(x, x).size() > 0", 2 + 23 + 10 * 13 + 211 + 2),
    ],
)
def test_an_estimate_goes_by_the_largest_list(expression: str, wanted: int) -> None:
    known = object_type("object", {"xs": list_of(INT), "names": list_of(STRING)})
    sizes = {(): 0, ("xs",): 10, ("names",): 10}
    assert cel.estimate(expression, variables={"self": known}, size_of=lambda p: sizes.get(p[1:])) == wanted
