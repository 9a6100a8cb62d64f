"""Arithmetic and comparison against a deliberately simple twin, on values made at random."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mamekube.objects import cel
from mamekube.objects.cel.values import escape, unescape

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
ints = st.one_of(st.integers(-20, 20), st.integers(INT_MIN, INT_MAX))
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), ints, st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def outcome(expression: str, **bindings: Any) -> Any:
    try:
        return cel.compile(expression, variables=tuple(bindings)).evaluate(bindings, budget=1_000_000)
    except cel.EvaluationError as error:
        return str(error)


def truncated(one: int, other: int) -> int:
    """Go's division: towards zero."""
    whole = abs(one) // abs(other)
    return whole if (one < 0) == (other < 0) else -whole


@given(ints, ints, st.sampled_from("+-*/%"))
def test_integers_are_those_of_go(one: int, other: int, sign: str) -> None:
    found = outcome(f"a {sign} b", a=one, b=other)
    if sign in "/%" and not other:
        assert found == {"/": "division by zero", "%": "modulus by zero"}[sign]
        return
    exact = {
        "+": lambda: one + other,
        "-": lambda: one - other,
        "*": lambda: one * other,
        "/": lambda: truncated(one, other),
        "%": lambda: one - truncated(one, other) * other,
    }[sign]()
    assert found == (exact if INT_MIN <= exact <= INT_MAX else "integer overflow")


@given(values)
def test_everything_equals_itself_and_not_itself_in_a_list(value: Any) -> None:
    assert outcome("a == a", a=value) is True
    assert outcome("a == b", a=value, b=[value]) is False
    assert outcome("a in [a]", a=value) is True


@given(values, values)
def test_equality_goes_both_ways(one: Any, other: Any) -> None:
    assert outcome("a == b", a=one, b=other) is outcome("b == a", a=one, b=other)
    assert outcome("a != b", a=one, b=other) is not outcome("a == b", a=one, b=other)


@given(st.text(alphabet="ab._-/", max_size=12))
def test_every_field_name_comes_back_from_its_escape(name: str) -> None:
    assert unescape(escape(name)) == name


@given(st.text(max_size=40))
def test_no_text_breaks_the_compiler(text: str) -> None:
    try:
        cel.compile(text, variables=("object",))
    except cel.CelCompileError as error:
        assert str(error).startswith("ERROR: <input>:")
