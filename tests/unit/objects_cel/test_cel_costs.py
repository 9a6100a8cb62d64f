"""What expressions cost, and that no expression costs more than it may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamekube.objects import cel

ENOUGH = 10_000_000


def cost(expression: str, **bindings: Any) -> int:
    budget = cel.Budget(ENOUGH)
    cel.compile(expression, variables=tuple(bindings)).evaluate(bindings, budget=budget)
    return ENOUGH - budget.left


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("true", 0),
        ("a", 1),
        ("a.b", 2),
        ("has(a.b)", 1),
        ("a.b.c + 1", 4),
        ("[a, 2]", 1 + 10),
        ("{'a': a}", 1 + 30),
        ("[[1], [2]] == [] || {'a': duration('1m')} == {}", 2),
        ("double(5) < 10.0", 1),
        ("'x' in ['x', 'y']", 0),
        ("[1,2,3,4].isSorted()", 4),
        ("url('https:://kubernetes.io/').getHostname() != 'test'", 4),
        ("size('abc 123 def 123'.split(' ')) > 0", 5),
        ("size(['aa', 'bb', 'cc', 'd', 'e', 'f', 'g', 'h', 'i', 'j'].join(' ')) > 0", 7),
        ("long + long", 2 + 40),
        ("long == long", 2 + 20),
        ("long.contains('0123456789')", 1 + 20),
        ("long.startsWith('0')", 2),
        ("5 in numbers", 1 + 100),
        ("numbers.sum() > 0", 1 + 100 + 1),
    ],
)
def test_the_cost_is_upstreams(expression: str, wanted: int) -> None:
    bindings = {"a": {"b": {"c": 1}}, "long": "x" * 200, "numbers": list(range(100))}
    assert cost(expression, **bindings) == wanted


@given(st.integers(0, 200))
def test_a_macro_costs_in_proportion_to_its_range(size: int) -> None:
    one, two = (cost("xs.all(x, x >= 0)", xs=list(range(count))) for count in (size, 2 * size))
    assert two - one == one - 1, "the 1 is the name of the list"


def test_a_call_has_a_limit_of_its_own_and_leaves_the_rest_of_the_budget() -> None:
    program = cel.compile("xs.all(x, xs.all(y, xs.all(z, true)))", variables=("xs",))
    budget = cel.Budget(ENOUGH)
    with pytest.raises(cel.CelBudgetExceeded, match="operation cancelled: actual cost limit exceeded"):
        program.evaluate({"xs": list(range(1000))}, budget=budget)
    assert budget.left == ENOUGH - cel.PER_CALL_LIMIT


def test_a_budget_is_spent_by_all_expressions_together() -> None:
    program = cel.compile("xs.all(x, true)", variables=("xs",))
    budget = cel.Budget(1000)
    with pytest.raises(cel.CelBudgetExceeded):
        for _ in range(10):
            program.evaluate({"xs": list(range(100))}, budget=budget)
    assert budget.left < 0


def test_an_exceeded_limit_is_not_absorbed_like_an_error() -> None:
    program = cel.compile("true || xs.all(x, true)", variables=("xs",))
    assert program.evaluate({"xs": list(range(100))}, budget=50) is True
    program = cel.compile("xs.all(x, true) || true", variables=("xs",))
    with pytest.raises(cel.CelBudgetExceeded):
        program.evaluate({"xs": list(range(100))}, budget=50)


def test_a_text_cannot_be_doubled_for_ever() -> None:
    expression = "'a'"
    for _ in range(40):
        expression = f"[{expression}].map(t, t + t)[0]"
    with pytest.raises(cel.CelBudgetExceeded):
        cel.compile(expression, variables=()).evaluate({}, budget=ENOUGH)


def test_no_pattern_makes_a_match_run_for_ever() -> None:
    program = cel.compile("text.matches('^(a+)+$')", variables=("text",))
    assert program.evaluate({"text": "a" * 5000 + "!"}, budget=ENOUGH) is False
