"""Custom resources and their subresources in YAML, written apart, scaled and discovered, as upstream's integration
tests do it.
"""

import json

import pytest
import yaml
from tests.conformance.api import APPLY, STRATEGIC
from tests.conformance.definitions import DEFINITIONS, collection, custom, noxu, version

YAML = "application/yaml"


# YAML -------------------------------------------------------------------------------------------------------------


class Yaml:
    """Requests of YAML, answered in YAML."""

    def __init__(self, api, crd, name):
        self.api, self.crd, self.name = api, crd, name
        self.path = collection(crd, name)

    def __call__(self, method, path, body=None, *, code=200, **options):
        data = yaml.safe_dump(body).encode() if body is not None else None
        answer = self.api.send(
            method, path, data, headers={"Accept": YAML}, content_type=YAML if data else None, **options
        )
        assert (answer.code, answer.headers["Content-Type"]) == (code, YAML), answer.body
        return yaml.safe_load(answer.body)

    def object(self, **fields):
        return custom(self.crd, self.name, "mytest", **fields)


def values(number, truth):
    return {"numVal": number, "boolVal": truth, "stringVal": str(number)}


def test_everything_but_watches_and_patches_is_said_in_yaml(api, group, made):
    crd = noxu(group, scope="Cluster")
    made(crd)
    say = Yaml(api, crd, "v1beta1")
    found = say("GET", f"/apis/{group}/v1beta1")
    assert (found["kind"], found["apiVersion"], found["groupVersion"]) == (
        "APIResourceList",
        "v1",
        f"{group}/v1beta1",
    )
    missing = say("GET", f"{say.path}/missingname", code=404)
    assert (missing["kind"], missing["apiVersion"], missing["reason"]) == ("Status", "v1", "NotFound")
    created = say("POST", say.path, say.object(values=values(1, True)), code=201)
    assert created["values"] == values(1, True)
    assert say("GET", f"{say.path}/mytest") == created
    listing = say("GET", say.path)
    assert (listing["kind"], listing["items"]) == ("NoxuItemList", [created])
    refused = say("GET", say.path, code=406, query={"watch": "true"})
    assert (refused["kind"], refused["reason"], refused["code"]) == ("Status", "NotAcceptable", 406)
    meta = {key: created["metadata"][key] for key in ("name", "uid", "resourceVersion")}
    updated = say("PUT", f"{say.path}/mytest", {**say.object(values=values(2, False)), "metadata": meta})
    assert (updated["values"], updated["metadata"]["uid"]) == (values(2, False), meta["uid"])
    refused = say("PATCH", f"{say.path}/mytest", {"values": {"numVal": 3}}, code=415)
    assert (refused["kind"], refused["reason"]) == ("Status", "UnsupportedMediaType")
    assert refused["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )
    gone = say("DELETE", f"{say.path}/mytest")
    assert (gone["kind"], gone["apiVersion"], gone["status"]) == ("Status", "v1", "Success")


def scaled(name, selector, **more):
    below = {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": selector,
        },
    }
    return version(name, subresources=below, **more)


def subresourced(group, scope="Namespaced"):
    first = scaled("v1beta1", ".status.labelSelector")
    return noxu(group, first, scaled("v1", ".status.anotherLabelSelector", storage=False), scope=scope)


