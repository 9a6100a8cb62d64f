"""What converting webhooks may and may not do: the three versions and the webhooks of upstream's integration tests."""

import pytest
from tests.conformance.api import MERGE, eventually
from tests.conformance.definitions import collection, custom, definition, version
from tests.conformance.webhook_server import HttpError, WebhookServer

NUMBER = {"type": "integer"}
NUM = {"type": "object", "properties": {"num1": NUMBER, "num2": NUMBER}}
CONTENT = {"type": "object", "properties": {"key": {"type": "string"}}}
FIELDS = {"v1beta1": ("content", "num"), "v1alpha1": ("content", "num"), "v1beta2": ("contentv2", "numv2")}
SCALE = {"specReplicasPath": ".spec.num.num1", "statusReplicasPath": ".status.num.num2"}
REVIEWS = {"v1": ["v1", "v1beta1"], "v1beta1": ["v1beta1", "v1"]}


def schema(name):
    flags = {one: {"type": "boolean", **({"default": True} if one == name else {})} for one in FIELDS}
    content, num = FIELDS[name]
    return {
        "type": "object",
        "properties": {content: CONTENT, num: NUM, "defaults": {"type": "object", "properties": flags}},
    }


def versions(stored="v1beta1", unserved=""):
    below = {"status": {}, "scale": SCALE}
    return [
        {
            **version(name, schema(name), storage=name == stored, subresources=below),
            "served": name != unserved,
        }
        for name in FIELDS
    ]


