"""What is published of custom resources, and what kubectl makes of it."""

import json

import pytest
from tests.conformance.api import eventually
from tests.conformance.definitions import OPEN, collection, custom, definition, establish, version

SCHEMA = {
    "description": "Foo CRD for Testing",
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "description": "Specification of Foo",
            "properties": {
                "bars": {
                    "description": "List of Bars and their specs.",
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"description": "Name of Bar.", "type": "string"},
                            "age": {"description": "Age of Bar.", "type": "string"},
                            "bazs": {
                                "description": "List of Bazs.",
                                "items": {"type": "string"},
                                "type": "array",
                            },
                        },
                    },
                },
            },
        },
        "status": {"description": "Status of Foo", "type": "object", "properties": {}},
    },
}
EMBEDDED = {
    "type": "object",
    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
}


def published(api):
    """Group, version and kind of every definition in the OpenAPI of version 2."""
    definitions = api.get("/openapi/v2")["definitions"]
    return {
        (one["group"], one["version"], one["kind"])
        for schema in definitions.values()
        for one in schema.get("x-kubernetes-group-version-kind", [])
    }


def wait_published(api, *expected, gone=()):
    def done():
        found = published(api)
        return set(expected) <= found and not set(gone) & found

    eventually(done, f"{expected} to be published and {gone} not to be")


@pytest.mark.conformance("Custom Resource OpenAPI Publish, with validation schema")
def test_kubectl_validates_and_explains_by_the_schema(api, group, kubectl):
    crd = definition(group, version("v1", SCHEMA))
    path = establish(api, crd)
    wait_published(api, (group, "v1", "Foo"))
    good = custom(crd, "v1", "test-foo", spec={"bars": [{"name": "test-bar", "bazs": ["a"]}]})
    text = json.dumps(good)
    for words in (("create",), ("delete",), ("apply",), ("delete",)):
        kubectl(*words, "-f", "-", text=text)
    for bars, complaint in (
        ([{"name": "test-bar", "foo": "unknown"}], "foo"),
        ([{"bazs": ["a"]}], "name"),
    ):
        bad = json.dumps(custom(crd, "v1", "test-foo", spec={"bars": bars}))
        for verb in ("create", "apply"):
            done = kubectl(verb, "-f", "-", text=bad, check=False)
            assert done.returncode == 1
            assert complaint in done.stderr
    shown = kubectl("explain", "foos")
    for line in ("KIND:       Foo", "Foo CRD for Testing", "Specification of Foo", "apiVersion", "metadata"):
        assert line in shown, shown
    shown = kubectl("explain", "foos.spec.bars")
    for line in ("FIELD: bars", "List of Bars and their specs.", "Name of Bar.", "-required-", "Age of Bar."):
        assert line in shown, shown
    assert "List of Bars" in kubectl("explain", "foos.spec")
    assert kubectl("explain", "foos.spec.bars2", check=False).returncode == 1
    api.delete(path)
    wait_published(api, gone=[(group, "v1", "Foo")])


def check_takes_unknown(kubectl, crd, **fields):
    text = json.dumps(custom(crd, "v1", "test-foo", **fields))
    for verb in ("create", "delete", "apply", "delete"):
        kubectl(verb, "-f", "-", text=text)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, with x-kubernetes-preserve-unknown-fields at root")
def test_unknown_fields_at_the_root_are_taken(api, group, kubectl):
    crd = definition(group, version("v1", OPEN))
    path = establish(api, crd)
    wait_published(api, (group, "v1", "Foo"))
    check_takes_unknown(kubectl, crd, a={"b": [1, 2]})
    assert "KIND:       Foo" in kubectl("explain", "foos")
    api.delete(path)


@pytest.mark.conformance(
    "Custom Resource OpenAPI Publish, with x-kubernetes-preserve-unknown-fields in object"
)
def test_unknown_fields_of_the_whole_object_are_taken(api, group, kubectl):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}}
    crd = definition(group, version("v1", schema))
    path = establish(api, crd)
    wait_published(api, (group, "v1", "Foo"))
    check_takes_unknown(kubectl, crd, a={"b": [1, 2]}, spec={"dummy": "dummy"})
    shown = kubectl("explain", "foos")
    assert "KIND:       Foo" in shown
    assert "DESCRIPTION:\n    <empty>" in shown
    api.delete(path)


@pytest.mark.conformance(
    "Custom Resource OpenAPI Publish, with x-kubernetes-preserve-unknown-fields in embedded object"
)
def test_unknown_fields_of_an_embedded_object_are_taken(api, group, kubectl):
    crd = definition(group, version("v1", EMBEDDED))
    path = establish(api, crd)
    wait_published(api, (group, "v1", "Foo"))
    check_takes_unknown(kubectl, crd, spec={"b": [{"c": "d"}]})
    shown = kubectl("explain", "foos")
    assert "KIND:       Foo" in shown
    document = api.get(f"/openapi/v3/apis/{group}/v1")
    (schema,) = [
        one
        for name, one in document["components"]["schemas"].items()
        if name.endswith(".Foo") and "spec" in one["properties"]
    ]
    assert schema["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] is True
    api.delete(path)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, varying groups")
def test_definitions_of_different_groups_are_published(api, unique):
    crds = [definition(f"{name}.{unique}.example.com") for name in ("one", "two")]
    paths = [establish(api, crd) for crd in crds]
    wait_published(api, *((crd["spec"]["group"], "v1", "Foo") for crd in crds))
    for path in paths:
        api.delete(path)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, varying versions")
def test_both_versions_of_a_definition_are_published(api, group):
    path = establish(api, definition(group, version("v2"), version("v3", storage=False)))
    wait_published(api, (group, "v2", "Foo"), (group, "v3", "Foo"))
    api.delete(path)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, varying kinds")
def test_two_kinds_of_a_group_and_version_are_published(api, group):
    paths = [establish(api, definition(group, kind=kind)) for kind in ("Foo", "Waldo")]
    wait_published(api, (group, "v1", "Foo"), (group, "v1", "Waldo"))
    for path in paths:
        api.delete(path)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, version rename")
def test_a_renamed_version_is_published_under_its_new_name(api, group):
    crd = definition(group, version("v2"), version("v3", storage=False))
    path = establish(api, crd)
    wait_published(api, (group, "v2", "Foo"), (group, "v3", "Foo"))
    renamed = [version("v2"), version("v4", storage=False)]
    api.patch(path, {"spec": {"versions": renamed}})
    wait_published(api, (group, "v2", "Foo"), (group, "v4", "Foo"), gone=[(group, "v3", "Foo")])
    assert api.send("GET", collection(crd, "v3")).code == 404
    api.delete(path)


@pytest.mark.conformance("Custom Resource OpenAPI Publish, stop serving version")
def test_a_version_that_is_not_served_any_more_is_not_published(api, group):
    crd = definition(group, version("v5"), version("v6alpha1", storage=False))
    path = establish(api, crd)
    wait_published(api, (group, "v5", "Foo"), (group, "v6alpha1", "Foo"))
    versions = api.get(path)["spec"]["versions"]
    versions[1]["served"] = False
    api.patch(path, {"spec": {"versions": versions}})
    wait_published(api, (group, "v5", "Foo"), gone=[(group, "v6alpha1", "Foo")])
    assert api.send("GET", collection(crd, "v6alpha1")).code == 404
    api.delete(path)
