"""CustomResourceDefinitions, by the very requests of upstream's suite and with its checks.

What the suite creates with compiled-in types goes as protobuf here too, what it creates without them as JSON.
"""

import random

import pytest
from tests.conformance.api import APPLY, JSON_PATCH, Refused, eventually
from tests.conformance.definitions import DEFINITIONS, OPEN, collection
from tests.conformance.typed import Typed

LARGEST = 2**63 - 1


@pytest.fixture
def typed(api):
    return Typed(api)


def suffix():
    return "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


def random_definition(*versions, schema=None, scope="Cluster"):
    """With a random name in lower case for everything, as kinds too."""
    name = f"foo{suffix()}a"
    versions = versions or ({"name": "v1beta1", "storage": True},)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}s.mygroup.example.com"},
        "spec": {
            "group": "mygroup.example.com",
            "versions": [
                {"served": True, "schema": {"openAPIV3Schema": schema or OPEN}, **one} for one in versions
            ],
            "names": {"plural": f"{name}s", "singular": name, "kind": name, "listKind": f"{name}List"},
            "scope": scope,
        },
    }


def two_versions(schema=None):
    status = {"subresources": {"status": {}}}
    old, new = {"name": "v1beta1", "storage": False, **status}, {"name": "v1", "storage": True, **status}
    return random_definition(old, new, schema=schema)


def discovered(api, crd, version):
    """Whether the resource is in the discovery of its version; only 404 may say no."""
    answer = api.send("GET", f"/apis/{crd['spec']['group']}/{version}")
    if answer.code == 404:
        return False
    assert answer.code == 200, answer.body
    return crd["spec"]["names"]["plural"] in [one["name"] for one in answer.object["resources"]]


def served(crd):
    return [one["name"] for one in crd["spec"]["versions"] if one["served"]]


def create(api, typed, crd):
    made = typed.create(DEFINITIONS, crd)
    for version in served(made):
        eventually(lambda version=version: discovered(api, crd, version), f"{version} in discovery")
    return made


def create_watchable(api, typed, crd):
    """Made, and each version's watch has seen a life: what is made and deleted comes out of a watch from its making."""
    made = create(api, typed, crd)
    namespace = "default" if crd["spec"]["scope"] == "Namespaced" else ""
    versions = served(crd)
    body = {
        "apiVersion": f"{crd['spec']['group']}/{versions[0]}",
        "kind": crd["spec"]["names"]["kind"],
        "metadata": {"name": "setup-instance", "namespace": namespace},
        "alpha": "foo_123",
        "beta": 10,
        "gamma": "bar",
        "delta": "hello",
        "epsilon": "foobar",
        "spec": {},
    }
    objects = collection(crd, versions[0], namespace)
    instance = api.create(objects, body)
    api.delete(f"{objects}/setup-instance", {"kind": "DeleteOptions", "apiVersion": "v1"})
    since = instance["metadata"]["resourceVersion"]
    for version in versions:
        with api.watch(collection(crd, version, namespace), resourceVersion=since) as watch:
            assert watch.next()[0] == "DELETED"
    return made


def remove(api, typed, crd):
    typed.delete(f"{DEFINITIONS}/{crd['metadata']['name']}")
    for version in served(crd):
        eventually(lambda version=version: not discovered(api, crd, version), f"{version} to go")


@pytest.mark.conformance("Custom Resource Definition, create")
def test_a_definition_comes_and_goes(api, typed):
    crd = random_definition()
    create(api, typed, crd)
    remove(api, typed, crd)


