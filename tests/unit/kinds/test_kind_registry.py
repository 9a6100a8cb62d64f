"""Every built-in kind has a complete record, and the records say what upstream's discovery says."""

import copy
import json
import random
from pathlib import Path

import pytest
from tests.unit.kinds.samples import sample

from mamekube.kinds import subresources
from mamekube.kinds.kind import ALL_VERBS, Kind
from mamekube.kinds.registry import builtin_registry, version_rank
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.names import RULES
from mamekube.objects.schema import definitions

KINDS = list(builtin_registry().all())
DISCOVERY = json.loads((Path(__file__).parents[2] / "data" / "kinds-v1.36.json").read_text())
NOW_S = 1_800_000_000.0
SEEDS = 6

each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: f"{kind.plural}.{kind.group}/{kind.version}"
)


@pytest.mark.parametrize(
    "facts", DISCOVERY, ids=lambda facts: f"{facts['plural']} of {facts['groupVersion']}"
)
def test_record_says_what_discovery_says(facts: dict) -> None:
    group, _, version = facts["groupVersion"].rpartition("/")
    kind = builtin_registry().find(group, version, facts["plural"])
    assert kind is not None
    assert (kind.kind, kind.singular, kind.namespaced) == (
        facts["kind"],
        facts["singular"],
        facts["namespaced"],
    )
    assert (list(kind.short_names), list(kind.categories)) == (facts["shortNames"], facts["categories"])
    assert " ".join(sorted(kind.verbs)) == facts["verbs"]
    assert subresources.names(kind) == sorted(facts["subresources"])
    for name, (about, version_of_it, verbs) in facts["subresources"].items():
        described = subresources.describe(kind, name)
        assert (described.kind, " ".join(sorted(described.verbs))) == (about, verbs)
        assert f"{described.group}/{described.version}".strip("/") == version_of_it


def test_nothing_but_discovery_is_registered_and_groups_are_in_its_order() -> None:
    assert {(kind.api_version, kind.plural) for kind in KINDS} == {
        (facts["groupVersion"], facts["plural"]) for facts in DISCOVERY
    }
    order = dict.fromkeys(facts["groupVersion"].rpartition("/")[0] for facts in DISCOVERY)
    assert [group for group, _ in builtin_registry().group_versions()] == list(order)


@each_kind
def test_record_is_complete(kind: Kind) -> None:
    assert kind.schema in definitions()
    assert set(kind.verbs) <= set(ALL_VERBS)
    assert kind.name_rule in RULES
    assert (kind.row is None) == (not kind.columns)
    if "list" in kind.verbs:
        assert kind.columns, "a kind that can be listed has a table"
    assert (kind.storage is None) == (kind.to_storage is None) == (kind.from_storage is None)
    for column in kind.columns:
        assert column.type in ("string", "integer", "number", "boolean", "date")
    assert builtin_registry().find_kind(kind.group, kind.version, kind.kind) == kind


def cells_of(kind: Kind) -> int:
    """One for each column, and upstream's rows of addresses have an age without one."""
    return len(kind.columns) + (kind.plural == "ipaddresses")


@each_kind
def test_row_of_a_bare_object_has_a_cell_for_each_column(kind: Kind) -> None:
    if kind.row is not None:
        bare = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
        assert len(kind.row(bare, NOW_S)) == cells_of(kind)


@each_kind
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_object_of_right_types_makes_a_record_raise(kind: Kind, seed: int) -> None:
    chance = random.Random(seed)
    new, old = sample(kind, chance), sample(kind, chance)
    for obj in (new, old):
        kind.default(obj)
        again = copy.deepcopy(obj)
        kind.default(again)
        assert again == obj, "defaulting twice is defaulting once"
        for errors in (kind.validate(obj), kind.validate_create(obj)):
            assert all(isinstance(error, FieldError) for error in errors)
        assert all(isinstance(text, str) for text in kind.warnings(obj, None))
        assert all(isinstance(value_of(obj), str) for value_of in kind.selectable.values())
        if kind.row is not None:
            assert len(kind.row(obj, NOW_S)) == cells_of(kind)
        if kind.to_storage and kind.from_storage:
            kind.from_storage(kind.to_storage(obj))
        if kind.grace_period_s:
            assert kind.grace_period_s(obj, None) >= 0
    kind.validate_update(new, old)
    kind.validate_status(new, old)
    kind.warnings(new, old)
    kind.status_warnings(new, old)
    kind.prepare_update(copy.deepcopy(new), old)
    kind.prepare_create(new)


@each_kind
@pytest.mark.parametrize("seed", range(2))
def test_checks_and_rows_only_read(kind: Kind, seed: int) -> None:
    chance = random.Random(seed)
    new, old = sample(kind, chance), sample(kind, chance)
    before = copy.deepcopy((new, old))
    kind.validate(new)
    kind.validate_update(new, old)
    kind.validate_status(new, old)
    kind.validate_create(new)
    kind.warnings(new, old)
    kind.status_warnings(new, old)
    if kind.row is not None:
        kind.row(new, NOW_S)
    if kind.to_storage:
        kind.to_storage(new)
    assert (new, old) == before


def test_custom_kinds_come_and_go_after_the_built_in_ones() -> None:
    registry = builtin_registry()
    widget = Kind(group="example.com", version="v1", plural="widgets", singular="widget", kind="Widget")
    old = Kind(group="example.com", version="v1beta1", plural="widgets", singular="widget", kind="Widget")
    for kind in (old, widget):
        registry.add(kind)
    assert registry.group_versions()[-1] == ("example.com", ["v1", "v1beta1"])
    assert list(registry.all())[-2:] == [widget, old]
    registry.remove(widget)
    assert registry.find("example.com", "v1", "widgets") is None
    assert registry.group_versions()[-1] == ("example.com", ["v1beta1"])


def test_versions_are_ranked_as_kubectl_prefers_them() -> None:
    versions = ["v1alpha1", "foo1", "v1", "v11beta2", "v2", "v10", "v3beta1", "v12alpha1"]
    ranked = ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v1alpha1", "foo1"]
    assert sorted(versions, key=version_rank) == ranked
