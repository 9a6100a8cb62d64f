"""Paths in definitions, and what may stand inside of metadata, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import OPEN, definition, spec_of, version

from mamekube.kinds.apiextensions.customresourcedefinitions import KIND

TEXT = {"type": "string"}


def problems(made: dict[str, Any]) -> list[str]:
    KIND.default(made)
    KIND.prepare_create(made)
    return [str(error) for error in KIND.validate_create(made)]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (".spec.a", ""),
        ("spec.a", "is an invalid path: expected [ or . but got: spec"),
        (".spec['a']", "is an invalid path: array notation is not allowed"),
        (".spec.", "is an invalid path: unexpected end of JSON path"),
        (".spec.b", "is an invalid path: does not refer to a valid field"),
        (".metadata.name", "is an invalid path: does not refer to a valid field"),
        (
            ".spec",
            "must point to a field of type string, boolean or integer. "
            "Enum string fields and strings with formats are allowed.",
        ),
    ],
)
def test_a_selectable_field_is_named_by_a_simple_path(path: str, problem: str) -> None:
    made = definition(version(schema=spec_of(a=TEXT), selectableFields=[{"jsonPath": path}]))
    where = "spec.selectableFields[0].jsonPath"
    assert problems(made) == ([f'{where}: Invalid value: "{path}": {problem}'] if problem else [])


def test_what_metadata_names_is_selectable_already() -> None:
    schema = spec_of(a=TEXT)
    schema["properties"]["metadata"] = {"type": "object", "properties": {"name": TEXT}}
    made = definition(version(schema=schema, selectableFields=[{"jsonPath": ".metadata.name"}]))
    [error] = problems(made)
    assert error.endswith("must not point to fields in metadata")


@pytest.mark.parametrize(
    ("path", "valid"),
    [
        (".a", True),
        ("['a']", True),
        (".labels['it\\'s']", True),
        (".labels.any", True),
        (".list[0]", False),
        (".labels['x'", False),
        ("a", False),
        (".b", False),
    ],
)
def test_a_rule_speaks_of_a_field_below_it(path: str, valid: bool) -> None:
    labels = {"type": "object", "additionalProperties": TEXT}
    schema = spec_of(a=TEXT, labels=labels, list={"type": "array", "items": TEXT})
    rules = [{"rule": "true", "fieldPath": path}]
    schema["properties"]["spec"]["x-kubernetes-validations"] = rules
    found = problems(definition(version(schema=schema)))
    assert [error.endswith("fieldPath must be a valid path") for error in found] == ([] if valid else [True])


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (
            {"jsonPath": "spec.a"},
            'JSONPath: Invalid value: "spec.a": must be a simple json path starting with .',
        ),
        ({"jsonPath": ""}, "JSONPath: Required value"),
    ],
)
def test_a_column_has_a_path(column: dict[str, Any], problem: str) -> None:
    column = {"name": "a", "type": "string", **column}
    made = definition(version(schema=spec_of(a=TEXT), additionalPrinterColumns=[column]))
    assert problems(made) == [f"spec.additionalPrinterColumns[0].{problem}"]


def test_metadata_holds_no_resources() -> None:
    within = {**OPEN, "x-kubernetes-embedded-resource": True}
    outer = {**OPEN, "x-kubernetes-embedded-resource": True, "properties": {"metadata": within}}
    [error] = problems(definition(version(schema=spec_of(a=outer))))
    assert error == (
        "spec.validation.openAPIV3Schema.properties[spec].properties[a].properties[metadata]."
        "x-kubernetes-embedded-resource: Forbidden: must not be used inside of resource meta"
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"group": "other.example.com"}, "spec.group"),
        ({"names": {"plural": "others", "kind": "CronTab"}}, "spec.names.plural"),
    ],
)
def test_what_is_part_of_the_name_never_changes(change: dict[str, Any], problem: str) -> None:
    """Not even before the names are accepted."""
    old, new = definition(), definition(**change)
    for each in (old, new):
        KIND.default(each)
        KIND.prepare_create(each)
    errors = [str(error) for error in KIND.validate_update(new, old)]
    assert any(error.startswith(problem) and error.endswith("field is immutable") for error in errors)


def test_a_warning_about_a_version_is_printable() -> None:
    made = definition(version(deprecated=True, deprecationWarning="gone\u0007"))
    [error] = problems(made)
    assert error.endswith(
        "must only contain printable UTF-8 characters; non-printable character found at index 4"
    )
