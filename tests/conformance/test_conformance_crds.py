"""CustomResourceDefinitions: their own life, defaults, conversion, selectors and discovery."""

import threading

import pytest
from tests.conformance.api import eventually
from tests.conformance.definitions import (
    DEFINITIONS,
    collection,
    custom,
    definition,
    establish,
    established,
    version,
)
from tests.conformance.webhook_server import WebhookServer

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def as_string(name, **more):
    """A schema with one property."""
    return {"type": "object", "properties": {name: {"type": "string", **more}}}


# Definitions ----------------------------------------------------------------------------------------------------


@pytest.mark.conformance("Custom Resource Definition, create")
def test_a_definition_is_made_and_removed(api, group):
    path = establish(api, definition(group))
    api.delete(path)
    api.wait_gone(path)


@pytest.mark.conformance("Custom Resource Definition, list")
def test_labelled_definitions_are_listed_and_deleted_together(api, unique):
    for number in range(10):
        crd = definition(f"n{number}.{unique}.example.com")
        crd["metadata"]["labels"] = {"test": unique}
        api.create(DEFINITIONS, crd)
    other = definition(f"other.{unique}.example.com")
    api.create(DEFINITIONS, other)
    selector = f"test={unique}"
    assert len(api.items(DEFINITIONS, labelSelector=selector)) == 10
    api.delete(DEFINITIONS, labelSelector=selector)
    api.wait(DEFINITIONS, lambda items: not items, labelSelector=selector)
    assert not api.missing(f"{DEFINITIONS}/{other['metadata']['name']}")
    api.delete(f"{DEFINITIONS}/{other['metadata']['name']}")


@pytest.mark.conformance("Custom Resource Definition, status sub-resource")
def test_the_status_of_a_definition_is_read_updated_and_patched(api, group):
    path = establish(api, definition(group))
    obj = api.get(f"{path}/status")
    assert established(obj)
    updated = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set by a test"}
    obj["status"]["conditions"].append(updated)
    api.update(f"{path}/status", obj)
    conditions = api.get(path)["status"]["conditions"]
    assert "StatusUpdate" in [one["type"] for one in conditions]
    patched = {**updated, "type": "StatusPatched"}
    patch = {"status": {"conditions": [*conditions, patched]}}
    api.patch(f"{path}/status", patch)
    assert "StatusPatched" in [one["type"] for one in api.get(path)["status"]["conditions"]]
    api.delete(path)


@pytest.mark.conformance("Custom Resource Definition, watch")
def test_custom_resources_are_watched_from_their_making_to_their_end(api, group, namespace):
    crd = definition(group)
    path = establish(api, crd)
    foos = collection(crd, "v1", namespace)
    with api.watch(foos) as first, api.watch(foos, fieldSelector="metadata.name=name2") as second:
        for name in ("name1", "name2"):
            api.create(foos, custom(crd, "v1", name))
        for name in ("name1", "name2"):
            api.patch(f"{foos}/{name}", {"dummy": "test"})
        for name in ("name1", "name2"):
            api.delete(f"{foos}/{name}")
        seen = [(kind, obj["metadata"]["name"]) for kind, obj in first.take(6)]
        kinds = ("ADDED", "MODIFIED", "DELETED")
        assert seen == [(kind, name) for kind in kinds for name in ("name1", "name2")]
        assert [kind for kind, _ in second.take(3)] == list(kinds)
    api.delete(path)


@pytest.mark.conformance("Custom Resource Definition, defaulting")
def test_defaults_come_with_requests_and_out_of_storage(api, group, namespace):
    crd = definition(group, version("v1", as_string("a") | {"properties": both()}))
    path = establish(api, crd)
    foos = collection(crd, "v1", namespace)

    def default(**defaults):
        versions = [version("v1", {"type": "object", "properties": both(**defaults)})]
        api.patch(path, {"spec": {"versions": versions}})

    before = api.create(foos, custom(crd, "v1", "before"))
    assert "a" not in before
    default(a="A")
    eventually(lambda: api.get(f"{foos}/before").get("a") == "A", "a default of what is stored")
    assert api.create(foos, custom(crd, "v1", "after"))["a"] == "A"
    default(b="B")
    eventually(lambda: api.get(f"{foos}/after").get("b") == "B", "the other default")
    assert api.get(f"{foos}/after")["a"] == "A"
    assert "a" not in api.get(f"{foos}/before")
    api.delete(path)