def test_subresources_are_said_in_yaml(api, group, made):
    crd = subresourced(group, "Cluster")
    made(crd)
    say = Yaml(api, crd, "v1beta1")
    created = say("POST", say.path, say.object(spec={"replicas": 3}), code=201)
    path = f"{say.path}/mytest"
    assert say("GET", f"{path}/status")["spec"] == {"replicas": 3}
    meta = {key: created["metadata"][key] for key in ("name", "uid", "resourceVersion")}
    body = {**say.object(spec={"replicas": 5}, status={"replicas": 3}), "metadata": meta}
    updated = say("PUT", f"{path}/status", body)
    assert (updated["spec"], updated["status"]) == ({"replicas": 3}, {"replicas": 3})
    assert updated["metadata"]["uid"] == meta["uid"]
    scale = say("GET", f"{path}/scale")
    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 3})
    assert scale["metadata"]["uid"] == meta["uid"]
    meta["resourceVersion"] = updated["metadata"]["resourceVersion"]
    body = {**scale, "metadata": meta, "spec": {"replicas": 5}, "status": {"replicas": 9}}
    written = say("PUT", f"{path}/scale", body)
    assert (written["kind"], written["spec"], written["status"]) == (
        "Scale",
        {"replicas": 5},
        {"replicas": 3},
    )


# Subresources -----------------------------------------------------------------------------------------------------


def instance(crd, name, **more):
    return custom(crd, name, "foo", **{"spec": {"num": 10, "replicas": 3}, "status": {"replicas": 7}, **more})


@pytest.mark.parametrize("name", ["v1beta1", "v1"])
def test_status_and_spec_are_written_apart(api, group, namespace, made, name):
    crd = subresourced(group)
    made(crd)
    path = collection(crd, name, namespace)
    foo = api.create(path, instance(crd, name))
    assert "status" not in foo
    assert foo["metadata"]["generation"] == 1
    foo["status"], foo["spec"]["num"] = {"num": 20}, 20
    foo = api.update(f"{path}/foo/status", foo)
    assert (foo["spec"]["num"], foo["status"], foo["metadata"]["generation"]) == (10, {"num": 20}, 1)
    foo["status"], foo["spec"]["num"] = {"num": 40}, 40
    foo = api.update(f"{path}/foo", foo)
    assert (foo["spec"]["num"], foo["status"], foo["metadata"]["generation"]) == (40, {"num": 20}, 2)


def test_a_scale_has_a_path_of_names(api, group):
    crd = subresourced(group)
    crd["spec"]["versions"][0]["subresources"]["scale"]["specReplicasPath"] = "foo,bar"
    refused = api.refusal("POST", DEFINITIONS, crd)
    assert (
        'specReplicasPath: Invalid value: "foo,bar": must be a simple json path starting with .'
        in refused.message
    )


@pytest.mark.parametrize(("name", "selector"), [("v1beta1", "labelSelector"), ("v1", "anotherLabelSelector")])
def test_a_scale_writes_replicas_alone(api, group, namespace, made, name, selector):
    crd = subresourced(group)
    made(crd)
    foo = f"{collection(crd, name, namespace)}/foo"
    api.create(collection(crd, name, namespace), instance(crd, name))
    obj = api.get(foo)
    api.update(f"{foo}/status", {**obj, "status": {selector: "bar"}})
    scale = api.get(f"{foo}/scale")
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (3, "bar")
    assert "selfLink" not in scale["metadata"]
    scale["spec"]["replicas"], scale["status"]["selector"] = 5, "baz"
    scale = api.update(f"{foo}/scale", scale)
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (5, "bar")
    obj = api.get(foo)
    assert (obj["spec"]["replicas"], obj["status"]) == (5, {selector: "bar"})
    obj["spec"]["replicas"] = 2**63 - 1
    refused = api.refusal("PUT", foo, obj)
    assert (
        ".spec.replicas: Invalid value: 9223372036854775807: should be less than or equal to 2147483647"
        in (refused.message)
    )


