"""What is published of custom resources, by the very requests of upstream's suite: schemas, and kubectl's words."""

import json
import random
import re

import pytest
import yaml
from tests.conformance.api import JSON_PATCH, eventually
from tests.conformance.definitions import DEFINITIONS, OPEN
from tests.conformance.test_sequences_definitions import create, remove
from tests.conformance.typed import Typed

FOO = yaml.safe_load("""
description: Foo CRD for Testing
type: object
properties:
  spec:
    type: object
    description: Specification of Foo
    properties:
      bars:
        description: List of Bars and their specs.
        type: array
        items:
          type: object
          required:
          - name
          properties:
            name: {description: Name of Bar., type: string}
            age: {description: Age of Bar., type: string}
            feeling:
              description: Whether Bar is feeling great.
              type: string
              enum: [Great, Down]
            bazs:
              description: List of Bazs.
              items: {type: string}
              type: array
  status:
    description: Status of Foo
    type: object
    properties:
      bars:
        description: List of Bars and their statuses.
        type: array
        items:
          type: object
          properties:
            name: {description: Name of Bar., type: string}
            available: {description: Whether the Bar is installed., type: boolean}
            quxType:
              description: Indicates to external qux type.
              pattern: in-tree|out-of-tree
              type: string
""")
WALDO = yaml.safe_load("""
description: Waldo CRD for Testing
type: object
properties:
  spec:
    description: Specification of Waldo
    type: object
    properties:
      dummy: {description: Dummy property., type: object}
  status:
    description: Status of Waldo
    type: object
    properties:
      bars:
        description: List of Bars and their statuses.
        type: array
        items: {type: object}
""")
AT_ROOT = {
    **WALDO,
    "description": "preserve-unknown-properties at root for Testing",
    "x-kubernetes-preserve-unknown-fields": True,
}
NESTED = json.loads(
    json.dumps({**WALDO, "description": "preserve-unknown-properties in nested field for Testing"})
)
NESTED["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] = True
ADDED_PROPERTIES = ("metadata", "apiVersion", "kind")
ADDED_EXTENSIONS = ("x-kubernetes-group-version-kind", "x-kubernetes-selectable-fields")


class Published:
    """Definitions as the suite makes them, and how it waits for what is published of them."""

    def __init__(self, api, unique):
        self.api, self.typed, self.unique = api, Typed(api), unique
        self.etag, self.document = "", {}

    def definition(self, schema, group, *versions):
        name = f"e2e-test-crd-publish-openapi-{self.unique}-{random.randrange(10_000)}-crd"
        group = f"crd-publish-openapi-test-{group}.{self.unique}.example.com"
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{name}s.{group}"},
            "spec": {
                "group": group,
                "names": {"plural": f"{name}s", "singular": name, "kind": name, "listKind": f"{name}List"},
                "scope": "Namespaced",
                "versions": [
                    {
                        "name": version,
                        "served": True,
                        "storage": version == versions[0],
                        "schema": {"openAPIV3Schema": schema},
                    }
                    for version in versions
                ],
            },
        }

    def setup(self, schema, group, *versions, expected=None):
        """Made, and published in all versions; `expected` differs from the schema for what takes unknown fields."""
        crd = create(self.api, self.typed, self.definition(schema, group, *versions))
        for version in versions:
            self.wait(crd, version, expected if expected is not None else schema)
        return crd

    def clean(self, crd):
        remove(self.api, self.typed, crd)
        for version in crd["spec"]["versions"]:
            self.wait_gone(crd, version["name"])

    def fetch(self):
        """The document, downloaded again only when it has changed; the suite says nothing of what it accepts."""
        headers = {"Accept-Encoding": "identity"}
        if self.etag:
            headers["If-None-Match"] = f'"{self.etag}"'
        answer = self.api.send("GET", "/openapi/v2", headers={**headers, "Accept": ""})
        if answer.code != 304:
            assert answer.code == 200, answer.body
            self.etag, self.document = answer.headers["ETag"].strip('"'), answer.object
        return self.document["definitions"]

    def wait(self, crd, version, expected):
        def published():
            found = self.fetch().get(definition_name(crd, version))
            return found is not None and (not expected or without_added(found) == expected)

        eventually(published, f"{definition_name(crd, version)} to be published")

    def wait_gone(self, crd, version):
        eventually(lambda: definition_name(crd, version) not in self.fetch(), "the definition to go")


def definition_name(crd, version):
    """`com.example.crd-publish.v1.kind`: the group's parts the other way round."""
    group = ".".join(reversed(crd["spec"]["group"].split(".")))
    return f"{group}.{version}.{crd['spec']['names']['kind']}"


def without_added(schema):
    schema = {key: value for key, value in schema.items() if key not in ADDED_EXTENSIONS}
    properties = {
        key: value for key, value in schema.pop("properties", {}).items() if key not in ADDED_PROPERTIES
    }
    return {**schema, "properties": properties} if properties else schema


@pytest.fixture
def published(api, unique):
    return Published(api, unique)


def meta(crd, name):
    spec = crd["spec"]
    kind, version = spec["names"]["kind"], spec["versions"][0]["name"]
    return f'"kind":"{kind}","apiVersion":"{spec["group"]}/{version}","metadata":{{"name":"{name}"}}'


def round_trip(kubectl, plural, name, text):
    for verb in ("create", "apply"):
        kubectl(verb, "-f", "-", text=text)
        kubectl("delete", plural, name)


def check_explain(kubectl, what, pattern):
    shown = kubectl("explain", what)
    assert re.search(pattern, shown, re.S), shown


