"""Definitions that are refused, and why, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import definition, spec_of, version

from mamekube.apiserver.customresources import naming
from mamekube.kinds.apiextensions import formats, values
from mamekube.kinds.apiextensions.customresourcedefinitions import KIND

TEXT = {"type": "string"}
SCHEMA = "spec.validation.openAPIV3Schema"
SPEC = f"{SCHEMA}.properties[spec]"
LABELS = {"type": "object"}
KEYS = "x-kubernetes-list-map-keys"


def problems(made: dict[str, Any]) -> list[str]:
    KIND.default(made)
    KIND.prepare_create(made)
    return [str(error) for error in KIND.validate_create(made)]


def keyed(*keys: str, **item: Any) -> dict[str, Any]:
    items = {"type": "object", "properties": {"k": TEXT}, **item}
    return {"type": "array", "x-kubernetes-list-type": "map", KEYS: list(keys), "items": items}


SCHEMAS: list[tuple[dict[str, Any], str]] = [
    ({}, f"{SCHEMA}.type: Required value: must not be empty at the root"),
    ({"type": "array", "items": TEXT}, f'{SCHEMA}.type: Invalid value: "array": must be object at the root'),
    (
        {"type": "object", "additionalProperties": TEXT},
        f"{SCHEMA}.additionalProperties: Forbidden: must not be used at the root",
    ),
    (
        {"type": "object", "nullable": True},
        f"{SCHEMA}.nullable: Forbidden: nullable cannot be true at the root",
    ),
    (
        spec_of(a={}),
        f"{SPEC}.properties[a].type: Required value: must not be empty for specified object fields",
    ),
    (spec_of(a={"type": "array"}), f"{SPEC}.properties[a].items: Required value: must be specified"),
    (
        spec_of(a={"type": "array", "items": {}}),
        f"{SPEC}.properties[a].items.type: Required value: must not be empty for specified array items",
    ),
    (
        spec_of(a={"type": "number", "anyOf": [{"type": "number"}]}),
        f"{SPEC}.properties[a].anyOf[0].type: Forbidden: must be empty to be structural",
    ),
    (
        spec_of(a={"type": "object", "anyOf": [{"properties": {"b": {"minLength": 1}}}]}),
        f"{SPEC}.properties[a].properties[b]: Required value: because it is defined in "
        f"{SPEC}.properties[a].anyOf[0].properties[b]",
    ),
    (
        spec_of(a={"type": "string", "default": 3}),
        f'{SPEC}.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"',
    ),
    (
        spec_of(a={"type": "object", "properties": {"b": TEXT}, "default": {"c": 1}}),
        f'{SPEC}.properties[a].default: Invalid value: {{"c":1}}: must not have unknown fields',
    ),
    (
        {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": LABELS}}}},
        f"{SCHEMA}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, "
        "but metadata is implicitly specified",
    ),
    (
        spec_of(a={"type": "string", "pattern": "["}),
        f'{SPEC}.properties[a].pattern: Invalid value: "[": must be a valid regular expression, but isn\'t: '
        "error parsing regexp: missing closing ]: `[`",
    ),
    (
        spec_of(a={"type": "array", "items": TEXT, "uniqueItems": True}),
        f"{SPEC}.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
        "complexity becomes quadratic",
    ),
    (
        spec_of(a={"type": "object", "properties": {"b": TEXT}, "additionalProperties": TEXT}),
        f"{SPEC}.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual "
        "exclusive",
    ),
    (
        spec_of(a={"$ref": "x", "type": "string"}),
        f"{SPEC}.properties[a].$ref: Forbidden: $ref is not supported",
    ),
    (
        spec_of(a={"type": "text"}),
        f'{SPEC}.properties[a].type: Unsupported value: "text": supported values: "array", "boolean", "integer", '
        '"number", "object", "string"',
    ),
    (
        spec_of(a={"type": "string", "x-kubernetes-list-type": "set"}),
        f'{SPEC}.properties[a].type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
    ),
    (
        spec_of(a=keyed()),
        f"{SPEC}.properties[a].{KEYS}: Required value: must not be empty if x-kubernetes-list-type is map",
    ),
    (
        spec_of(a=keyed("z", required=["z"])),
        f'{SPEC}.properties[a].{KEYS}: Invalid value: ["z"]: entries must all be names of item properties',
    ),
    (
        spec_of(a=keyed("k")),
        f"{SPEC}.properties[a].items.properties[k].default: Required value: this property is in {KEYS}, so it must "
        "have a default or be a required property",
    ),
    (
        spec_of(a={"x-kubernetes-embedded-resource": True, "type": "object"}),
        f"{SPEC}.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is "
        "true without x-kubernetes-preserve-unknown-fields",
    ),
]


@pytest.mark.parametrize(("schema", "problem"), SCHEMAS)
def test_a_schema_that_is_not_structural_is_refused(schema, problem):
    assert problem in problems(definition(version(schema=schema)))


GOOD = [
    spec_of(a={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
    spec_of(a=keyed("k", required=["k"])),
    spec_of(a={"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    spec_of(a={"type": "object", "additionalProperties": True}),
    spec_of(a={"type": "string", "pattern": "^(?i)x$", "default": "X"}),
    {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": TEXT}}}},
]


@pytest.mark.parametrize("schema", GOOD)
def test_a_structural_schema_is_taken(schema):
    assert problems(definition(version(schema=schema))) == []


SPECS: list[tuple[dict[str, Any], str]] = [
    ({"group": "plain"}, 'spec.group: Invalid value: "plain": should be a domain with at least one dot'),
    (
        {"scope": "Some"},
        'spec.scope: Unsupported value: "Some": supported values: "Cluster", "Namespaced"',
    ),
    (
        {"names": {"plural": "crontabs", "kind": "A", "listKind": "A"}},
        'spec.names.listKind: Invalid value: "A": kind and listKind may not be the same',
    ),
    ({"names": {"plural": "crontabs"}}, "spec.names.kind: Required value"),
    (
        {"conversion": {"strategy": "Webhook"}},
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
    ),
    (
        {"conversion": {"strategy": "Magic"}},
        'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"',
    ),
]


@pytest.mark.parametrize(("spec", "problem"), SPECS)
def test_a_definition_that_is_not_well_formed_is_refused(spec, problem):
    assert problem in problems(definition(**spec))


VERSIONS: list[tuple[dict[str, Any], str]] = [
    (
        {"additionalPrinterColumns": [{"name": "x", "type": "odd", "jsonPath": ".a"}]},
        'spec.additionalPrinterColumns[0].type: Invalid value: "odd": must be one of '
        "boolean,date,integer,number,string",
    ),
    (
        {
            "subresources": {
                "scale": {"specReplicasPath": ".replicas", "statusReplicasPath": ".status.replicas"}
            }
        },
        'spec.subresources.scale.specReplicasPath: Invalid value: ".replicas": should be a json path under .spec',
    ),
    (
        {"selectableFields": [{"jsonPath": ".spec.none"}]},
        'spec.selectableFields[0].jsonPath: Invalid value: ".spec.none": is an invalid path: '
        "does not refer to a valid field",
    ),
    (
        {"deprecationWarning": "old"},
        'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions',
    ),
]


@pytest.mark.parametrize(("more", "problem"), VERSIONS)
def test_a_version_that_is_not_well_formed_is_refused(more, problem):
    assert problem in problems(definition(version(schema=spec_of(a=TEXT), **more)))


def test_errors_name_the_version_where_versions_differ():
    made = definition(version("v1", spec_of(a={})), version("v2", spec_of(a=TEXT), storage=False))
    path = "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a]"
    assert problems(made) == [f"{path}.type: Required value: must not be empty for specified object fields"]


def test_with_a_status_subresource_little_may_stand_at_the_root():
    schema = {**spec_of(a=TEXT), "maxProperties": 3}
    assert (
        "fields are allowed at the root of the schema"
        in problems(definition(version(schema=schema, subresources={"status": {}})))[0]
    )
    assert problems(definition(version(schema=schema))) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10, "10"),
        (0.5, "0.5"),
        (1000000, "1e+06"),
        (123456, "123456"),
        (1e-05, "1e-05"),
        (-1.5e10, "-1.5e+10"),
        (0, "0"),
    ],
)
def test_bounds_are_printed_as_go_prints_them(number, text):
    assert values.go_float(number) == text


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-02-29T10:00:00Z", "2024-02-29 10:00"),
        ("email", "a@b.c", "a.b.c"),
        ("hostname", "a-b.example.com", "-a"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "fe80::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "01:23:45:67:89:ab", "01:23:45"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("byte", "aGVsbG8=", "aGVsbG8"),
        ("duration", "1h30m", "soon"),
        ("uri", "https://example.com/x", "example"),
        ("hexcolor", "#a0b1c2", "#xyz"),
        ("rgbcolor", "rgb(1,2,3)", "rgb(1,2)"),
        ("creditcard", "4111111111111111", "4111111111111112"),
        ("isbn10", "0306406152", "0306406153"),
        ("isbn13", "9780306406157", "9780306406158"),
        ("k8s-short-name", "a-b", "a.b"),
        ("quantity", "10Gi", "10Gigs"),
        ("k8s-long-name", "a.b", "A"),
    ],
)
def test_formats_are_what_they_say(name, good, bad):
    assert (formats.fits(name, good), formats.fits(name, bad)) == (True, False)


def test_formats_that_nobody_knows_are_warned_of_once_they_are_new():
    made = definition(
        version(schema=spec_of(a={**TEXT, "format": "odd"}, b={"type": "integer", "format": "int64"}))
    )
    assert KIND.warnings(made, None) == ['unrecognized format "odd"']
    assert KIND.warnings(made, made) == []


def test_a_format_that_nobody_knows_asks_for_nothing():
    assert (formats.known("int32"), formats.known("whatever"), formats.known("date-time")) == (
        "",
        "",
        "date-time",
    )


def test_names_are_kept_where_new_ones_are_taken():
    made = definition(
        names={"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["a", "b"]}
    )
    KIND.default(made)
    made["status"] = {"acceptedNames": {"plural": "crontabs", "singular": "crontab", "shortNames": ["a"]}}
    taken = naming.Taken.by([{"plural": "others", "kind": "Other", "shortNames": ["b"]}])
    names, condition = naming.decide(made, taken)
    assert (names["shortNames"], names["kind"]) == (["a"], "CronTab")
    assert (condition["reason"], condition["message"]) == ("ShortNamesConflict", '"b" is already in use')
