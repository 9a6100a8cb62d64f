"""JSON merge patch: the table of RFC 7386, and that nothing given is changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mamekube.objects.patches import merge_patch

RFC_7386: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("doc", "patch", "expected"), RFC_7386)
def test_the_table_of_the_rfc(doc: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy((doc, patch))
    assert merge_patch.apply(doc, patch) == expected
    assert (doc, patch) == before


def test_what_stays_is_shared_with_the_document() -> None:
    doc = {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}}
    result = merge_patch.apply(doc, {"spec": {"replicas": 2}})
    assert result["metadata"] is doc["metadata"]
    assert doc["spec"] == {"replicas": 1}
