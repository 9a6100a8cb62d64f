"""Field sets against a twin: plain Python sets of paths."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mamekube.objects.patches import field_sets
from mamekube.objects.patches.field_sets import FieldSet

Paths = frozenset[tuple[str, ...]]

ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
PATHS = st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=8)


def build(paths: Paths) -> FieldSet:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _compact(root)


def _compact(node: dict[str, Any]) -> dict[str, Any]:
    compact = {key: _compact(below) if key != "." else {} for key, below in node.items()}
    return {} if list(compact) == ["."] else compact


def read(fields: FieldSet, prefix: tuple[str, ...] = ()) -> Paths:
    found: set[tuple[str, ...]] = set()
    for element, node in fields.items():
        if element == ".":
            continue
        path = (*prefix, element)
        if field_sets.is_member(node):
            found.add(path)
        found |= read(node, path)
    return frozenset(found)


@given(PATHS)
def test_a_set_holds_the_paths_it_was_built_of(paths: Paths) -> None:
    assert read(build(paths)) == paths
    assert field_sets.is_valid(build(paths))


@given(PATHS, PATHS)
def test_the_algebra_is_that_of_sets(left: Paths, right: Paths) -> None:
    assert read(field_sets.union(build(left), build(right))) == left | right
    assert read(field_sets.difference(build(left), build(right))) == left - right
    assert read(field_sets.intersection(build(left), build(right))) == left & right


@given(PATHS, PATHS)
def test_results_are_in_shortest_form(left: Paths, right: Paths) -> None:
    assert field_sets.union(build(left), build(right)) == build(left | right)
    assert field_sets.difference(build(left), build(right)) == build(left - right)
    assert field_sets.intersection(build(left), build(right)) == build(left & right)


@given(PATHS, PATHS)
def test_a_difference_below_takes_whole_branches(left: Paths, right: Paths) -> None:
    kept = frozenset(path for path in left if not any(path[: len(mask)] == mask for mask in right))
    assert read(field_sets.difference_below(build(left), build(right))) == kept


def test_paths_print_as_in_messages_members_before_what_is_below_them() -> None:
    fields = {
        "f:spec": {
            "f:template": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}},
            "f:replicas": {},
            "f:finalizers": {'v:"x"': {}},
        }
    }
    assert list(field_sets.paths_of(fields)) == [
        ".spec.replicas",
        '.spec.finalizers[="x"]',
        '.spec.template.containers[name="web"]',
        '.spec.template.containers[name="web"].image',
    ]


def test_what_is_no_set_is_told_from_one() -> None:
    assert not field_sets.is_valid([])
    assert not field_sets.is_valid({"f:a": 1})
    assert not field_sets.is_valid({"spec": {}})
    assert not field_sets.is_valid({"k:{not json": {}})
    assert field_sets.is_valid({"f:a": {"i:0": {}, ".": {}}})


def test_sets_are_written_in_upstreams_order() -> None:
    mixed = {
        "v:2": {},
        'k:{"name":"b"}': {"f:name": {}, "f:image": {}, ".": {}},
        "f:b": {},
        "i:0": {},
        'k:{"name":"a"}': {},
        "f:a": {"f:y": {}, "f:x": {}},
        ".": {},
    }
    ordered = field_sets.in_order(mixed)
    assert ordered == mixed
    assert list(ordered) == [".", "f:a", "f:b", 'k:{"name":"a"}', 'k:{"name":"b"}', "v:2", "i:0"]
    assert list(ordered["f:a"]) == ["f:x", "f:y"]
    assert list(ordered['k:{"name":"b"}']) == [".", "f:image", "f:name"]
