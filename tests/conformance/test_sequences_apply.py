"""Applying, and rules of custom resources, by the requests of upstream's suite that no conformance profile asks for."""

import json

import pytest
from tests.conformance import samples
from tests.conformance.api import APPLY, JSON_PATCH, Refused, eventually
from tests.conformance.definitions import collection
from tests.conformance.test_sequences_definitions import (
    CRON,
    PORTS,
    create,
    create_watchable,
    random_definition,
    remove,
    two_versions,
)
from tests.conformance.typed import Typed


@pytest.fixture
def typed(api):
    return Typed(api)


def apply(api, path, body, manager, **query):
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return api.call("PATCH", path, data, content_type=APPLY, query={"fieldManager": manager, **query})


# Built-in kinds ---------------------------------------------------------------------------------------------------


POD_FIELDS = (
    r"""{"f:spec":{"f:containers":{"k:{\"name\":\"test-container\"}":{".":{},"f:image":{},"f:name":{}}}}}"""
)
SERVICE_KEY = r"""k:{\"port\":8080,\"protocol\":\"UDP\"}"""
SERVICE_FIELDS = (
    f'''{{"f:spec":{{"f:ports":{{"{SERVICE_KEY}":{{".":{{}},"f:port":{{}},"f:protocol":{{}}}}}}}}}}'''
)


@pytest.mark.parametrize(
    ("resource", "kind", "spec", "fields"),
    [
        ("pods", "Pod", {"containers": [{"name": "test-container", "image": "test-image"}]}, POD_FIELDS),
        ("services", "Service", {"ports": [{"port": 8080, "protocol": "UDP"}]}, SERVICE_FIELDS),
    ],
)
def test_who_applies_the_same_owns_the_same(api, core, resource, kind, spec, fields):
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "test"}, "spec": spec}
    path = f"{core}/{resource}/test"
    apply(api, path, body, "apply_test")
    api.get(path)
    entries = apply(api, path, body, "apply_test_2")["metadata"]["managedFields"]
    owned = {one["manager"]: json.dumps(one["fieldsV1"], separators=(",", ":")) for one in entries}
    assert {owned["apply_test"], owned["apply_test_2"]} == {fields}


def test_a_status_is_applied_where_it_is_asked_for(api, core):
    path = f"{core}/pods/test-pod"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "test-pod"}}
    apply(api, path, {**pod, "spec": samples.pod("test-pod")["spec"]}, "apply_test")
    status = {**pod, "status": {"conditions": [{"type": "MyStatus", "status": "True"}]}}

    def types():
        return [one["type"] for one in api.get(path)["status"].get("conditions", [])]

    apply(api, path, status, "apply_test2")
    assert "MyStatus" not in types()
    apply(api, f"{path}/status", status, "apply_test2")
    assert "MyStatus" in types()


def deployment(name, *, replicas=None, hostname=None, ports=None):
    labels, spec = {"app": "nginx"}, {}
    container = {"name": "nginx", "image": samples.IMAGE, **({"ports": ports} if ports else {})}
    pod = {**({"hostname": hostname} if hostname else {}), "containers": [container]}
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            **spec,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def test_a_field_that_is_not_applied_any_more_goes_unless_another_owns_it(api, apps):
    path = f"{apps}/deployments/deployment"
    ports = [{"containerPort": 80, "protocol": "TCP"}]
    apply(api, path, deployment("deployment", replicas=3, ports=ports), "apply_test")
    apply(api, path, deployment("deployment", replicas=3), "apply_test")
    (container,) = api.get(path)["spec"]["template"]["spec"]["containers"]
    assert "ports" not in container
    path = f"{apps}/deployments/deployment-shared-unset"
    for owner in ("shared_owner_1", "shared_owner_2"):
        body = deployment("deployment-shared-unset", replicas=3, hostname="test-hostname")
        apply(api, path, body, owner)
    patched = apply(api, path, deployment("deployment-shared-unset"), "shared_owner_1")
    assert patched["spec"]["replicas"] == 3
    assert patched["spec"]["template"]["spec"]["hostname"] == "test-hostname"


