"""Strict field validation: unknown fields and fields that stand twice."""

import pytest
from tests.conformance import samples
from tests.conformance.api import APPLY, MERGE
from tests.conformance.definitions import collection, custom, definition, establish, version

DUPLICATES = b"""{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"app":"web"}},
"spec":{"unknown1":"val1","unknownDupe":"valDupe","unknownDupe":"valDupe2","paused":true,"paused":false,"replicas":0,
"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
"spec":{"containers":[{"name":"nginx","image":"nginx:latest","unknownNested":"val1","imagePullPolicy":"Always",
"imagePullPolicy":"Never"}]}}}}"""
PROBLEMS = [
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    'unknown field "spec.template.spec.containers[0].unknownNested"',
    'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
]


@pytest.mark.conformance("Server side field validation, typed object")
def test_unknown_and_repeated_fields_are_refused_when_asked_for(api, apps):
    path = f"{apps}/deployments"
    refused = api.refusal("POST", path, DUPLICATES, query={"fieldValidation": "Strict"})
    assert (refused.code, refused.reason) == (400, "BadRequest")
    begin = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
    assert refused.message == begin + ", ".join(PROBLEMS)
    warned = api.send("POST", path, DUPLICATES, query={"fieldValidation": "Warn", "dryRun": "All"})
    assert warned.code == 201
    assert warned.warnings == PROBLEMS
    silent = api.send("POST", path, DUPLICATES, query={"fieldValidation": "Ignore"})
    assert (silent.code, silent.warnings) == (201, [])
    assert "unknown1" not in silent.object["spec"]
    refused = api.refusal("PUT", f"{path}/web", DUPLICATES, query={"fieldValidation": "Strict"})
    assert refused.message == begin + ", ".join(PROBLEMS)
    patch = {"spec": {"unknown1": "val1"}}
    refused = api.refusal(
        "PATCH", f"{path}/web", patch, query={"fieldValidation": "Strict"}, content_type=MERGE
    )
    assert refused.code == 422
    assert 'unknown field "spec.unknown1"' in refused.message
    query = {"fieldValidation": "Strict", "fieldManager": "tests"}
    applied = {**samples.deployment("web", 0)}
    applied["spec"] = {**applied["spec"], "unknown1": "val1"}
    refused = api.refusal("PATCH", f"{path}/web", applied, query=query, content_type=APPLY)
    assert "unknown1" in refused.message


@pytest.mark.conformance("Server side field validation, typed unknown metadata")
def test_unknown_metadata_is_refused_when_asked_for(api, apps):
    obj = samples.deployment("web", 0)
    obj["metadata"]["unknownMeta"] = "unknown"
    obj["spec"]["template"]["metadata"]["unknownMeta"] = "unknown"
    refused = api.refusal("POST", f"{apps}/deployments", obj, query={"fieldValidation": "Strict"})
    assert refused.code == 400
    assert 'unknown field "metadata.unknownMeta"' in refused.message
    assert 'unknown field "spec.template.metadata.unknownMeta"' in refused.message


# Custom resources ---------------------------------------------------------------------------------------------


EMBEDDED = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {
                "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                    "x-kubernetes-list-type": "map",
                    "items": {
                        "type": "object",
                        "required": ["containerPort", "protocol"],
                        "properties": {
                            "containerPort": {"type": "integer"},
                            "protocol": {"type": "string"},
                            "name": {"type": "string"},
                        },
                    },
                },
                "embeddedObj": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}},
                },
            },
        }
    },
}
CLOSED = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"cronSpec": {"type": "string"}, "foo": {"type": "string"}}}
    },
}


@pytest.fixture
def define(api, namespace, unique):
    """Make a definition; answers it with the path of its resources. It goes with the test."""
    made = []

    def make(schema=None):
        crd = definition(f"{unique}.example.com", version("v1", schema))
        made.append(establish(api, crd))
        return crd, collection(crd, "v1", namespace)

    yield make
    for path in made:
        api.delete(path)


def apply(api, path, obj, method="call"):
    """A strict server-side apply; a string is sent as it is."""
    query = {"fieldValidation": "Strict", "fieldManager": "field_validation_mgr"}
    body = obj.encode() if isinstance(obj, str) else obj
    return getattr(api, method)("PATCH", path, body, query=query, content_type=APPLY)


@pytest.mark.conformance("Server side field validation, unknown fields CR no validation schema")
def test_a_definition_without_a_schema_takes_everything(api, define):
    crd, foos = define()
    made = apply(
        api, f"{foos}/one", custom(crd, "v1", "one", spec={"foo": "foo1", "cronSpec": "* * * * */5"})
    )
    assert made["spec"] == {"foo": "foo1", "cronSpec": "* * * * */5"}
    made = apply(api, f"{foos}/one", custom(crd, "v1", "one", spec={"foo": "foo2"}))
    assert made["spec"] == {"foo": "foo2"}


@pytest.mark.conformance("Server side field validation, valid CR with validation schema")
def test_what_a_schema_allows_is_applied(api, define):
    crd, foos = define(CLOSED)
    spec = {"foo": "foo1", "cronSpec": "* * * * */5"}
    assert apply(api, f"{foos}/one", custom(crd, "v1", "one", spec=spec))["spec"] == spec


@pytest.mark.conformance("Server side field validation, unknown fields CR fails validation")
def test_what_a_schema_does_not_know_is_refused(api, define):
    crd, foos = define(CLOSED)
    spec = {"foo": "foo1", "cronSpec": "* * * * */5", "extraProperty": "arbitrary-value"}
    refused = apply(api, f"{foos}/one", custom(crd, "v1", "one", spec=spec), "refusal")
    assert ".spec.extraProperty: field not declared in schema" in refused.message
    refused = api.refusal(
        "POST", foos, custom(crd, "v1", "one", spec=spec), query={"fieldValidation": "Strict"}
    )
    assert refused.code == 400
    assert 'strict decoding error: unknown field "spec.extraProperty"' in refused.message


@pytest.mark.conformance("Server side field validation, unknown metadata")
def test_unknown_metadata_of_custom_resources_is_refused(api, define):
    crd, foos = define(EMBEDDED)
    embedded = {
        "apiVersion": "v1",
        "kind": "Foo",
        "metadata": {"name": "my-custom-resource", "unknownSubMeta": "unknown"},
    }
    obj = custom(crd, "v1", "one", spec={"cronSpec": "* * * * */5", "embeddedObj": embedded})
    obj["metadata"]["unknownMeta"] = "unknown"
    for refused in (
        apply(api, f"{foos}/one", obj, "refusal"),
        api.refusal("POST", foos, obj, query={"fieldValidation": "Strict"}),
    ):
        assert 'unknown field "metadata.unknownMeta"' in refused.message or (
            ".metadata.unknownMeta: field not declared in schema" in refused.message
        )
        assert "spec.embeddedObj.metadata.unknownSubMeta" in refused.message


@pytest.mark.conformance("Server side field validation, CR duplicates")
def test_fields_that_stand_twice_are_refused_where_unknown_ones_are_kept(api, define):
    crd, foos = define(EMBEDDED)
    text = f"""
apiVersion: {crd["spec"]["group"]}/v1
kind: Foo
metadata:
  name: one
spec:
  unknown: uk1
  unknown: uk2
  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP
"""
    refused = apply(api, f"{foos}/one", text, "refusal")
    assert refused.code == 400
    assert refused.message == (
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
        '  line 8: key "unknown" already set in map'
    )
    kept = text.replace("  unknown: uk1\n", "")
    assert apply(api, f"{foos}/one", kept)["spec"]["unknown"] == "uk2"
