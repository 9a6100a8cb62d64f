"""Strategic merge patch: cases of the API documentation and of upstream's rules, and a twin for keyed lists."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamekube.objects.patches import strategic
from mamekube.objects.schema import builtin_schema
from mamekube.objects.status import StatusError

DEPLOYMENT = builtin_schema("io.k8s.api.apps.v1.Deployment")
POD_SPEC = builtin_schema("io.k8s.api.core.v1.PodSpec")
META = builtin_schema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
SERVICE_SPEC = builtin_schema("io.k8s.api.core.v1.ServiceSpec")

A, B, C = ({"name": name, "image": name} for name in "abc")

CASES: list[tuple[str, Any, Any, Any, Any]] = [
    ("sets and removes", META, {"name": "x", "uid": "u"}, {"name": "y", "uid": None}, {"name": "y"}),
    (
        "merges maps",
        META,
        {"labels": {"a": "1", "b": "2"}},
        {"labels": {"b": None, "c": "3"}},
        {"labels": {"a": "1", "c": "3"}},
    ),
    ("ignores nulls in what is new", META, {}, {"labels": {"a": "1", "b": None}}, {"labels": {"a": "1"}}),
    (
        "adds to a keyed list at its end",
        POD_SPEC,
        {"containers": [A]},
        {"containers": [B]},
        {"containers": [B, A]},
    ),
    (
        "changes an element",
        POD_SPEC,
        {"containers": [A, B]},
        {"containers": [{"name": "b", "image": "new"}]},
        {"containers": [A, {"name": "b", "image": "new"}]},
    ),
    (
        "deletes an element",
        POD_SPEC,
        {"containers": [A, B]},
        {"containers": [{"$patch": "delete", "name": "a"}]},
        {"containers": [B]},
    ),
    (
        "replaces a keyed list",
        POD_SPEC,
        {"containers": [A, B]},
        {"containers": [C, {"$patch": "replace"}]},
        {"containers": [C]},
    ),
    (
        "orders by the directive",
        POD_SPEC,
        {"containers": [A, B]},
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}], "containers": [C]},
        {"containers": [B, C, A]},
    ),
    (
        "orders without a list",
        POD_SPEC,
        {"containers": [A, B]},
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
        {"containers": [B, A]},
    ),
    (
        "puts what only the server has before what it stood before there",
        POD_SPEC,
        {"containers": [A, B, C]},
        {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]},
        {"containers": [B, C, A]},
    ),
    (
        "replaces an atomic list",
        POD_SPEC,
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    (
        "merges a list of scalars",
        META,
        {"finalizers": ["a", "b"]},
        {"finalizers": ["c", "a"]},
        {"finalizers": ["c", "a", "b"]},
    ),
    (
        "takes scalars out",
        META,
        {"finalizers": ["a", "b"]},
        {"$deleteFromPrimitiveList/finalizers": ["a"]},
        {"finalizers": ["b"]},
    ),
    (
        "replaces a map",
        META,
        {"labels": {"a": "1"}},
        {"labels": {"$patch": "replace", "b": "2"}},
        {"labels": {"b": "2"}},
    ),
    ("empties a map", META, {"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}),
    (
        "retains keys",
        DEPLOYMENT,
        {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
        {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
        {"spec": {"strategy": {"type": "Recreate"}}},
    ),
    (
        "tells ports by their number",
        SERVICE_SPEC,
        {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]},
        {"ports": [{"port": 80, "name": "http"}]},
        {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000, "name": "http"}]},
    ),
    (
        "keeps directives out of what is new",
        POD_SPEC,
        {},
        {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [A, {"$patch": "delete", "name": "b"}],
        },
        {"containers": [A]},
    ),
]


@pytest.mark.parametrize(
    ("schema", "doc", "patch", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_patch_merges_by_the_schema(schema: Any, doc: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy((doc, patch))
    assert strategic.apply(doc, patch, schema) == expected
    assert (doc, patch) == before


REFUSED: list[tuple[str, Any, Any, int, str]] = [
    (
        "an element without its key",
        {"containers": [A]},
        {"containers": [{"image": "x"}]},
        500,
        "map: map[image:x] does not contain declared merge key: name",
    ),
    (
        "an element without its key that holds more than text",
        {"containers": [A]},
        {"containers": [{"env": [{"name": "a"}], "stdin": True}]},
        500,
        "map: map[env:[map[name:a]] stdin:true] does not contain declared merge key: name",
    ),
    (
        "an element that is no map",
        {"containers": [A]},
        {"containers": ["x"]},
        500,
        "expected a map, but received a string",
    ),
    ("an unknown directive", {"containers": [A]}, {"$patch": "mend"}, 500, "unknown patch type found: mend"),
    (
        "an order that is no list",
        {"containers": [A]},
        {"$setElementOrder/containers": {}},
        400,
        "invalid patch format of setElementOrder list",
    ),
    ("retained keys that are no list", {}, {"$retainKeys": "x"}, 400, "invalid patch format of retainKeys"),
    (
        "a key that is not retained",
        {},
        {"$retainKeys": ["hostNetwork"], "hostPID": True},
        422,
        "the server rejected our request due to an error in our request",
    ),
]


@pytest.mark.parametrize(
    ("doc", "patch", "code", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_patch_that_cannot_be_read_is_refused(doc: Any, patch: Any, code: int, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        strategic.apply(doc, patch, POD_SPEC)
    assert (caught.value.code, caught.value.message) == (code, message)


NAMES = st.sampled_from("abcd")
CONTAINERS = st.dictionaries(NAMES, st.integers(0, 3), max_size=4)


@given(CONTAINERS, CONTAINERS, st.frozensets(NAMES))
def test_a_keyed_list_merges_as_a_dict_does(
    live: dict[str, int], patch: dict[str, int], gone: frozenset[str]
) -> None:
    gone -= patch.keys()
    doc = {"containers": [{"name": name, "stdin": value} for name, value in live.items()]}
    elements: list[dict[str, Any]] = [{"name": name, "stdin": value} for name, value in patch.items()]
    elements += [{"$patch": "delete", "name": name} for name in sorted(gone)]
    result = strategic.apply(doc, {"containers": elements}, POD_SPEC)["containers"]
    expected = {name: value for name, value in {**live, **patch}.items() if name not in gone}
    assert {item["name"]: item["stdin"] for item in result} == expected
    assert len(result) == len(expected)


@given(st.permutations("abcd"), CONTAINERS)
def test_the_directive_decides_the_order(order: list[str], live: dict[str, int]) -> None:
    doc = {"containers": [{"name": name} for name in live]}
    patch = {"$setElementOrder/containers": [{"name": name} for name in order]}
    result = strategic.apply(doc, patch, POD_SPEC)["containers"]
    assert [item["name"] for item in result] == [name for name in order if name in live]


@given(CONTAINERS, CONTAINERS)
def test_a_patch_applied_twice_changes_nothing_more(live: dict[str, int], patch: dict[str, int]) -> None:
    doc = {"containers": [{"name": name, "stdin": value} for name, value in live.items()]}
    change = {"containers": [{"name": name, "stdin": value} for name, value in patch.items()]}
    once = strategic.apply(doc, change, POD_SPEC)
    assert strategic.apply(once, change, POD_SPEC) == once


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"containers": [{"name": ["a"], "image": "x"}]}},
        {"spec": {"containers": [{"name": {"a": 1}}]}},
        {"metadata": {"finalizers": [["a"]]}},
    ],
)
def test_elements_that_cannot_be_told_apart_are_refused(patch):
    original = {"metadata": {"finalizers": ["x"]}, "spec": {"containers": [{"name": "a"}]}}
    with pytest.raises(StatusError) as refused:
        strategic.apply(original, patch, builtin_schema("io.k8s.api.core.v1.Pod"))
    assert refused.value.code == 400