class Story:
    """The definition, in a namespace, with or without a webhook."""

    def __init__(self, api, group, namespace, made):
        self.api, self.namespace = api, namespace
        self.crd = definition(group, *versions(), kind="MultiVersion")
        self.path = made(self.crd)
        self.group = group

    def convert(self, server, reviews):
        webhook = {
            "clientConfig": server.client_config("/convert"),
            "conversionReviewVersions": REVIEWS[reviews],
        }
        self.api.patch(self.path, {"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}})
        marker = self.objects("v1beta1")
        self.api.create(marker, self.object("v1beta1", "marker"))

        def asked():
            self.api.send("GET", f"{self.objects('v1alpha1')}/marker")
            return server.seen

        eventually(asked, "the webhook")
        self.api.delete(f"{marker}/marker")

    def objects(self, name):
        return collection(self.crd, name, self.namespace)

    def object(self, version, name, **more):
        content, num = FIELDS[version]
        fields = {content: {"key": "value"}, num: {"num1": 1, "num2": 1000000}}
        return custom(self.crd, version, name, **fields, **more)

    def check(self, version, obj):
        wanted = self.object(version, obj["metadata"]["name"])
        assert {**obj, "metadata": None} == {**wanted, "metadata": None}

    def store(self, version):
        self.api.patch(self.path, {"spec": {"versions": versions(version)}})


@pytest.fixture
def story(api, group, namespace, made):
    return Story(api, group, namespace, made)


@pytest.fixture
def server(tmp_path):
    with WebhookServer(tmp_path) as server:
        yield server


def answering(change):
    """An answerer that converts by `change`, of an object and the version it is to have."""

    def answer(request):
        wanted = request["desiredAPIVersion"]
        made = [{**change(obj, wanted), "apiVersion": wanted} for obj in request["objects"]]
        return {"result": {"status": "Success"}, "convertedObjects": made}

    return answer


def unchanged(obj, wanted):
    return obj


def renamed(obj, wanted):
    """From the fields of one version to those of the other."""
    was, now = (FIELDS[name.partition("/")[2]] for name in (obj["apiVersion"], wanted))
    names = dict(zip(was, now, strict=True))
    return {names.get(key, key): value for key, value in obj.items()}


def with_metadata(obj, wanted):
    """Labels and annotations, which may be changed, and all that may not."""
    made = renamed(obj, wanted)
    if "mutation" not in obj["metadata"]["name"]:
        return made
    marks = {"from": obj["apiVersion"].replace("/", "."), "to": wanted.replace("/", ".")}
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "1234"}
    meta = {**obj["metadata"], "generation": 42, "ownerReferences": [owner], "resourceVersion": "42"}
    meta |= {"finalizers": ["foo"], "garbage": "foo"}
    for key in ("annotations", "labels"):
        meta[key] = {**(meta.get(key) or {}), **marks}
    return {**made, "metadata": meta}


def with_uid(obj, wanted):
    mutated = "mutation" in obj["metadata"]["name"]
    return {**obj, "metadata": {**obj["metadata"], "uid": "42"}} if mutated else obj


def failing(message):
    return lambda request: {"convertedObjects": [], "result": {"status": "Failure", "message": message}}


def refusing(code):
    def answer(request):
        raise HttpError(code)

    return answer


@pytest.mark.parametrize("reviews", REVIEWS)
def test_what_is_stored_in_any_version_is_read_in_each(api, story, server, reviews):
    server.answers["/convert"] = answering(renamed)
    story.convert(server, reviews)
    for stored in FIELDS:
        story.store(stored)
        obj = story.object(stored, f"stored-as-{stored}")
        eventually(
            lambda obj=obj, stored=stored: api.send("POST", story.objects(stored), obj).code in (201, 409),
            "it",
        )
    for name in FIELDS:
        items = api.items(story.objects(name))
        assert [one["metadata"]["name"] for one in items] == sorted(f"stored-as-{one}" for one in FIELDS)
        for one in items:
            # The default of the stored version is put in where there is something to put it in: there is not.
            story.check(name, one)
            story.check(name, api.get(f"{story.objects(name)}/{one['metadata']['name']}"))


def test_a_version_is_served_again(api, story, server):
    server.answers["/convert"] = answering(unchanged)
    story.convert(server, "v1")
    for name in ("v1beta1", "v1alpha1"):
        path = f"{story.objects(name)}/served-{name}"
        api.create(story.objects(name), story.object(name, f"served-{name}"))
        api.patch(story.path, {"spec": {"versions": versions(unserved=name)}})
        eventually(lambda path=path: api.send("GET", path).code == 404, "the version to go")
        api.patch(story.path, {"spec": {"versions": versions()}})
        eventually(lambda path=path: api.send("GET", path).code == 200, "the version to come")


@pytest.mark.parametrize("reviews", REVIEWS)
def test_garbage_is_pruned_and_patches_go_by_their_version(api, story, server, reviews):
    server.answers["/convert"] = answering(renamed)
    story.convert(server, reviews)
    for name in FIELDS:
        path = f"{story.objects(name)}/converted-{name}"
        api.create(story.objects(name), story.object(name, f"converted-{name}", garbage="foo"))
        for other in FIELDS:
            story.check(other, api.get(f"{story.objects(other)}/converted-{name}"))
        annotate = {"metadata": {"annotations": {"main": "true"}}}
        story.check(name, api.patch(path, annotate))
        story.check(name, api.patch(f"{path}/status", {"metadata": {"annotations": {"status": "true"}}}))
        assert api.get(path)["metadata"]["annotations"] == {"main": "true"}
    for name in FIELDS:
        items = api.items(story.objects(name))
        assert {one["metadata"]["name"] for one in items} == {f"converted-{other}" for other in FIELDS}
        for one in items:
            story.check(name, one)


@pytest.mark.parametrize("reviews", REVIEWS)
def test_labels_and_annotations_may_be_converted_and_nothing_else_of_metadata(api, story, server, reviews):
    server.answers["/convert"] = answering(with_metadata)
    story.convert(server, reviews)
    first = api.create(story.objects("v1beta1"), story.object("v1beta1", "mutation-v1beta1"))
    assert not {"labels", "annotations"} & first["metadata"].keys()
    found = api.get(f"{story.objects('v1beta2')}/mutation-v1beta1")
    second = api.create(story.objects("v1beta2"), story.object("v1beta2", "mutation-v1beta2"))
    for obj in (found, second, *api.items(story.objects("v1beta2"))):
        meta = obj["metadata"]
        assert {"from", "to"} <= meta["labels"].keys() & meta["annotations"].keys()
        assert meta["generation"] == 1
        assert not {"finalizers", "ownerReferences", "garbage"} & meta.keys()
        assert meta["resourceVersion"] != "42"


@pytest.mark.parametrize("reviews", REVIEWS)
def test_an_object_keeps_its_uid(api, story, server, reviews):
    server.answers["/convert"] = answering(with_uid)
    story.convert(server, reviews)
    refused = api.refusal("POST", story.objects("v1beta2"), story.object("v1beta2", "uid-mutation"))
    assert refused.code == 500
    assert "must have the same UID" in refused.message


FAILURES = {
    "no objects": (
        lambda request: {"convertedObjects": [], "result": {"status": "Success"}},
        "returned 0 objects, expected 1",
    ),
    "a failure": (failing("custom webhook conversion error"), "custom webhook conversion error"),
    "an error of its own": (
        refusing(422),
        "the server rejected our request due to an error in our request",
    ),
    "a bad request": (refusing(400), "the server rejected our request for an unknown reason"),
}


@pytest.mark.parametrize("reviews", REVIEWS)
@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_is_done_in_a_version_that_cannot_be_converted(api, story, server, reviews, failure):
    answer, message = FAILURES[failure]
    server.answers["/convert"] = answer
    story.convert(server, reviews)
    obj = api.create(story.objects("v1beta1"), story.object("v1beta1", "failing"))
    everything, one = story.objects("v1beta2"), f"{story.objects('v1beta2')}/failing"
    other = {**story.object("v1beta2", "failing"), "metadata": obj["metadata"]}
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "failing"},
        "spec": {"replicas": 42},
    }
    patch = {"metadata": {"annotations": {"patch": "true"}}}
    requests = [
        ("GET", everything, None),
        ("POST", everything, story.object("v1beta2", "another")),
        ("DELETE", one, {}),
        ("DELETE", everything, {}),
    ]
    for below, body in (("", other), ("/status", other), ("/scale", scale)):
        requests += [("GET", one + below, None), ("PUT", one + below, body), ("PATCH", one + below, patch)]
    for method, path, body in requests:
        refused = api.refusal(
            method, path, body, content_type=MERGE if method == "PATCH" else "application/json"
        )
        assert refused.code == 500, (method, path)
        assert message in refused.message, (method, path)
    assert api.get(f"{story.objects('v1beta1')}/failing") == obj


def test_defaults_are_those_of_the_request_and_of_what_is_stored(api, story, server):
    server.answers["/convert"] = answering(renamed)
    story.convert(server, "v1")
    for name in FIELDS:
        created = api.create(story.objects(name), story.object(name, f"defaulting-{name}", defaults={}))
        assert created["defaults"] == dict.fromkeys({name, "v1beta1"}, True)
        for other in FIELDS.keys() - {name}:
            got = api.get(f"{story.objects(other)}/defaulting-{name}")
            assert got["defaults"] == dict.fromkeys({name, "v1beta1"}, True)