def both(**defaults):
    """Two properties; the defaults of those that have one."""
    return {
        name: {"type": "string", **({"default": defaults[name]} if name in defaults else {})} for name in "ab"
    }


# Discovery ------------------------------------------------------------------------------------------------------


def find_in_discovery(api, crd):
    document = api.send("GET", "/apis", headers={"Accept": AGGREGATED}).object
    return [
        (one["version"], resource["resource"], resource["responseKind"]["kind"], resource["verbs"])
        for item in document["items"]
        if item["metadata"]["name"] == crd["spec"]["group"]
        for one in item["versions"]
        for resource in one["resources"]
    ]


@pytest.mark.conformance("Aggregated Discovery Interface CRDs")
def test_custom_resources_come_into_aggregated_discovery_and_go(api, group):
    crd = definition(group, version("v1"), version("v2", storage=False))
    path = establish(api, crd)
    found = eventually(lambda: find_in_discovery(api, crd), "the group")
    assert sorted(one[:3] for one in found) == [("v1", "foos", "Foo"), ("v2", "foos", "Foo")]
    assert set(found[0][3]) >= {"create", "delete", "get", "list", "patch", "update", "watch"}
    api.delete(path)
    eventually(lambda: not find_in_discovery(api, crd), "the group to go")


@pytest.mark.conformance("Aggregated Discovery Endpoint Accept Headers CRDs")
def test_custom_resources_are_in_whatever_form_of_discovery_is_accepted(api, group):
    crd = definition(group)
    path = establish(api, crd)
    eventually(lambda: find_in_discovery(api, crd), "the group")
    answer = api.send("GET", "/apis", headers={"Accept": f"{AGGREGATED},application/json"})
    assert answer.headers["Content-Type"] == AGGREGATED
    assert group in [one["metadata"]["name"] for one in answer.object["items"]]
    answer = api.send("GET", "/apis", headers={"Accept": "application/json"})
    assert answer.object["kind"] == "APIGroupList"
    assert group in [one["name"] for one in answer.object["groups"]]
    api.delete(path)


# Conversion -----------------------------------------------------------------------------------------------------


def to_version(obj, desired):
    """As upstream's sample: v1 has `hostPort`, v2 has `host` and `port`."""
    obj = {**obj, "apiVersion": desired}
    if desired.endswith("/v2") and "hostPort" in obj:
        obj["host"], _, obj["port"] = obj.pop("hostPort").partition(":")
    elif desired.endswith("/v1") and {"host", "port"} & set(obj):
        obj["hostPort"] = f"{obj.pop('host', '')}:{obj.pop('port', '')}"
    return obj


def convert(request):
    converted = [
        obj
        if obj["apiVersion"] == request["desiredAPIVersion"]
        else to_version(obj, request["desiredAPIVersion"])
        for obj in request["objects"]
    ]
    return {"convertedObjects": converted, "result": {"status": "Success"}}


@pytest.fixture
def converted(tmp_path, group):
    """A definition in two versions that a webhook converts between; v1 is stored."""
    with WebhookServer(tmp_path) as server:
        server.answers["/convert"] = convert
        text = {"type": "string"}
        of_v1 = {"type": "object", "properties": {"hostPort": text}}
        of_v2 = {"type": "object", "properties": {"host": text, "port": text}}
        yield definition(
            group,
            version("v1", of_v1, selectableFields=[{"jsonPath": ".hostPort"}]),
            version(
                "v2", of_v2, storage=False, selectableFields=[{"jsonPath": ".host"}, {"jsonPath": ".port"}]
            ),
            conversion={
                "strategy": "Webhook",
                "webhook": {
                    "clientConfig": server.client_config("/convert"),
                    "conversionReviewVersions": ["v1", "v1beta1"],
                },
            },
        )


@pytest.mark.conformance("Custom Resource Definition Conversion Webhook, conversion custom resource")
def test_a_custom_resource_is_read_in_another_version(api, namespace, converted):
    path = establish(api, converted)
    api.create(
        collection(converted, "v1", namespace), custom(converted, "v1", "one", hostPort="localhost:8080")
    )
    obj = api.get(f"{collection(converted, 'v2', namespace)}/one")
    assert obj["apiVersion"].endswith("/v2")
    assert (obj["host"], obj["port"]) == ("localhost", "8080")
    assert "hostPort" not in obj
    api.delete(path)


