"""What is said of expressions that do not compile, in cel-go's words and form."""

from __future__ import annotations

import pytest

from mamekube.objects import cel
from mamekube.objects.cel.types import BOOL, DYN, INT, STRING, list_of, object_type

SELF = object_type("object", {"replicas": INT, "names": list_of(STRING), "free": DYN})


def errors(expression: str) -> str:
    with pytest.raises(cel.CelCompileError) as raised:
        cel.compile(expression, variables={"self": SELF, "any": DYN})
    return str(raised.value)


def test_the_place_is_shown_under_the_line() -> None:
    assert errors("self.replicas > 0 &&\n self.absent > 1") == (
        "ERROR: <input>:2:6: undefined field 'absent'\n"
        " |  self.absent > 1\n"
        " | .....^"
    )  # fmt: skip


def test_a_text_that_is_no_expression_keeps_a_rule_from_being_made_ready() -> None:
    with pytest.raises(cel.CelCompileError) as raised:
        cel.compile("'a'.findAll(')', 1) == []", variables=())
    assert raised.value.step == "program instantiation failed"
    assert str(raised.value) == "error parsing regexp: unexpected ): `)`"


def test_types_of_types_compare_with_each_other() -> None:
    assert cel.compile("type(self.replicas) == null_type", variables={"self": SELF}).type == BOOL


def test_all_mistakes_are_told_in_the_order_of_their_places() -> None:
    text = errors("self.one > 1 || self.two > 2")
    assert [line for line in text.split("\n") if line.startswith("ERROR")] == [
        "ERROR: <input>:1:5: undefined field 'one'",
        "ERROR: <input>:1:21: undefined field 'two'",
    ]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            "1 +",
            "1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true',",
        ),
        ("(1", "1:3: Syntax error: mismatched input '<EOF>' expecting ')'"),
        ("1 2", "1:3: Syntax error: mismatched input '2' expecting <EOF>"),
        ("'abc", "Syntax error: token recognition error at: ''abc'"),
        ("1 ~ 2", "1:3: Syntax error: token recognition error at: '~'"),
        ("9223372036854775808", "Syntax error: invalid int literal"),
        ("for", "reserved identifier: for"),
        ("has(self)", "1:4: invalid argument to has() macro"),
        ("self.names.all(1, true)", "1:16: argument must be a simple name"),
        ("absent", "1:1: undeclared reference to 'absent' (in container '')"),
        ("absent(1)", "1:7: undeclared reference to 'absent' (in container '')"),
        ("self.replicas.foo", "1:14: type 'int' does not support field selection"),
        ("self.replicas + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"),
        ("self.names.startsWith('a')", "overload for 'startsWith' applied to 'list(string).(string)'"),
        ("self.replicas.all(x, true)", "expression of type 'int' cannot be range of a comprehension"),
        ("self.names.all(n, n)", "found no matching overload for '_&&_' applied to '(bool, string)'"),
        ("true ? 1 : 'a'", "found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
        ("[1, 'a']", "1:5: expected type 'int' but found 'string'"),
        ("{'a': 1, 'b': true}", "expected type 'int' but found 'bool'"),
        ("self.replicas == 'a'", "overload for '_==_' applied to '(int, string)'"),
        ("'a' in self.replicas", "overload for '@in' applied to '(string, int)'"),
        ("'a'.matches('(')", "1:13: invalid matches argument"),
        ("self! == 1", "1:5: Syntax error: mismatched input '!' expecting <EOF>"),
        ("self)", "1:5: Syntax error: extraneous input ')' expecting <EOF>"),
        ("'%z'.format([1])", '1:12: could not parse formatting clause: unrecognized formatting clause "z"'),
        ("'%d'.format(['a'])", "1:14: error during formatting: decimal clause can only be used on integers"),
        ("'%s %s'.format([1])", "index 1 out of range"),
        ("'%s'.format([1, 2])", "too many arguments supplied to string.format (expected 1, got 2)"),
        ("'%s'.format([[quantity('1')]])", "types, durations, and timestamps, was given kubernetes.Quantity"),
        ("duration('1')", "1:10: invalid duration argument"),
        ("timestamp('soon')", "1:11: invalid timestamp argument"),
        ("Object{}", "undeclared reference to 'Object' (in container '')"),
        ("quantity('1') < quantity('2')", "'(kubernetes.Quantity, kubernetes.Quantity)'"),
        ("optional.of(1) + 1", "applied to '(optional_type(int), int)'"),
    ],
)
def test_what_is_wrong_is_named_in_upstreams_words(expression: str, text: str) -> None:
    assert text in errors(expression)


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("self.replicas > 1", "bool"),
        ("self.names.map(n, n.size())", "list(int)"),
        ("self.free.anything", "dyn"),
        ("any.x + 1", "int"),
        ("self.?replicas", "optional_type(int)"),
        ("{'a': self.replicas}", "map(string, int)"),
        ("[]", "list(dyn)"),
        ("true ? self.free : 1", "dyn"),
        ("duration('1s')", "google.protobuf.Duration"),
    ],
)
def test_the_type_of_an_expression_is_known_before_its_value(expression: str, name: str) -> None:
    found = cel.compile(expression, variables={"self": SELF, "any": DYN}).type
    shown = str(found)
    assert shown == name or (name == "list(dyn)" and shown.startswith("list(%"))


@pytest.mark.parametrize(
    "expression", ["(" * 5000 + "1" + ")" * 5000, "1" + " + 1" * 20000, "!" * 5000 + "any"]
)
def test_what_nests_too_deeply_is_refused_or_evaluated_but_never_breaks(expression: str) -> None:
    try:
        program = cel.compile(expression, variables=("any",))
        program.evaluate({"any": True}, budget=1_000_000)
    except cel.CelError:
        return


def test_long_chains_of_conditions_are_no_deep_ones() -> None:
    expression = " && ".join(f"any != {number}" for number in range(5000))
    assert cel.compile(expression, variables=("any",)).evaluate({"any": -1}, budget=1_000_000) is True


def test_names_can_be_given_to_values_where_that_is_known() -> None:
    expression = "cel.bind(twice, self.replicas * 2, twice + twice)"
    program = cel.compile(expression, variables={"self": SELF}, binds=True)
    assert program.type == INT and program.evaluate({"self": {"replicas": 3}}, budget=100) == 12
    assert cel.estimate(expression, variables={"self": SELF}, size_of=lambda path: None, binds=True) == 16
    assert errors(expression).startswith("ERROR: <input>:1:1: undeclared reference to 'cel'")
    with pytest.raises(cel.CelCompileError, match="variable names must be simple identifiers"):
        cel.compile("cel.bind(self.a, 1, 2)", variables={"self": SELF}, binds=True)
