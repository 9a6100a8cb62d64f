"""JSON patch: the examples of RFC 6902, what upstream's library adds, and a twin that copies everything."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamekube.foundation import limits
from mamekube.objects.meta import same
from mamekube.objects.patches import json_patch
from mamekube.objects.status import StatusError

APPLIES: list[tuple[str, Any, list[dict[str, Any]], Any]] = [
    ("adds a member", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": 1}], {"foo": "bar", "baz": 1}),
    ("adds an element", {"f": [1, 3]}, [{"op": "add", "path": "/f/1", "value": 2}], {"f": [1, 2, 3]}),
    ("appends", {"f": [1]}, [{"op": "add", "path": "/f/-", "value": [2]}], {"f": [1, [2]]}),
    ("replaces on add", {"f": 1}, [{"op": "add", "path": "/f", "value": 2}], {"f": 2}),
    ("adds null", {}, [{"op": "add", "path": "/f", "value": None}], {"f": None}),
    ("replaces the document", {"f": 1}, [{"op": "add", "path": "", "value": {"g": 2}}], {"g": 2}),
    ("removes a member", {"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
    ("removes an element", {"f": [1, 2, 3]}, [{"op": "remove", "path": "/f/1"}], {"f": [1, 3]}),
    ("removes from the end", {"f": [1, 2, 3]}, [{"op": "remove", "path": "/f/-1"}], {"f": [1, 2]}),
    ("replaces", {"a": [1]}, [{"op": "replace", "path": "/a/0", "value": 5}], {"a": [5]}),
    (
        "moves",
        {"a": {"b": 1}, "c": {}},
        [{"op": "move", "from": "/a/b", "path": "/c/d"}],
        {"a": {}, "c": {"d": 1}},
    ),
    ("moves in a list", {"f": [1, 2, 3]}, [{"op": "move", "from": "/f/0", "path": "/f/2"}], {"f": [2, 3, 1]}),
    ("copies", {"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
    (
        "unescapes",
        {"a/b": 1, "m~n": 2},
        [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}],
        {},
    ),
    (
        "tests",
        {"a": [1, {"b": None}]},
        [{"op": "test", "path": "/a", "value": [1, {"b": None}]}],
        {"a": [1, {"b": None}]},
    ),
    ("tests for absence", {}, [{"op": "test", "path": "/a", "value": None}], {}),
]


@pytest.mark.parametrize(
    ("doc", "patch", "expected"), [case[1:] for case in APPLIES], ids=[case[0] for case in APPLIES]
)
def test_a_patch_applies_and_leaves_the_document_alone(
    doc: Any, patch: list[dict[str, Any]], expected: Any
) -> None:
    before = copy.deepcopy(doc)
    assert json_patch.apply(doc, patch) == expected
    assert doc == before


REFUSED: list[tuple[str, Any, list[dict[str, Any]]]] = [
    ("no parent", {}, [{"op": "add", "path": "/a/b", "value": 1}]),
    ("a missing member", {}, [{"op": "remove", "path": "/a"}]),
    ("a missing member to replace", {}, [{"op": "replace", "path": "/a", "value": 1}]),
    ("an index out of range", {"f": [1]}, [{"op": "add", "path": "/f/3", "value": 1}]),
    ("an index that is none", {"f": [1]}, [{"op": "add", "path": "/f/x", "value": 1}]),
    ("an index of 5,000 digits", {"f": [1]}, [{"op": "add", "path": "/f/" + "1" * 5000, "value": 1}]),
    ("a failed test", {"a": 1}, [{"op": "test", "path": "/a", "value": True}]),
    ("an unknown operation", {}, [{"op": "merge", "path": "/a"}]),
    ("no path", {}, [{"op": "add", "value": 1}]),
    ("no value", {}, [{"op": "add", "path": "/a"}]),
    ("no slash", {}, [{"op": "add", "path": "a", "value": 1}]),
    ("a move into itself", {"a": {"b": {}}}, [{"op": "move", "from": "/a", "path": "/a/b/c"}]),
    ("a step through a scalar", {"a": 1}, [{"op": "add", "path": "/a/b", "value": 1}]),
]


@pytest.mark.parametrize(("doc", "patch"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_does_not_apply_is_one_422(doc: Any, patch: list[dict[str, Any]]) -> None:
    with pytest.raises(StatusError) as caught:
        json_patch.apply(doc, patch)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message == "the server rejected our request due to an error in our request"


def test_what_is_no_patch_is_a_400_that_names_the_type() -> None:
    with pytest.raises(StatusError) as caught:
        json_patch.apply({}, {"op": "add"})
    assert caught.value.code == 400
    assert caught.value.message == (
        "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
    )


def test_a_patch_of_too_many_operations_is_refused() -> None:
    operations = [{"op": "test", "path": "", "value": {}}] * (limits.JSON_PATCH_OPERATIONS_MAX + 1)
    with pytest.raises(StatusError) as caught:
        json_patch.apply({}, operations)
    assert caught.value.code == 413
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in caught.value.message


def test_copies_cannot_blow_up_the_document() -> None:
    operations = [{"op": "add", "path": "/a", "value": "x" * 1000}]
    operations += [{"op": "copy", "from": "", "path": f"/c{index}"} for index in range(40)]
    with pytest.raises(StatusError):
        json_patch.apply({}, operations)


def test_a_copy_and_its_source_change_apart() -> None:
    patch = [
        {"op": "add", "path": "/a", "value": {"x": [1]}},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/x/-", "value": 2},
        {"op": "add", "path": "/b/x/-", "value": 3},
    ]
    assert json_patch.apply({}, patch) == {"a": {"x": [1, 2]}, "b": {"x": [1, 3]}}
    assert patch[0]["value"] == {"x": [1]}


def test_strict_decoding_names_fields_that_no_operation_has() -> None:
    operations = [{"op": "test", "path": ""}, {"op": "test", "path": "", "vlaue": 1}]
    assert json_patch.strict_errors(operations) == ['json patch unknown field "[1].vlaue"']


KEYS = st.sampled_from(["a", "b", "0", "1", "-"])
DOCUMENTS = st.recursive(
    st.integers(0, 3) | st.none() | st.booleans(),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))
POINTERS = st.lists(KEYS, max_size=3).map(lambda steps: "".join(f"/{step}" for step in steps))
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": DOCUMENTS | st.integers(0, 3),
    }
)


@given(DOCUMENTS, st.lists(OPERATIONS, max_size=5))
def test_the_result_is_that_of_a_twin_which_copies_everything(
    doc: Any, operations: list[dict[str, Any]]
) -> None:
    before = copy.deepcopy((doc, operations))
    try:
        expected = _twin(doc, operations)
    except (KeyError, IndexError, ValueError, TypeError):
        with pytest.raises(StatusError):
            json_patch.apply(doc, operations)
    else:
        assert json_patch.apply(doc, operations) == expected
    assert (doc, operations) == before


def _twin(doc: Any, operations: list[dict[str, Any]]) -> Any:
    holder = {"doc": copy.deepcopy(doc)}
    for operation in copy.deepcopy(operations):
        verb, path, source = operation["op"], _steps(operation["path"]), _steps(operation["from"])
        value = operation["value"]
        if verb == "test":
            parent = _walk(holder, path[:-1])
            if isinstance(parent, dict) and path[-1] not in parent:
                found = None
            else:
                found = _walk(holder, path)
            if not same(found, value):
                raise ValueError
            continue
        if verb in ("move", "copy"):
            value = copy.deepcopy(_walk(holder, source))
            if verb == "move":
                if operation["path"].startswith(operation["from"] + "/") or len(source) == 1:
                    raise ValueError
                _delete(holder, source)
        if verb == "remove":
            if len(path) == 1:
                raise ValueError
            _delete(holder, path)
        elif verb == "replace":
            _walk(holder, path)
            parent = _walk(holder, path[:-1])
            parent[_at(parent, path[-1])] = value
        else:
            parent = _walk(holder, path[:-1])
            if isinstance(parent, list):
                index = len(parent) if path[-1] == "-" else int(path[-1])
                if index > len(parent):
                    raise IndexError
                parent.insert(index, value)
            elif isinstance(parent, dict):
                parent[path[-1]] = value
            else:
                raise TypeError
    return holder["doc"]


def _steps(pointer: str) -> list[str]:
    return ["doc", *pointer.split("/")[1:]]


def _at(container: Any, step: str) -> Any:
    return int(step) if isinstance(container, list) else step


def _walk(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(value, (dict, list)):
            raise TypeError
        value = value[_at(value, step)]
    return value


def _delete(holder: Any, steps: list[str]) -> None:
    parent = _walk(holder, steps[:-1])
    del parent[_at(parent, steps[-1])]