@pytest.mark.conformance("Custom Resource Definition Conversion Webhook, convert mixed version list")
def test_custom_resources_stored_in_two_versions_are_listed_in_one(api, namespace, converted):
    path = establish(api, converted)
    in_v1, in_v2 = (collection(converted, name, namespace) for name in ("v1", "v2"))
    api.create(in_v1, custom(converted, "v1", "one", hostPort="localhost:8080"))
    versions = api.get(path)["spec"]["versions"]
    for one in versions:
        one["storage"] = one["name"] == "v2"
    api.patch(path, {"spec": {"versions": versions}})
    eventually(lambda: "v2" in api.get(path)["status"]["storedVersions"], "v2 to be stored")
    api.create(in_v1, custom(converted, "v1", "two", hostPort="example.com:80"))
    listed = api.items(in_v2)
    assert [(one["metadata"]["name"], one["host"], one["port"]) for one in listed] == [
        ("one", "localhost", "8080"),
        ("two", "example.com", "80"),
    ]
    assert {one["apiVersion"] for one in listed} == {f"{converted['spec']['group']}/v2"}
    assert [one["hostPort"] for one in api.items(in_v1)] == ["localhost:8080", "example.com:80"]
    api.delete(path)


class Informed(threading.Thread):
    """What an informer with a field selector keeps: a list, and a watch from there, in a thread."""

    def __init__(self, api, path, selector):
        super().__init__(daemon=True)
        listing = api.get(path, fieldSelector=selector)
        self.names = {one["metadata"]["name"] for one in listing["items"]}
        self.changed = threading.Condition()
        revision = listing["metadata"]["resourceVersion"]
        self._watch = api.watch(path, fieldSelector=selector, resourceVersion=revision, timeoutSeconds=25)
        self.start()

    def run(self):
        with self._watch:
            for kind, obj in self._watch:
                with self.changed:
                    change = self.names.discard if kind == "DELETED" else self.names.add
                    change(obj["metadata"]["name"])
                    self.changed.notify_all()
                if obj["metadata"]["name"] == "last":
                    return

    def wait(self, *names):
        with self.changed:
            assert self.changed.wait_for(lambda: self.names == set(names), 20), self.names


@pytest.mark.conformance("custom-resource-definition-field-selectors-list-watch-register-informers")
def test_custom_resources_are_selected_by_their_fields(api, namespace, converted):
    """Through lists, watches and informers, in both versions; what stops to match is gone for who selects it."""
    path = establish(api, converted)
    in_v1, in_v2 = (collection(converted, name, namespace) for name in ("v1", "v2"))
    with api.watch(in_v2, fieldSelector="host=host1") as watch:
        informers = [
            (Informed(api, in_v1, "hostPort=host1:80"), ("a",)),
            (Informed(api, in_v2, "host=host1"), ("a", "c")),
            (Informed(api, in_v2, "host=host1,port=80"), ("a",)),
        ]
        api.create(in_v1, custom(converted, "v1", "a", hostPort="host1:80"))
        api.create(in_v1, custom(converted, "v1", "b", hostPort="host2:80"))
        api.create(in_v2, custom(converted, "v2", "c", host="host1", port="8080"))
        for informer, expected in informers:
            informer.wait(*expected)
        for place, selector, expected in (
            (in_v1, "hostPort=host1:80", ["a"]),
            (in_v1, "hostPort!=host1:80", ["b", "c"]),
            (in_v2, "host=host1", ["a", "c"]),
            (in_v2, "host=host1,port=8080", ["c"]),
            (in_v2, "host=nowhere", []),
        ):
            assert [one["metadata"]["name"] for one in api.items(place, fieldSelector=selector)] == expected
        api.patch(f"{in_v1}/a", {"hostPort": "host3:80"})
        api.delete(f"{in_v2}/c")
        for informer, _ in informers:
            informer.wait()
        assert [(kind, obj["metadata"]["name"]) for kind, obj in watch.take(4)] == [
            ("ADDED", "a"),
            ("ADDED", "c"),
            ("DELETED", "a"),
            ("DELETED", "c"),
        ]
    refused = api.refusal("GET", in_v1, query={"fieldSelector": "host=host1"})
    assert refused.code == 400
    api.create(in_v1, custom(converted, "v1", "last", hostPort="host1:80"))
    api.patch(f"{in_v1}/last", {"metadata": {"labels": {"a": "b"}}})
    for informer, _ in informers:
        informer.join(20)
    api.delete(path)
