"""What definitions may say of themselves besides their schemas: conversion, stored versions, approval."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import (
    CRONTABS,
    DEFINITIONS,
    NAME,
    crontab,
    definition,
    established,
    refusal,
    spec_of,
    until,
    version,
)
from tests.unit.apiserver_webhooks.authority import Authority

from mamekube.apiserver.customresources import columns
from mamekube.client.client import Client
from mamekube.kinds.apiextensions.customresourcedefinitions import KIND
from mamekube.objects.conditions import conditions_of, find

TEXT = {"type": "string"}
FORM = "; desired format: https://host[/path]"
WHERE = "spec.conversion.webhookClientConfig"
NO_BUNDLE = base64.b64encode(b"\n").decode()


def problems(made: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    made = copy.deepcopy(made)
    KIND.default(made)
    if old is None:
        KIND.prepare_create(made)
        return [str(error) for error in KIND.validate_create(made)]
    old = copy.deepcopy(old)
    KIND.default(old)
    KIND.prepare_create(old)
    made["status"] = old["status"]
    KIND.prepare_update(made, old)
    return [str(error) for error in KIND.validate_update(made, old)]


def converted(client: dict[str, Any] | None, **webhook: Any) -> dict[str, Any]:
    config = {"clientConfig": client, "conversionReviewVersions": ["v1"], **webhook}
    return definition(conversion={"strategy": "Webhook", "webhook": config})


SERVICE = {"name": "n", "namespace": "ns"}
CLIENTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"service": SERVICE}, []),
    ({"url": "https://example.com/hook", "caBundle": NO_BUNDLE}, []),
    ({}, [f"{WHERE}: Required value: exactly one of url or service is required"]),
    (
        {"url": "https://h", "service": SERVICE},
        [f"{WHERE}: Required value: exactly one of url or service is required"],
    ),
    (
        {"url": "http://h#f"},
        [
            f"{WHERE}.url: Invalid value: \"http\": 'https' is the only allowed URL scheme{FORM}",
            f'{WHERE}.url: Invalid value: "f": fragments are not permitted in the URL',
        ],
    ),
    (
        {"service": {**SERVICE, "port": 0, "path": "//"}},
        [
            f"{WHERE}.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
            f'{WHERE}.service.path: Invalid value: "//": segment[0] may not be empty',
        ],
    ),
]


@pytest.mark.parametrize(("client", "expected"), CLIENTS)
def test_a_conversion_webhook_has_a_place(client: dict[str, Any], expected: list[str]) -> None:
    assert problems(converted(client)) == expected


STORED = {"v1": version(), "v2": version("v2"), "rest": version("v3", storage=False)}
WHOLE: list[tuple[dict[str, Any], list[str]]] = [
    (
        definition(preserveUnknownFields=True),
        [
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
            "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        ],
    ),
    (
        definition(version(schema=spec_of(a={**TEXT, "default": "b"})), preserveUnknownFields=True),
        [
            "spec.preserveUnknownFields: Invalid value: true: must be false in order to use defaults in the schema",
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
            "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ],
    ),
    (
        definition(version(storage=False)),
        [
            'spec.versions: Invalid value: [{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,'
            '"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,'
            '"SelectableFields":null}]: must have exactly one version marked as storage version',
            "status.storedVersions: Invalid value: null: must have at least one stored version",
        ],
    ),
    (
        definition(version("1")),
        [
            f'{path}: Invalid value: "1": a DNS-1035 label must consist of lower case alphanumeric characters or '
            "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
            "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
            for path in ("spec.versions[0].name", "spec.version")
        ],
    ),
    (
        definition(version(schema={"type": "null"}, subresources={"status": {}})),
        [
            'spec.validation.openAPIV3Schema.type: Invalid value: "null": only "object" is allowed as the type at '
            "the root of the schema if the status subresource is enabled",
            'spec.validation.openAPIV3Schema.type: Invalid value: "null": must be object at the root',
            'spec.validation.openAPIV3Schema.type: Unsupported value: "null": supported values: "array", '
            '"boolean", "integer", "number", "object", "string"',
            "spec.validation.openAPIV3Schema.type: Forbidden: type cannot be set to null, use nullable as an "
            "alternative",
        ],
    ),
    (
        definition(version(schema=spec_of(a={"type": "object", "additionalProperties": False}))),
        [],
    ),
    (
        definition(version(additionalPrinterColumns=[{"name": "a", "type": "string", "jsonPath": ".a[x]"}])),
        [],
    ),
    (
        definition(
            version(
                additionalPrinterColumns=[{"name": "a", "type": "string", "jsonPath": "a", "format": "x"}]
            )
        ),
        [
            'spec.additionalPrinterColumns[0].format: Invalid value: "x": must be one of '
            "byte,date,date-time,double,float,int32,int64,password",
            'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting '
            "with .",
        ],
    ),
]


@pytest.mark.parametrize(("made", "expected"), WHOLE)
def test_a_definition_is_judged_as_a_whole(made: dict[str, Any], expected: list[str]) -> None:
    assert problems(made) == expected


def test_of_two_stored_versions_the_first_is_stored() -> None:
    found = problems(definition(version("v1"), version("v2")))
    assert found[0].endswith("must have exactly one version marked as storage version")
    assert found[1:] == ['status.storedVersions: Invalid value: ["v1"]: must have the storage version v2']


def test_errors_of_a_version_stand_before_those_of_names() -> None:
    made = definition(
        version("v1", spec_of(a={})),
        version("v2", spec_of(a=TEXT), storage=False),
        names={"plural": "crontabs", "kind": "CronTab", "listKind": "CronTab"},
    )
    where = "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a].type"
    assert problems(made) == [
        f"{where}: Required value: must not be empty for specified object fields",
        'spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same',
    ]


def test_a_name_that_is_changed_is_told_of_once() -> None:
    new = definition()
    new["spec"]["names"] = {**new["spec"]["names"], "plural": "others"}
    new["metadata"]["name"] = definition()["metadata"]["name"]
    assert problems(new, definition()) == ['spec.names.plural: Invalid value: "others": field is immutable']


def test_a_default_keeps_the_rules() -> None:
    rule = {"rule": "self.startsWith('a')", "message": "no a"}
    where = "spec.validation.openAPIV3Schema.properties[spec].properties[b].default"
    for default, expected in (("abc", []), ("xyz", [f'{where}: Invalid value: "string": no a'])):
        schema = spec_of(b={**TEXT, "default": default, "x-kubernetes-validations": [rule]})
        assert problems(definition(version(schema=schema))) == expected
    inner = {"type": "object", "properties": {"c": {**TEXT, "x-kubernetes-validations": [rule]}}}
    schema = spec_of(b={**inner, "default": {"c": "xyz"}})
    assert problems(definition(version(schema=schema))) == [f'{where}.c: Invalid value: "string": no a']


EMBEDDED = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "x-kubernetes-preserve-unknown-fields": True,
}
WHERE_DEFAULT = "spec.validation.openAPIV3Schema.properties[spec].properties[b]"


def in_metadata(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    metadata = {"type": "object", "properties": {name: schema}}
    return {**EMBEDDED, "properties": {"metadata": metadata}}


LABELS = {"type": "object", "additionalProperties": TEXT}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({**EMBEDDED, "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}}, []),
        (
            {**EMBEDDED, "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a/b"}}},
            [".default.metadata.name: Invalid value: \"a/b\": may not contain '/'"],
        ),
        (
            {**EMBEDDED, "default": {"kind": "Pod", "metadata": {"labels": {"-": "x"}}}},
            [
                ".default.apiVersion: Required value: must not be empty",
                '.default.metadata.labels: Invalid value: "-": name part must consist of alphanumeric characters',
            ],
        ),
        (
            {**EMBEDDED, "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": "a"}}},
            [".default.metadata: Invalid value: "],
        ),
        (in_metadata("name", {**TEXT, "default": "a"}), []),
        (
            in_metadata("name", {**TEXT, "default": "a/b"}),
            [
                '.properties[metadata].properties[name].default: Invalid value: "a/b": must result in valid '
                'metadata: metadata.name: Invalid value: "a/b"'
            ],
        ),
        (
            in_metadata("labels", {**LABELS, "default": {"a": "-"}}),
            [
                '.properties[metadata].properties[labels].default: Invalid value: {"a":"-"}: must result in '
                'valid metadata: metadata.labels: Invalid value: "-"'
            ],
        ),
    ],
)
def test_a_default_of_an_embedded_resource_has_good_metadata(
    schema: dict[str, Any], expected: list[str]
) -> None:
    found = problems(definition(version(schema=spec_of(b=schema))))
    assert len(found) == len(expected), found
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(WHERE_DEFAULT + start)


APPROVAL = "api-approved.kubernetes.io"
PULL = "see https://github.com/kubernetes/enhancements/pull/1111"


def of_kubernetes(said: str | None) -> dict[str, Any]:
    made = definition(group="apps.k8s.io")
    made["metadata"] = {"name": "crontabs.apps.k8s.io"}
    if said is not None:
        made["metadata"]["annotations"] = {APPROVAL: said}
    return made


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("https://github.com/kubernetes/enhancements/pull/1111", []),
        ("ftp://host", []),
        ("unapproved, for a test", []),
        (
            None,
            [
                f"metadata.annotations[{APPROVAL}]: Required value: protected groups must have approval annotation "
                f'"{APPROVAL}", {PULL}'
            ],
        ),
        (
            "https:nothing",
            [
                f'metadata.annotations[{APPROVAL}]: Invalid value: "https:nothing": protected groups must have '
                f'approval annotation "{APPROVAL}" with either a URL or a reason starting with "unapproved", {PULL}'
            ],
        ),
    ],
)
def test_a_group_of_kubernetes_is_approved_in_words(said: str | None, expected: list[str]) -> None:
    made = of_kubernetes(said)
    assert problems(made) == expected
    assert problems(made, made) == []


def test_a_column_that_cannot_be_read_ends_the_table() -> None:
    shown, row = columns.table(
        [
            {"name": "A", "type": "string", "jsonPath": ".spec.a"},
            {"name": "B", "type": "string", "jsonPath": ".spec.b[x]"},
            {"name": "C", "type": "string", "jsonPath": ".spec.c"},
        ]
    )
    assert [column.name for column in shown] == ["Name", "A"]
    assert list(row(crontab(spec={"a": "x"}), 0.0)) == ["one", "x"]


CELLS: list[tuple[str, str, Any, Any]] = [
    ("string", ".spec.a", None, "<no value>"),
    ("string", ".spec.none", None, None),
    ("string", ".spec.a", "", ""),
    ("string", ".spec.a", True, "true"),
    ("string", ".spec.a", 1000000.5, "1.0000005e+06"),
    ("string", ".spec.a", {"b": [1, None]}, '{"b":[1,null]}'),
    ("string", ".spec.a[*].b", [{"b": "x"}, {"b": "y"}], "x"),
    ("string", ".spec.a[*].b", [{}, {"b": "y"}], "y"),
    ("string", ".spec.a[1]", ["x"], None),
    ("string", ".spec.a[-1:]", ["x", "y"], "y"),
    ("string", ".spec.a[0]", {"b": "x"}, None),
    ("string", '.spec.a[?(@.t=="R")].s', [{"s": "no"}, {"t": "S"}, {"t": "R", "s": "True"}], "True"),
    ("string", '.spec.a[?(@.t=="R")].s', [{"t": "S"}], None),
    ("integer", ".spec.a", 3.7, 3),
    ("integer", ".spec.a", "3", None),
    ("integer", ".spec.a", True, None),
    ("integer", ".spec.a", None, None),
    ("number", ".spec.a", 3, 3.0),
    ("number", ".spec.a", 1.5, 1.5),
    ("boolean", ".spec.a", False, False),
    ("boolean", ".spec.a", "true", None),
    ("date", ".spec.a", "1969-12-31T23:59:00Z", "60s"),
    ("date", ".spec.a", "1970-01-01T01:00:00+01:00", "0s"),
    ("date", ".spec.a", "1970-01-01T00:01:00Z", "<invalid>"),
    ("date", ".spec.a", "soon", "<invalid>"),
    ("date", ".spec.a", "", "<unknown>"),
    ("date", ".spec.a", 5, None),
]


@pytest.mark.parametrize(("kind", "path", "value", "cell"), CELLS)
def test_a_cell_is_what_its_path_finds_in_the_form_of_its_column(
    kind: str, path: str, value: Any, cell: Any
) -> None:
    _, row = columns.table([{"name": "A", "type": kind, "jsonPath": path}])
    assert list(row(crontab(spec={"a": value}), 0.0)) == ["one", cell]


def test_a_path_into_a_list_can_be_read_though_nothing_is_there_yet() -> None:
    shown, row = columns.table([{"name": "A", "type": "string", "jsonPath": "[0]"}])
    assert [column.name for column in shown] == ["Name", "A"]
    assert list(row(crontab(), 0.0)) == ["one", None]


def established_of(made: Any) -> Any:
    return find(conditions_of(made), "Established") or {}


async def test_a_bundle_that_nobody_can_trust_keeps_a_definition_from_being_served(
    client: Client, tmp_path: Path
) -> None:
    made = converted({"service": SERVICE, "caBundle": NO_BUNDLE})
    await client.create(DEFINITIONS, made)

    waiting = await until(client, NAME, lambda obj: established_of(obj).get("reason") == "InvalidCABundle")
    assert established_of(waiting)["status"] == "False"
    assert (await refusal(client.list(CRONTABS))).code == 404
    good = Authority(tmp_path).bundle
    path = "/spec/conversion/webhook/clientConfig/caBundle"
    patch = [{"op": "replace", "path": path, "value": good}]
    await client.patch(DEFINITIONS, NAME, patch, patch_type="json")
    await until(client, NAME, lambda obj: established_of(obj).get("status") == "True")
    patch[0]["value"] = NO_BUNDLE
    error = await refusal(client.patch(DEFINITIONS, NAME, patch, patch_type="json"))
    assert error.message.endswith(
        f'{WHERE}.caBundle: Invalid value: "{NO_BUNDLE}": unable to load root certificates: '
        "unable to parse bytes as PEM block"
    )


async def test_a_definition_without_a_bundle_is_served(client: Client) -> None:
    await established(client, converted({"service": SERVICE}))
