"""What upstream's strategy of custom resources tells and asks beside the schema: warnings, and values of the Scale."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import OPEN, crontab, definition, version

from mamekube.apiserver.customresources.definition import Definition, Validation
from mamekube.apiserver.customresources.naming import Names

VERSIONS = [
    version("v1alpha1", storage=False, deprecated=True),
    version("v1alpha2", storage=False, deprecated=True, deprecationWarning="custom deprecation warning"),
    version("v1beta3", storage=False),
    version("v1beta2", storage=False),
    version("v1", served=False),
]
DEPRECATIONS = {
    "v1alpha1": ("stable.example.com/v1alpha1 CronTab is deprecated; use stable.example.com/v1beta3 CronTab"),
    "v1alpha2": "custom deprecation warning",
    "v1beta3": "",
    "v1beta2": "",
}


def kinds(*versions: dict[str, Any]) -> dict[str, Any]:
    spec = definition(*versions)["spec"]
    names: Names = spec["names"]
    made = Definition(spec, names, creates=True, webhook=lambda config: pytest.fail("no webhook is asked"))
    return {kind.version: kind for kind in made.kinds}


def test_a_deprecated_version_names_the_best_of_the_better_ones() -> None:
    assert {name: kind.deprecation for name, kind in kinds(*VERSIONS).items()} == DEPRECATIONS


def test_only_worse_versions_are_no_use() -> None:
    found = kinds(version("v2", deprecated=True), version("v1", storage=False))
    assert found["v2"].deprecation == "stable.example.com/v2 CronTab is deprecated"


def with_finalizers(*names: str) -> dict[str, Any]:
    return crontab() | {"metadata": {"name": "one", "finalizers": list(names)}}


def test_new_finalizers_without_a_path_are_warned_of() -> None:
    kind = kinds()["v1"]
    obj = with_finalizers(
        "b.example.com", "a", "example.com/mine", "orphan", "foregroundDeletion", "kubernetes"
    )
    why = (
        "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other "
        "finalizer writers"
    )
    told = [f'metadata.finalizers: "{name}": {why}' for name in ("a", "b.example.com")]
    assert kind.warnings(obj, None) == told
    assert kind.warnings(obj, with_finalizers("a")) == told[1:]
    assert kind.warnings(with_finalizers("a"), obj) == []


PATHS = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}
UNFIT: list[tuple[Any, Any, list[str]]] = [
    (None, None, []),
    ({}, {"replicas": 3, "selector": "a=b"}, []),
    ({"replicas": -1}, {}, [".spec.replicas: Invalid value: -1: should be a non-negative integer"]),
    (
        {"replicas": 2**63 - 1},
        {"replicas": 2**31},
        [
            ".spec.replicas: Invalid value: 9223372036854775807: should be less than or equal to 2147483647",
            ".status.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647",
        ],
    ),
    (
        {"replicas": "3"},
        {"selector": {"b": [1, True], "a": 1.5}},
        [
            ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: 3 is of the type string, expected int64",
            '.status.selector: Invalid value: "": .status.selector accessor error: map[a:1.5 b:[1 true]] is of the '
            "type map[string]interface {}, expected string",
        ],
    ),
    (
        {"replicas": None},
        "all well",
        [
            ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: <nil> is of the type <nil>, "
            "expected int64",
            ".status.replicas: Invalid value: 0: .status.replicas accessor error: all well is of the type string, "
            "expected map[string]interface{}",
            '.status.selector: Invalid value: "": .status.selector accessor error: all well is of the type string, '
            "expected map[string]interface{}",
        ],
    ),
]


@pytest.mark.parametrize(("spec", "status", "errors"), UNFIT)
def test_values_of_the_scale_are_numbers_and_a_text(spec: Any, status: Any, errors: list[str]) -> None:
    obj = {"spec": spec, "status": status}
    judge = Validation(OPEN, PATHS)
    assert [str(error) for error in judge.create(obj)] == errors
    of_status = [error for error in errors if error.startswith(".status")]
    assert [str(error) for error in judge.status(obj, {})] == of_status


TEN = {"type": "object", "properties": {"num": {"type": "integer", "maximum": 10}}, "required": ["num"]}


def test_a_write_of_the_status_asks_for_the_status_alone() -> None:
    schema = {
        "type": "object",
        "required": ["spec"],
        "anyOf": [{"required": ["spec"]}],
        "properties": {"spec": TEN, "status": TEN},
    }
    judge = Validation(schema, None)
    wrong = {"spec": {"num": 15}, "status": {"num": 15}}
    assert [error.field for error in judge.create(wrong)] == ["spec.num", "status.num"]
    assert [str(error) for error in judge.status(wrong, {})] == [
        "status.num: Invalid value: 15: num in body should be less than or equal to 10"
    ]
    assert judge.status({"status": {"num": 9}}, {}) == [], "nothing at the root is required"
    assert judge.status({}, {}) == []
    assert judge.status(wrong, wrong) == []
    assert [str(error) for error in judge.status({"status": {}}, {})] == ["status.num: Required value"]
    (error,) = judge.status({"status": "well"}, {})
    assert error.field == "status"


def test_rules_of_the_whole_object_are_asked_about_a_status_too() -> None:
    rule = {"rule": "self.spec.num >= (has(self.status) ? self.status.num : 0)"}
    fields = {"type": "object", "properties": {"num": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {"spec": fields, "status": fields},
        "x-kubernetes-validations": [rule],
    }
    old = {"spec": {"num": 4}}
    (error,) = Validation(schema, None).status({**old, "status": {"num": 5}}, old)
    assert f"failed rule: {rule['rule']}" in error.message
