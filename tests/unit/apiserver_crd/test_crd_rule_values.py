"""What rules see of lists that are sets or maps, and of fields that are null."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.kinds.apiextensions.rules import tree_of

TEXT = {"type": "string"}
PAIR = {"type": "object", "properties": {"k": TEXT, "v": TEXT}}
FIELDS: dict[str, Any] = {
    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
    "map": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": PAIR,
    },
    "list": {"type": "array", "items": TEXT},
    "nothing": {**TEXT, "nullable": True},
    "some": {"type": "object", "additionalProperties": {**TEXT, "nullable": True}},
}


def errors(rule: str, new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    rules = [{"rule": rule}]
    schema = {"type": "object", "properties": FIELDS, "x-kubernetes-validations": rules}
    tree = tree_of({"type": "object", "properties": {"spec": schema}}, root=True)
    assert tree is not None
    before = None if old is None else {"spec": old}
    return [str(error) for error in tree.errors({"spec": new}, before)]


ONE, TWO, OTHER = {"k": "1", "v": "a"}, {"k": "2", "v": "b"}, {"k": "1", "v": "z"}


@pytest.mark.parametrize(
    ("rule", "new"),
    [
        ("self.set == ['b', 'a']", {"set": ["a", "b"]}),
        ("self.set != ['b', 'a', 'a']", {"set": ["a", "b"]}),
        ("self.list != ['b', 'a']", {"list": ["a", "b"]}),
        ("self.set + ['c', 'a'] == ['a', 'b', 'c']", {"set": ["a", "b"]}),
        ("(self.set + ['c', 'a']).map(x, x) == ['a', 'b', 'c']", {"set": ["a", "b"]}),
        ("self.list + self.set == ['a', 'a']", {"set": ["a"], "list": ["a"]}),
        ("'a' in self.set && self.set[0] == 'a' && self.set.exists(x, x == 'a')", {"set": ["a"]}),
        ("type(self.set) == list && self.set.size() == 1 && self.set.isSorted()", {"set": ["a"]}),
        ("!has(self.nothing)", {"nothing": None}),
        ("has(self.nothing)", {"nothing": ""}),
        ("'a' in self.some && self.some.size() == 1", {"some": {"a": None}}),
    ],
)
def test_a_rule_holds_of_what_it_sees(rule: str, new: dict[str, Any]) -> None:
    assert errors(rule, new) == []


def test_a_list_that_is_a_map_is_equal_in_any_order() -> None:
    assert errors("self.map == oldSelf.map", {"map": [ONE, TWO]}, {"map": [TWO, ONE]}) == []
    assert errors("self.map == oldSelf.map", {"map": [ONE, TWO]}, {"map": [TWO, OTHER]}) != []
    assert errors("self.map == oldSelf.map", {"map": [ONE]}, {"map": [TWO]}) != []


def test_a_list_that_is_a_map_is_added_by_a_merge() -> None:
    rule = "(oldSelf.map + self.map).map(x, x.k + x.v) == ['1z', '2b', '3c']"
    third = {"k": "3", "v": "c"}
    assert errors(rule, {"map": [third, OTHER]}, {"map": [ONE, TWO]}) == []


def test_fields_named_as_words_of_the_language_are_written_between_underscores() -> None:
    schema = {
        "type": "object",
        "properties": dict.fromkeys(("var", "void", "while", "if"), TEXT),
        "x-kubernetes-validations": [
            {"rule": "self.__var__ + self.__void__ + self.__while__ + self.__if__ == '1234'"}
        ],
    }
    tree = tree_of(schema)
    assert tree is not None
    assert tree.errors({"var": "1", "void": "2", "while": "3", "if": "4"}) == []
