"""What an update may leave as it was, although the schema has become stricter: the steps of upstream's own test."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.apiserver.customresources.definition import Validation
from mamekube.kinds.apiextensions import rules

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
MAP = {"type": "object", "additionalProperties": TEXT}
OLD = {"key1": "hi", "key2": "there"}
PORTS = [{"name": "nginx", "port": 443, "f": "v"}, {"name": "etcd", "port": 2379, "f": "v"}]


def ports(**more: Any) -> dict[str, Any]:
    port = {"type": "integer", **more.pop("port", {})}
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name", "port"],
        "items": {
            "type": "object",
            "required": ["name", "port"],
            "properties": {"name": TEXT, "port": port, "f": TEXT},
        },
        **more,
    }


def ruled(rule: str, **more: Any) -> dict[str, Any]:
    return {**TEXT, "x-kubernetes-validations": [{"rule": rule, **more}]}


FEW = {**MAP, "minProperties": 1, "maxProperties": 1}
LONG = {"type": "array", "items": {**MAP, "additionalProperties": {**TEXT, "minLength": 6}}}
ELEMENTS = [{"name": "1", "key": "value"}, {"name": "2", "key": "value"}]
PREFIXED = {"type": "object", "additionalProperties": {"type": "object", "properties": {
    "text": ruled("self.startsWith('k8s')"), "number": {"type": "integer"},
}}}  # fmt: skip
NAMED = {"one": {"text": "a string", "number": 5}, "two": {"text": "another", "number": 15}}
EVEN = {"port": {"multipleOf": 2}}
CASES: list[tuple[str, dict[str, Any], Any, Any, bool]] = [
    ("sizes of maps", FEW, OLD, OLD, True),
    ("sizes of changed maps", FEW, OLD, {**OLD, "key1": "changed"}, False),
    ("too few are left", {**MAP, "minProperties": 2}, {**OLD, "key3": "b"}, {"key1": "hi"}, False),
    ("items", {**TEXTS, "minItems": 10}, ["a", "b"], ["a", "b"], True),
    ("changed items", {**TEXTS, "minItems": 10}, ["a", "b"], ["b", "b"], False),
    ("more items, not enough", {**TEXTS, "minItems": 10}, ["a", "b"], ["a", "b", "c"], False),
    ("fewer items, too many", {**TEXTS, "maxItems": 1}, ["a", "b", "c"], ["a", "b"], False),
    ("length", {**TEXT, "maxLength": 3}, "value", "value", True),
    ("changed length", {**TEXT, "maxLength": 3}, "value", "valu", False),
    ("pattern", {**TEXT, "pattern": "^[1-9]+$"}, "no", "no", True),
    ("changed pattern", {**TEXT, "pattern": "^[1-9]+$"}, "no", "w123", False),
    ("format", {**TEXT, "format": "byte"}, "no format", "no format", True),
    ("changed format", {**TEXT, "format": "byte"}, "no format", "asd", False),
    ("enum", {**TEXT, "enum": ["a"]}, "b", "b", True),
    ("changed enum", {**TEXT, "enum": ["a"]}, "b", "c", False),
    ("other type", {"type": "integer"}, "b", "b", True),
    ("lists that are maps in another order", ports(**EVEN), PORTS, PORTS[::-1], True),
    (
        "an element by its keys, beside a changed one",
        ports(**EVEN),
        PORTS,
        [PORTS[1], {**PORTS[0], "f": "changed"}, {"name": "dev", "port": 8080, "f": "v"}],
        True,
    ),
    ("a new wrong key", ports(**EVEN), PORTS, [*PORTS, {"name": "dev", "port": 1, "f": "v"}], False),
    ("the size of a map that was put in another order", ports(maxItems=1), PORTS, PORTS[::-1], True),
    ("elements as they were", LONG, ELEMENTS, ELEMENTS, True),
    (
        "elements are not told by their place",
        LONG,
        ELEMENTS,
        [ELEMENTS[0], {**ELEMENTS[1], "k": "valid value"}],
        False,
    ),
    (
        "elements of a set are told by nothing",
        {**TEXTS, "x-kubernetes-list-type": "set", "items": {**TEXT, "minLength": 5}},
        ["a", "b"],
        ["a", "b", "long enough"],
        False,
    ),
    ("rules", PREFIXED, NAMED, {**NAMED, "three": {"text": "k8s", "number": 7}}, True),
    (
        "rules beside a changed sibling",
        PREFIXED,
        NAMED,
        {**NAMED, "one": {"text": "a string", "number": 6}},
        True,
    ),
    ("rules of a changed value", PREFIXED, NAMED, {**NAMED, "one": {"text": "b string", "number": 5}}, False),
    ("rules of swapped values", PREFIXED, NAMED, {"one": NAMED["two"], "two": NAMED["one"]}, False),
    ("transition rules", ruled("oldSelf != 'a' || self == 'b'"), "a", "a", False),
    ("transition rules that hold", ruled("oldSelf != 'a' || self == 'b'"), "a", "b", True),
    ("optional old values", ruled("!oldSelf.hasValue()", optionalOldSelf=True), "a", "a", False),
]


@pytest.mark.parametrize(("name", "schema", "old", "new", "passes"), CASES, ids=[case[0] for case in CASES])
def test_an_update_leaves_alone(name: str, schema: dict[str, Any], old: Any, new: Any, passes: bool) -> None:
    judge = Validation({"type": "object", "properties": {"field": schema, "other": TEXT}}, None)
    errors = judge.update({"field": new, "other": "changed"}, {"field": old, "other": "x"})
    assert (errors == []) is passes, errors
    if passes and old == new:
        assert judge.create({"field": new}), "it is wrong where it is new"


def test_what_repeats_may_go_on_repeating_once_it_did() -> None:
    listed = {**ports(), "x-kubernetes-list-map-keys": ["name"]}
    judge = Validation({"type": "object", "properties": {"field": listed}}, None)
    twice = {"field": [*PORTS, PORTS[0]]}
    assert [str(error) for error in judge.create(twice)] == ['field[2]: Duplicate value: {"name":"nginx"}']
    assert judge.update({"field": [*PORTS, PORTS[1]]}, twice) == []
    assert judge.update(twice, {"field": PORTS})


def test_rules_hold_also_where_the_first_judgement_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a client who is gone while his large object is judged in a thread."""
    validation = Validation({"type": "object", "properties": {"text": ruled("self != 'wrong'")}}, None)
    with monkeypatch.context() as given_up:
        given_up.setattr(rules, "tree_of", lambda *args, **kwargs: next(iter(())))
        with pytest.raises(StopIteration):
            validation.create({"text": "wrong"})
    assert [error.field for error in validation.create({"text": "wrong"})] == ["text"]