@pytest.mark.parametrize("name", ["v1beta1", "v1"])
def test_patches_of_subresources_that_change_nothing_write_nothing(api, group, namespace, made, name):
    crd = subresourced(group)
    made(crd)
    api.create(collection(crd, name, namespace), instance(crd, name))
    foo = f"{collection(crd, name, namespace)}/foo"
    patch = {"spec": {"num": 999}, "status": {"num": 999}}
    first = api.patch(f"{foo}/status", patch)
    assert (first["status"]["num"], first["spec"]["num"]) == (999, 10)
    assert api.patch(f"{foo}/status", patch) == first
    assert api.patch(f"{foo}/status", {}) == first
    patch = {"spec": {"replicas": 7}, "status": {"replicas": 7}}
    scale = api.patch(f"{foo}/scale", patch)
    assert (scale["spec"], scale["status"]) == ({"replicas": 7}, {"replicas": 0})
    assert scale["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert api.get(f"{foo}/scale") == scale
    assert api.patch(f"{foo}/scale", patch) == scale
    assert api.patch(f"{foo}/scale", {}) == scale
    for below in ("status", "scale"):
        assert api.refusal("PATCH", f"{foo}/{below}", patch, content_type=STRATEGIC).code == 415


def test_replicas_with_brackets_in_their_name_are_scaled(api, group, namespace, made):
    """What looks like an index is a part of the name; each version has replicas of its own."""
    crd = subresourced(group)
    crd["spec"]["versions"][0]["subresources"]["scale"]["specReplicasPath"] = ".spec.replicas[0]"
    made(crd)
    first, second = (f"{collection(crd, name, namespace)}/foo" for name in ("v1beta1", "v1"))
    obj = instance(crd, "v1beta1", spec={"num": 10, "replicas[0]": 3})
    api.create(collection(crd, "v1beta1", namespace), obj, fieldManager="integration.test")
    assert api.get(f"{first}/scale")["spec"]["replicas"] == 3
    body = custom(crd, "v1", "foo", spec={"replicas": 3})
    obj = api.call(
        "PATCH", second, json.dumps(body).encode(), content_type=APPLY, query={"fieldManager": "applier"}
    )
    assert len(obj["metadata"]["managedFields"]) == 2
    api.patch(f"{second}/scale", {"spec": {"replicas": 5}}, fieldManager="scaler")
    entries = {one["manager"]: one for one in api.get(second)["metadata"]["managedFields"]}
    written = ("apiVersion", "operation", "subresource")
    assert {name: tuple(one.get(key, "") for key in written) for name, one in entries.items()} == {
        "applier": (f"{group}/v1", "Apply", ""),
        "scaler": (f"{group}/v1", "Update", "scale"),
        "integration.test": (f"{group}/v1beta1", "Update", ""),
    }
    assert entries["applier"]["fieldsV1"] == {"f:spec": {}}
    assert entries["scaler"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


def test_a_status_is_judged_alone(api, group, namespace, made):
    ten = {"type": "object", "properties": {"num": {"type": "integer", "maximum": 10}}}
    schema = {"type": "object", "properties": {"spec": ten, "status": ten}}
    crd = noxu(group, version("v1", schema, subresources={"status": {}}))
    made(crd)
    path = collection(crd, "v1", namespace)
    foo = api.create(path, custom(crd, "v1", "foo", spec={"num": 10}, status={"num": 10}))
    foo["spec"]["num"] = 15
    foo = api.update(f"{path}/foo/status", foo)
    foo["status"] = {"num": 15}
    refused = api.refusal("PUT", f"{path}/foo/status", foo)
    assert refused.message == (
        f'WishIHadChosenNoxu.{group} "foo" is invalid: status.num: Invalid value: 15: '
        "num in body should be less than or equal to 10"
    )


def test_subresources_are_discovered(api, group, made):
    crd = subresourced(group)
    made(crd)
    for name in ("v1beta1", "v1"):
        main, *below = api.get(f"/apis/{group}/{name}")["resources"]
        assert main["name"] == "noxus"
        by_name = {one["name"]: one for one in below}
        status, scale = by_name["noxus/status"], by_name["noxus/scale"]
        assert len(below) == 2
        assert (status["kind"], status["namespaced"]) == ("WishIHadChosenNoxu", True)
        assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
        assert [sorted(one["verbs"]) for one in (status, scale)] == [["get", "patch", "update"]] * 2
        assert [one["name"] for one in below] == ["noxus/status", "noxus/scale"]