@pytest.mark.conformance("Custom Resource Definition, list")
def test_listed_definitions_are_those_that_were_made(api, typed, unique):
    made = {}
    for _ in range(10):
        crd = random_definition()
        crd["metadata"]["labels"] = {"e2e-list-test-uuid": unique}
        crd = create(api, typed, crd)
        made[crd["metadata"]["name"]] = crd
    other = create(api, typed, random_definition())
    selector = f"e2e-list-test-uuid={unique}"
    listed = api.items(DEFINITIONS, labelSelector=selector)
    assert {one["metadata"]["name"]: one["spec"] for one in listed} == {
        name: crd["spec"] for name, crd in made.items()
    }
    typed.delete(DEFINITIONS, labelSelector=selector)
    for crd in made.values():
        eventually(lambda crd=crd: not discovered(api, crd, "v1beta1"), "discovery to forget it")
    api.get(f"{DEFINITIONS}/{other['metadata']['name']}")
    remove(api, typed, other)


@pytest.mark.conformance("Custom Resource Definition, status sub-resource")
def test_conditions_of_a_definition_are_what_was_written(api, typed):
    """Conditions with nothing but a message, twice, and the second time in place of all the others."""
    crd = create(api, typed, random_definition())
    path = f"{DEFINITIONS}/{crd['metadata']['name']}"

    def update():
        status = api.get(f"{path}/status")
        assert status["spec"] == crd["spec"]
        added = {"type": "", "status": "", "message": "updated"}
        conditions = [*(status["status"]["conditions"] or []), added]
        status["status"]["conditions"] = conditions
        try:
            return typed.update(f"{path}/status", status)
        except Refused as error:
            assert error.reason == "Conflict"
            return None

    updated = eventually(update, "an update without a conflict")
    assert only_message("updated") in shown(updated)
    patch = [{"op": "add", "path": "/status/conditions", "value": [{"message": "patched"}]}]
    patched = api.patch(f"{path}/status", patch, content_type=JSON_PATCH)
    assert only_message("patched") in shown(patched)
    remove(api, typed, crd)


def only_message(text):
    return {"message": text}


def shown(crd):
    """The conditions as a client with types sees them: what is empty is not there."""
    return [
        {key: value for key, value in one.items() if value} for one in crd["status"].get("conditions", [])
    ]


@pytest.mark.conformance("Custom Resource Definition, defaulting")
def test_defaults_are_patched_in_and_out(api, typed):
    text = {"type": "string"}
    schema = {**OPEN, "properties": {"a": text, "b": text}}
    crd = create(api, typed, random_definition(schema=schema))
    path, objects = f"{DEFINITIONS}/{crd['metadata']['name']}", collection(crd, "v1beta1")
    field = "/spec/versions/0/schema/openAPIV3Schema/properties"

    def instance(name):
        kind = crd["spec"]["names"]["kind"]
        return {"apiVersion": "mygroup.example.com/v1beta1", "kind": kind, "metadata": {"name": name}}

    api.create(objects, instance("cr-1"))
    add = [{"op": "add", "path": f"{field}/a/default", "value": "A"}]
    api.patch(path, add, content_type=JSON_PATCH)
    eventually(lambda: api.get(f"{objects}/cr-1").get("a") == "A", "the default")
    assert api.create(objects, instance("cr-2"))["a"] == "A"
    change = [
        {"op": "remove", "path": f"{field}/a/default"},
        {"op": "add", "path": f"{field}/b/default", "value": "B"},
    ]
    api.patch(path, change, content_type=JSON_PATCH)
    first = eventually(lambda: (one := api.get(f"{objects}/cr-1")).get("b") and one, "the other default")
    assert first["b"] == "B"
    assert "a" not in first
    second = api.get(f"{objects}/cr-2")
    assert (second["a"], second["b"]) == ("A", "B")
    remove(api, typed, crd)


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.conformance("Aggregated Discovery Endpoint Accept Headers CRDs")
@pytest.mark.conformance("Aggregated Discovery Interface CRDs")
def test_a_namespaced_resource_comes_into_aggregated_discovery(api, typed, unique):
    """In the one form that the raw request accepts, and in that which clients prefer to others."""
    crd = random_definition({"name": "v1", "storage": True}, scope="Namespaced")
    crd["spec"]["group"] = f"group{unique}.example.com"
    crd["spec"]["names"] = {
        "plural": "testcrds",
        "singular": "testcrd",
        "kind": "testcrd",
        "listKind": "testcrdList",
    }
    crd["metadata"]["name"] = f"testcrds.{crd['spec']['group']}"
    create_watchable(api, typed, crd)
    for accept in (AGGREGATED, f"{AGGREGATED},{AGGREGATED.replace('v=v2;', 'v=v2beta1;')},application/json"):

        def listed(accept=accept):
            return [
                (version["version"], resource["resource"])
                for item in api.send("GET", "/apis", headers={"Accept": accept}).object["items"]
                if item["metadata"]["name"] == crd["spec"]["group"]
                for version in item["versions"]
                for resource in version["resources"]
            ]

        assert eventually(listed, "the resource") == [("v1", "testcrds")]
    remove(api, typed, crd)