def test_rules_that_are_broken_as_before_are_warned_of_once() -> None:
    schema = {
        "type": "object",
        "properties": {
            "text": ruled("self == 'b'"),
            "list": {"type": "array", "items": ruled("self == 'b'")},
        },
    }
    judge = Validation(schema, None)
    old = {"text": "a", "list": ["a"]}
    new = {**old, "other": 1}
    assert judge.update(new, old) == []
    told = [
        "text: Invalid value: \"string\": failed rule: self == 'b'",
        "list[0]: Invalid value: \"string\": failed rule: self == 'b'",
    ]
    assert judge.warnings(new, old) == told
    assert judge.warnings(new, old) == []


def test_the_kind_of_a_whole_object_does_not_go_on_being_wrong() -> None:
    schema = {
        "type": "object",
        "properties": {
            "kind": ruled("self == 'Pod'"),
            "inner": {"type": "object", "properties": {"kind": ruled("self == 'Pod'")}},
        },
    }
    obj = {"kind": "Baz", "inner": {"kind": "Baz"}}
    assert [error.field for error in Validation(schema, None).update(obj, obj)] == ["kind"]


def test_what_a_rule_cannot_tell_is_no_breach_of_old() -> None:
    judge = Validation({"type": "object", "properties": {"a": ruled("[self][1] == self")}}, None)
    assert len(judge.update({"a": "x"}, {"a": "x"})) == 1


LIST = {"type": "array", "items": TEXT}
BELOW = {
    "the value itself": ({}, "a", TEXT),
    "the elements of a list": ({"items": {}}, ["a"], LIST),
    "the values of a map": (
        {"additionalProperties": {}},
        {"k": "a"},
        {"type": "object", "additionalProperties": TEXT},
    ),
    "the fields": ({"properties": {"f": {}}}, {"f": "a"}, {"type": "object", "properties": {"f": TEXT}}),
}


@pytest.mark.parametrize("name", BELOW)
def test_rules_of_all_parts_know_the_types_of_the_schema_around_them(name: str) -> None:
    part, value, schema = BELOW[name]
    rule = {"x-kubernetes-validations": [{"rule": "self.size() > 1", "message": "longer"}]}
    ruled_part = rule if not part else {key: _innermost(inner, rule) for key, inner in part.items()}
    whole = {"type": "object", "properties": {"field": {**schema, "allOf": [{"allOf": [ruled_part]}]}}}
    (error,) = Validation(whole, None).create({"field": value})
    assert error.message == 'Invalid value: "string": longer'
    assert len(Validation(whole, None).update({"field": value, "x": 1}, {"field": value})) == 1, (
        "changed around it"
    )


def _innermost(inner: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    return rule if not inner else dict.fromkeys(inner, rule)