@pytest.mark.conformance("Custom Resource OpenAPI Publish, with validation schema")
def test_kubectl_creates_refuses_and_explains(published, kubectl):
    crd = published.setup(FOO, "foo", "v1")
    plural, metadata = crd["spec"]["names"]["plural"], meta(crd, "test-foo")
    round_trip(kubectl, plural, "test-foo", f'{{{metadata},"spec":{{"bars":[{{"name":"test-bar"}}]}}}}')
    for spec, verbs, expected in (
        (
            '{"bars":[{"name":"test-bar", "feeling":"NonExistentValue"}]}',
            ("create",),
            'Unsupported value: "NonExistentValue"',
        ),
        ('{"foo":true}', ("create", "apply"), 'unknown field "spec.foo"'),
        ('{"bars":[{"age":"10"}]}', ("create", "apply"), "spec.bars[0].name: Required value"),
    ):
        for verb in verbs:
            done = kubectl(verb, "-f", "-", text=f'{{{metadata},"spec":{spec}}}', check=False)
            assert done.returncode != 0
            assert expected in done.stderr
    for what, pattern in (
        (
            "",
            "DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*"
            "spec.*<Object>.*Specification of Foo",
        ),
        (
            ".metadata",
            "DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*"
            "CreationTimestamp is a timestamp",
        ),
        (
            ".spec",
            r"DESCRIPTION:.*Specification of Foo.*FIELDS:.*bars.*<\[\]Object>.*List of Bars and their specs",
        ),
        (
            ".spec.bars",
            r"(FIELD|RESOURCE):.*bars.*<\[\]Object>.*DESCRIPTION:.*List of Bars and their specs.*FIELDS:.*"
            r"bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar",
        ),
    ):
        check_explain(kubectl, f"{plural}{what}", pattern)
    done = kubectl("explain", f"{plural}.spec.bars2", check=False)
    assert 'field "bars2" does not exist' in done.stderr
    published.clean(crd)


@pytest.mark.parametrize(
    ("schema", "group", "expected", "fields", "pattern"),
    [
        pytest.param(
            OPEN,
            "empty",
            {"type": "object"},
            '"a":{"b":[{"c":"d"}]}',
            "DESCRIPTION:.*<empty>",
            id="no schema",
            marks=pytest.mark.conformance(
                "Custom Resource OpenAPI Publish, with x-kubernetes-preserve-unknown-fields in object"
            ),
        ),
        pytest.param(
            AT_ROOT,
            "unknown-at-root",
            {},
            '"a":{"b":[{"c":"d"}]}',
            "KIND:.*{kind}",
            id="root",
            marks=pytest.mark.conformance(
                "Custom Resource OpenAPI Publish, with x-kubernetes-preserve-unknown-fields at root"
            ),
        ),
        pytest.param(
            NESTED,
            "unknown-in-nested",
            {},
            '"spec":{"a":null,"b":[{"c":"d"}]}',
            "DESCRIPTION:.*preserve-unknown-properties in nested field for Testing",
            id="nested",
            marks=pytest.mark.conformance(
                "Custom Resource OpenAPI Publish, with x-kubernetes-preserve-unknown-fields in embedded object"
            ),
        ),
    ],
)
def test_kubectl_takes_unknown_fields(published, kubectl, schema, group, expected, fields, pattern):
    crd = published.setup(schema, group, "v1", expected=expected)
    names = crd["spec"]["names"]
    round_trip(kubectl, names["plural"], "test-cr", f"{{{meta(crd, 'test-cr')},{fields}}}")
    check_explain(kubectl, names["plural"], pattern.replace("{kind}", names["kind"]))
    published.clean(crd)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(
            [(FOO, "foo", "v1"), (WALDO, "waldo", "v1beta1")],
            marks=pytest.mark.conformance("Custom Resource OpenAPI Publish, varying groups"),
            id="groups",
        ),
        pytest.param(
            [(FOO, "common-group", "v4"), (WALDO, "common-group", "v5")],
            marks=pytest.mark.conformance("Custom Resource OpenAPI Publish, varying versions"),
            id="versions",
        ),
        pytest.param(
            [(FOO, "common-group", "v6"), (WALDO, "common-group", "v6")],
            marks=pytest.mark.conformance("Custom Resource OpenAPI Publish, varying kinds"),
            id="kinds",
        ),
    ],
)
def test_definitions_are_published_side_by_side(published, wanted):
    made = [published.setup(*one) for one in wanted]
    for crd, (schema, _, version) in reversed(list(zip(made, wanted, strict=True))):
        published.wait(crd, version, schema)
    for crd in made:
        published.clean(crd)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, version rename")
def test_a_version_is_renamed_by_a_patch(api, published):
    crd = published.setup(FOO, "multi-ver", "v2", "v3")
    patch = [
        {"op": "test", "path": "/spec/versions/1/name", "value": "v3"},
        {"op": "replace", "path": "/spec/versions/1/name", "value": "v4"},
    ]
    path = f"{DEFINITIONS}/{crd['metadata']['name']}"
    renamed = api.patch(path, patch, content_type=JSON_PATCH)
    published.wait(crd, "v4", FOO)
    published.wait_gone(crd, "v3")
    published.wait(crd, "v2", FOO)
    published.clean(renamed)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, stop serving version")
def test_a_version_is_not_served_any_more(api, published):
    crd = published.setup(FOO, "multi-to-single-ver", "v5", "v6alpha1")
    path = f"{DEFINITIONS}/{crd['metadata']['name']}"

    def stop():
        obj = api.get(path)
        obj["spec"]["versions"][1]["served"] = False
        return published.typed.update(path, obj)

    crd = stop()
    published.wait_gone(crd, "v6alpha1")
    published.wait(crd, "v5", FOO)
    published.clean(crd)