NOXUS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "noxus.mygroup.example.com"},
    "spec": {
        "group": "mygroup.example.com",
        "versions": [
            {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": OPEN}}
        ],
        "names": {
            "plural": "noxus",
            "singular": "nonenglishnoxu",
            "kind": "WishIHadChosenNoxu",
            "shortNames": ["foo", "bar", "abc", "def"],
            "listKind": "NoxuItemList",
            "categories": ["all"],
        },
        "scope": "Cluster",
    },
}


@pytest.mark.conformance("Custom Resource Definition, watch")
def test_a_watch_by_name_sees_the_objects_as_they_were_answered(api, typed):
    crd = create_watchable(api, typed, NOXUS)
    noxus = collection(crd, "v1beta1")

    def instance(name):
        return {
            "apiVersion": "mygroup.example.com/v1beta1",
            "kind": "WishIHadChosenNoxu",
            "metadata": {"namespace": "", "name": name},
            "content": {"key": "value"},
            "num": {"num1": LARGEST, "num2": 1000000},
        }

    names = ("name1", "name2")
    watches = [api.watch(noxus, fieldSelector=f"metadata.name={name}", timeoutSeconds=600) for name in names]
    for name, watch in zip(names, watches, strict=True):
        made = api.create(noxus, instance(name))
        assert made["metadata"]["uid"]
        assert made["num"]["num1"] == LARGEST
        assert watch.next() == ("ADDED", made)
    for name, watch in zip(names, watches, strict=True):
        patch = [{"op": "add", "path": "/dummy", "value": "test"}]
        patched = api.patch(f"{noxus}/{name}", patch, content_type=JSON_PATCH)
        assert watch.next() == ("MODIFIED", patched)
    for name, watch in zip(names, watches, strict=True):
        api.delete(f"{noxus}/{name}", {"kind": "DeleteOptions", "apiVersion": "v1"})
        kind, deleted = watch.next()
        assert (kind, deleted["metadata"]["name"]) == ("DELETED", name)
        watch.close()
    remove(api, typed, crd)


# Fields -------------------------------------------------------------------------------------------------------


PORTS = {
    "type": "array",
    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "x-kubernetes-list-type": "map",
    "items": {
        "properties": {
            "containerPort": {"format": "int32", "type": "integer"},
            "hostIP": {"type": "string"},
            "hostPort": {"format": "int32", "type": "integer"},
            "name": {"type": "string"},
            "protocol": {"type": "string"},
        },
        "required": ["containerPort", "protocol"],
        "type": "object",
    },
}
CRON = {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"}
TEMPLATE = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "properties": {
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
        "spec": {"type": "object"},
    },
}


def schema_of_spec(*, preserve=False, **more):
    spec = {
        "type": "object",
        "properties": {"foo": {"type": "string"}, "cronSpec": CRON, "ports": PORTS, **more},
    }
    if preserve:
        spec["x-kubernetes-preserve-unknown-fields"] = True
    return {"type": "object", "properties": {"spec": spec}}


APPLIED = """
apiVersion: {version}
kind: {kind}
metadata:
  name: mytest{metadata}
{root}spec:
{spec}  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP"""

EMBEDDED = """  template:
    apiversion: foo/v1
    kind: Sub
    metadata:
        unknownSubMeta: unknown
        name: subobject
        namespace: default
"""