def test_a_conflict_is_told_and_forced(api, apps):
    path, body = f"{apps}/deployments/deployment", deployment("deployment", replicas=3)
    apply(api, path, body, "apply_test")
    api.patch(path, {"spec": {"replicas": 5}})
    with pytest.raises(Refused) as error:
        apply(api, path, body, "apply_test")
    assert (error.value.code, error.value.reason) == (409, "Conflict")
    assert len(error.value.status["details"]["causes"]) == 1
    assert apply(api, path, body, "apply_test", force="true")["spec"]["replicas"] == 3


def test_who_updates_a_field_keeps_it(api, typed, apps):
    name = "deployment-shared-map-item-removal"
    path = f"{apps}/deployments/{name}"
    apply(api, path, deployment(name, replicas=3), "test_applier")

    def update():
        obj = api.get(path)
        obj["spec"]["replicas"] = 4
        try:
            return typed.update(path, obj)
        except Refused as error:
            assert error.reason == "Conflict"
            return None

    eventually(update, "an update without a conflict")
    assert apply(api, path, deployment(name), "test_applier")["spec"]["replicas"] == 4


# Custom resources -------------------------------------------------------------------------------------------------


MINE = """
apiVersion: mygroup.example.com/{version}
kind: {kind}
metadata:
  name: mytest{finalizers}
spec:
  cronSpec: "* * * * */5"
  replicas: 1
  ports:
  - name: x
    containerPort: 80
    protocol: TCP"""
FINALIZER = """
  finalizers:
  - test-finalizer"""
PORT = """
apiVersion: mygroup.example.com/v1beta1
kind: {kind}
metadata:
  name: mytest
spec:
  ports:
  - name: "y"
    containerPort: {port}
    protocol: TCP"""


def test_custom_resources_are_applied_by_the_schema(api, typed):
    spec = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"cronSpec": CRON, "ports": PORTS},
    }
    crd = create_watchable(api, typed, two_versions({"type": "object", "properties": {"spec": spec}}))
    kind, path = crd["spec"]["names"]["kind"], f"{collection(crd, 'v1beta1')}/mytest"
    mine = MINE.format(version="v1beta1", kind=kind, finalizers=FINALIZER)
    made = apply(api, path, mine, "apply_test")
    assert made["metadata"]["finalizers"] == ["test-finalizer"]
    assert (made["spec"]["replicas"], len(made["spec"]["ports"])) == (1, 1)
    other = MINE.format(version="v1", kind=kind, finalizers="")
    made = apply(api, f"{collection(crd, 'v1')}/mytest", other, "apply_test")
    assert (made["spec"]["replicas"], len(made["spec"]["ports"])) == (1, 1)
    both = ["test-finalizer", "another-one"]
    assert api.patch(path, {"metadata": {"finalizers": both}})["metadata"]["finalizers"] == both
    assert sorted(apply(api, path, mine, "apply_test")["metadata"]["finalizers"]) == sorted(both)
    assert api.patch(path, {"spec": {"replicas": 5}})["spec"]["replicas"] == 5
    check_one_conflict(api, path, mine, "apply_test")
    assert apply(api, path, mine, "apply_test", force="true")["spec"]["replicas"] == 1
    check_one_conflict(api, path, PORT.format(kind=kind, port=80), "apply_test_2")
    made = apply(api, path, PORT.format(kind=kind, port=8080), "apply_test_2")
    assert len(made["spec"]["ports"]) == 2
    check_not_made_by_update(api, crd, kind)
    api.patch(path, {"metadata": {"finalizers": []}})
    remove(api, typed, crd)


def check_one_conflict(api, path, body, manager):
    with pytest.raises(Refused) as error:
        apply(api, path, body, manager)
    assert error.value.reason == "Conflict"
    assert len(error.value.status["details"]["causes"]) == 1


def check_not_made_by_update(api, crd, kind):
    body = {
        "apiVersion": "mygroup.example.com/v1beta1",
        "kind": kind,
        "metadata": {"name": "should-not-exist", "finalizers": ["test-finalizer"]},
        "spec": {"cronSpec": "* * * * */5", "replicas": 1, "ports": [{"name": "x", "containerPort": 80}]},
        "protocol": "TCP",
    }
    refused = api.refusal(
        "PUT",
        f"{collection(crd, 'v1beta1')}/should-not-exist",
        json.dumps(body).encode(),
        content_type=None,
        query={"fieldManager": "apply_test"},
    )
    assert (refused.code, refused.reason) == (404, "NotFound")


