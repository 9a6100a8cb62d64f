"""A field's owner across versions: sets are compared in the version in which their manager wrote."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.objects.meta import Object, metadata
from mamekube.objects.patches import managed_fields
from mamekube.objects.patches.managed_fields import Steps, View
from mamekube.objects.schema import schema_from_crd
from mamekube.objects.status import StatusError

NOW = "2026-01-01T00:00:09Z"
TEXT = {"type": "string"}
NAMES = {"v1": {"a": "size", "b": "place"}, "v2": {"a": "extent", "b": "place"}}
"""What the fields are called; `a` was renamed."""
SCHEMAS = {
    version: schema_from_crd(
        {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": dict.fromkeys(names.values(), TEXT)}},
        }
    )
    for version, names in NAMES.items()
}


def widget(version: str, **values: str) -> Object:
    spec = {NAMES[version][key]: value for key, value in values.items()}
    return {"apiVersion": version, "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def converted(obj: Object, version: str) -> Object:
    before, after = NAMES[obj["apiVersion"]], NAMES[version]
    spec = obj.get("spec") or {}
    renamed = {after[key]: spec[name] for key, name in before.items() if name in spec}
    return {**obj, "apiVersion": version, **({"spec": renamed} if "spec" in obj else {})}


def run(steps: Steps[Object], *, asked: list[str] | None = None) -> Object:
    view = None
    try:
        while True:
            wanted = steps.send(view)
            if asked is not None:
                asked.append(wanted.api_version)
            schema = SCHEMAS.get(wanted.api_version)
            objects = [converted(obj, wanted.api_version) for obj in wanted.objects] if schema else []
            view = View(objects, schema) if schema else None
    except StopIteration as done:
        result: Object = done.value
        return result


def apply(live: Object | None, applied: Object, manager: str, *, force: bool = False) -> Object:
    version = applied["apiVersion"]
    before = converted(live, version) if live is not None else None
    steps = managed_fields.apply_patch(
        before, applied, SCHEMAS[version], manager=manager, force=force, time=NOW
    )
    return run(steps)


def update(live: Object, new: Object, manager: str, **more: Any) -> Object:
    version = new["apiVersion"]
    new = {**new, "metadata": {**new["metadata"], "managedFields": metadata(live).get("managedFields")}}
    steps = managed_fields.track_update(
        converted(live, version), new, SCHEMAS[version], manager=manager, time=NOW
    )
    return run(steps, **more)


def owners(obj: Object) -> dict[str, tuple[str, list[str]]]:
    return {
        entry["manager"]: (entry["apiVersion"], sorted(entry["fieldsV1"].get("f:spec", {})))
        for entry in metadata(obj).get("managedFields", [])
    }


def test_a_renamed_field_is_a_conflict_under_the_name_of_its_owner() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "first")
    with pytest.raises(StatusError) as caught:
        apply(live, widget("v2", a="2"), "second")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "first": .spec.size'


def test_force_takes_a_renamed_field_over() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "first")
    taken = apply(live, widget("v2", a="2"), "second", force=True)
    assert taken["spec"] == {"extent": "2", "place": "x"}
    assert owners(taken) == {"first": ("v1", ["f:place"]), "second": ("v2", ["f:extent"])}


def test_an_update_in_another_version_takes_the_renamed_field() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "first")
    changed = update(live, widget("v2", a="2", b="x"), "second")
    assert owners(changed) == {"first": ("v1", ["f:place"]), "second": ("v2", ["f:extent"])}


def test_what_an_update_removes_is_lost_to_its_owner_in_the_other_version() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "first")
    changed = update(live, widget("v2", b="x"), "second")
    assert owners(changed) == {"first": ("v1", ["f:place"])}


def test_what_was_applied_in_one_version_is_removed_by_the_next_apply_in_another() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "me")
    again = apply(live, widget("v2", b="x"), "me")
    assert again["spec"] == {"place": "x"}
    assert owners(again) == {"me": ("v2", ["f:place"])}


def test_what_another_manager_holds_in_its_version_stays() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "me")
    shared = apply(live, widget("v2", a="1"), "other")
    again = apply(shared, widget("v1", b="x"), "me")
    assert again["spec"] == {"size": "1", "place": "x"}
    assert owners(again) == {"me": ("v1", ["f:place"]), "other": ("v2", ["f:extent"])}


def test_the_same_value_in_another_version_is_shared() -> None:
    live = apply(None, widget("v1", a="1"), "first")
    shared = apply(live, widget("v2", a="1"), "second")
    assert owners(shared) == {"first": ("v1", ["f:size"]), "second": ("v2", ["f:extent"])}


def test_managers_of_a_version_that_is_no_more_are_dropped_by_the_next_change() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "first")
    live["metadata"]["managedFields"][0]["apiVersion"] = "v0"
    assert owners(update(live, widget("v1", a="1", b="x"), "second")) == owners(live), "nothing changed"
    changed = update(live, widget("v1", a="2", b="x"), "second")
    assert owners(changed) == {"second": ("v1", ["f:size"])}
    again = apply(live, widget("v1", b="x"), "first")
    assert again["spec"] == {"size": "1", "place": "x"}, "what it applied last time cannot be told"


def test_nothing_is_converted_where_all_managers_speak_the_version_of_the_request() -> None:
    live = apply(None, widget("v1", a="1", b="x"), "first")
    asked: list[str] = []
    update(live, widget("v1", a="2", b="x"), "second", asked=asked)
    assert asked == []
    update(live, widget("v2", a="2", b="x"), "second", asked=asked)
    assert asked == ["v1"]
