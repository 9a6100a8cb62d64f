"""Field owners of pods made at random: what must hold whatever the object is."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.objects.one_version import apply_patch, track_update

from mamekube.objects import schema
from mamekube.objects.meta import Object, metadata
from mamekube.objects.patches import field_sets, typed
from mamekube.objects.patches.typed_validation import problems
from mamekube.objects.schema import Schema, builtin_schema

SPEC = builtin_schema("io.k8s.api.core.v1.PodSpec")
POD = builtin_schema("io.k8s.api.core.v1.Pod")
NAMES = ["containers", "volumes", "tolerations", "hostNetwork", "nodeSelector", "securityContext", "priority"]
CONTAINER = ["name", "image", "env", "ports", "resources", "args"]


@st.composite
def values(draw: st.DrawFn, of: Schema, depth: int) -> Any:
    if of.type == schema.OBJECT:
        known = sorted(of.fields)
        chosen = {"v1.PodSpec": NAMES, "v1.Container": CONTAINER}.get(of.go_type, known)
        names = draw(st.lists(st.sampled_from(chosen), max_size=3, unique=True)) if depth and chosen else []
        return {name: draw(values(of.fields[name], depth - 1)) for name in names}
    if of.type == schema.LIST:
        count = draw(st.integers(0, 2)) if depth else 0
        elements = [draw(values(of.element, depth - 1)) for _ in range(count)]
        for element in elements:
            for key in of.keys:
                element[key] = draw(values(of.element.fields[key], 1))
        return elements
    if of.type == schema.MAP:
        keys = draw(st.lists(st.sampled_from("ab"), max_size=2, unique=True))
        return {key: draw(values(of.element, depth - 1)) for key in keys}
    if of.type in (schema.INT32, schema.INT64):
        return draw(st.integers(1, 2))
    if of.type == schema.BOOL:
        return draw(st.booleans())
    return draw(st.sampled_from(["x", "y"])) if of.type != schema.ANY else {"any": 1}


def valid(spec: dict[str, Any]) -> bool:
    return not problems(SPEC, spec)


SPECS = values(SPEC, 4).filter(valid)


def pod(spec: dict[str, Any]) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def bare(obj: Object) -> Object:
    """Without managed fields and without empty maps and lists, which come and go with what was in them."""
    meta = {key: value for key, value in metadata(obj).items() if key != "managedFields"}
    return _full({**obj, "metadata": meta})


def _full(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _full(item) for key, item in value.items() if _full(item) not in ({}, [])}
    return [_full(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(SPECS, SPECS)
def test_a_lone_applier_always_gets_what_it_applies(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = apply_patch(None, pod(first), POD, manager="me", force=False, time="t")
    assert bare(live) == bare(pod(first))
    before = copy.deepcopy(live)
    again = apply_patch(live, pod(second), POD, manager="me", force=False, time="t")
    assert live == before
    assert bare(again) == bare(pod(second))
    settled = apply_patch(again, pod(second), POD, manager="me", force=False, time="t")
    assert bare(settled) == bare(again)
    assert apply_patch(settled, pod(second), POD, manager="me", force=False, time="t") == settled


@settings(max_examples=60, deadline=None)
@given(SPECS, SPECS)
def test_what_changed_and_what_was_removed_never_overlap_and_cover_every_difference(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    changed, removed = typed.compare(SPEC, old, new)
    assert field_sets.intersection(changed, removed) == {}
    if _full(old) != _full(new):
        assert changed or removed
    assert field_sets.is_valid(changed) and field_sets.is_valid(removed)
    assert typed.compare(SPEC, new, new) == ({}, {})


@settings(max_examples=60, deadline=None)
@given(SPECS, SPECS)
def test_after_an_update_no_two_managers_own_one_field(first: dict[str, Any], second: dict[str, Any]) -> None:
    created = track_update(None, pod(first), POD, manager="a", time="t")
    updated = track_update(created, {**created, "spec": second}, POD, manager="b", time="t")
    entries = {entry["manager"]: entry["fieldsV1"] for entry in metadata(updated).get("managedFields", [])}
    assert field_sets.intersection(entries.get("a", {}), entries.get("b", {})) == {}