def test_an_atomic_list_is_replaced(api, typed):
    items = {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string"}}
    spec = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"atomicList": items},
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    crd = create_watchable(api, typed, random_definition(schema=schema))
    path = f"{collection(crd, 'v1beta1')}/mytest"
    for item, manager, query in (("item1", "apply_test", {}), ("item2", "apply_test_2", {"force": "true"})):
        body = {
            "apiVersion": "mygroup.example.com/v1beta1",
            "kind": crd["spec"]["names"]["kind"],
            "metadata": {"name": "mytest"},
            "spec": {"atomicList": [item]},
        }
        assert apply(api, path, body, manager, **query)["spec"]["atomicList"] == [item]
    remove(api, typed, crd)


# Rules ------------------------------------------------------------------------------------------------------------


def numbers(limit):
    return {"type": "array", "maxItems": limit, "items": {"type": "integer"}}


def ruled(*rules, **properties):
    return {
        "type": "object",
        "x-kubernetes-validations": [{"rule": rule} for rule in rules],
        "properties": properties,
    }


RULED = {
    "type": "object",
    "properties": {
        "spec": ruled(
            "self.x + self.y > 0",
            "self.firstArray.isSorted() && self.secondArray.isSorted() && "
            "((self.firstArray.sum() + self.secondArray.sum()) % 2 == 0)",
            "self.largeArray.all(x, self.largeArray.all(y, y == x))",
            x={"type": "integer"},
            y={"type": "integer"},
            firstArray=numbers(1000),
            secondArray=numbers(1000),
            largeArray=numbers(725),
        ),
        "status": ruled("self.health == 'ok' || self.health == 'unhealthy'", health={"type": "string"}),
    },
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"x": 1, "y": 0, "firstArray": [3, 4], "secondArray": [5, 10], "largeArray": [2, 2]},
            "",
            id="good",
        ),
        pytest.param({"x": 0, "y": 0}, "failed rule", id="bad"),
        pytest.param({"largeArray": [20] * 725}, "call cost exceeds limit", id="dear"),
    ],
)
def test_rules_are_held(api, typed, namespace, spec, expected):
    crd = create(api, typed, random_definition(schema=RULED, scope="Namespaced"))
    answer = api.send("POST", collection(crd, "v1beta1", namespace), instance(crd, namespace, spec))
    assert (answer.code >= 400) == bool(expected), answer.body
    assert not expected or expected in answer.object["message"]
    remove(api, typed, crd)


def instance(crd, namespace, spec):
    return {
        "apiVersion": "mygroup.example.com/v1beta1",
        "kind": crd["spec"]["names"]["kind"],
        "metadata": {"name": "cr-1", "namespace": namespace},
        "spec": spec,
    }


DEAR = {
    "type": "array",
    "items": {
        "type": "array",
        "items": {"type": "string"},
        "x-kubernetes-validations": [{"rule": "self.all(s, s == 'string constant')"}],
    },
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (ruled("self.z == 100", x={"type": "integer"}), "undefined field 'z'"),
        (ruled("self = 42"), "Syntax error"),
        ({"type": "object", "properties": {"x": DEAR}}, "exceeds budget"),
    ],
)
def test_rules_that_cannot_be_held_are_refused(typed, spec, expected):
    schema = {"type": "object", "properties": {"spec": spec}}
    crd = random_definition(schema=schema, scope="Namespaced")
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert expected in typed.refusal(path, crd).message


def test_a_transition_rule_is_held_from_the_second_write_on(api, typed, namespace):
    rule = [{"rule": "self > oldSelf"}]
    spec = {"type": "object", "properties": {"num": {"type": "integer", "x-kubernetes-validations": rule}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    crd = create(api, typed, random_definition(schema=schema, scope="Namespaced"))
    objects = collection(crd, "v1beta1", namespace)
    made = api.create(objects, instance(crd, namespace, {"num": 10}))
    changed = instance(crd, namespace, {"num": 9})
    changed["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    assert "failed rule" in api.refusal("PUT", f"{objects}/cr-1", changed).message
    replace = [{"op": "replace", "path": "/spec/num", "value": 11}]
    assert api.patch(f"{objects}/cr-1", replace, content_type=JSON_PATCH)["spec"]["num"] == 11
    remove(api, typed, crd)