@pytest.mark.parametrize(
    ("schema", "texts", "expected"),
    [
        pytest.param(
            schema_of_spec(),
            {"spec": "  foo: foo1\n"},
            (),
            marks=pytest.mark.conformance("Server side field validation, valid CR with validation schema"),
            id="valid",
        ),
        pytest.param(
            None,
            {"spec": "  unknown: uk1\n"},
            (),
            marks=pytest.mark.conformance(
                "Server side field validation, unknown fields CR no validation schema"
            ),
            id="no schema",
        ),
        pytest.param(
            schema_of_spec(),
            {"root": "unknownField: unknown\n", "spec": "  foo: foo1\n"},
            (".unknownField: field not declared in schema",),
            marks=pytest.mark.conformance("Server side field validation, unknown fields CR fails validation"),
            id="unknown",
        ),
        pytest.param(
            schema_of_spec(preserve=True, template=TEMPLATE),
            {"metadata": "\n  unknownMeta: unknown", "spec": EMBEDDED + "  foo: foo1\n"},
            (
                ".spec.template.metadata.unknownSubMeta: field not declared in schema",
                ".metadata.unknownMeta: field not declared in schema",
            ),
            marks=pytest.mark.conformance("Server side field validation, unknown metadata"),
            id="metadata",
        ),
        pytest.param(
            schema_of_spec(preserve=True),
            {"spec": "  unknown: uk1\n  foo: foo1\n  foo: foo2\n"},
            (r"line 9: key \"foo\" already set in map",),
            marks=pytest.mark.conformance("Server side field validation, CR duplicates"),
            id="duplicates",
        ),
    ],
)
def test_what_is_applied_strictly_is_held_against_the_schema(api, typed, schema, texts, expected):
    crd = create_watchable(api, typed, two_versions(schema))
    version = f"{crd['spec']['group']}/v1beta1"
    parts = {"metadata": "", "root": "", "spec": "", **texts}
    text = APPLIED.format(version=version, kind=crd["spec"]["names"]["kind"], **parts)
    answer = api.send(
        "PATCH",
        f"{collection(crd, 'v1beta1')}/mytest",
        text.encode(),
        content_type=APPLY,
        query={"fieldManager": "field_validation_mgr", "fieldValidation": "Strict"},
    )
    assert (answer.code >= 400) == bool(expected), answer.body
    assert not expected or any(one in answer.body.decode() for one in expected), answer.body
    remove(api, typed, crd)


DEPLOYMENT = """{
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "my-dep", %s"labels": {"app": "nginx"}},
    "spec": {%s
        "selector": {"matchLabels": {"app": "nginx"}},
        "template": {
            "metadata": {"labels": {"app": "nginx"}},
            "spec": {"containers": [{"name":  "nginx", "image": "nginx:latest"}]}
        }
    }
}"""


@pytest.mark.parametrize(
    ("metadata", "spec", "expected"),
    [
        pytest.param(
            "",
            '"unknownField": "foo", "replicas": 2, "replicas": 3,',
            'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"',
            marks=pytest.mark.conformance("Server side field validation, typed object"),
        ),
        pytest.param(
            '"unknownMeta": "foo", ',
            "",
            'strict decoding error: unknown field "metadata.unknownMeta"',
            marks=pytest.mark.conformance("Server side field validation, typed unknown metadata"),
        ),
    ],
)
def test_a_body_of_no_named_type_is_json(api, apps, metadata, spec, expected):
    """The suite posts bytes here, and its client names no type for bytes."""
    answer = api.send(
        "POST",
        f"{apps}/deployments",
        (DEPLOYMENT % (metadata, spec)).encode(),
        content_type=None,
        query={"fieldManager": "field_validation_mgr", "fieldValidation": "Strict"},
        headers={"Accept": "application/vnd.kubernetes.protobuf, */*"},
    )
    assert answer.code == 400
    assert expected in answer.object["message"]
