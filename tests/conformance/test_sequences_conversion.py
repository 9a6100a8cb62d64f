"""Custom resources in two versions that a webhook converts, by the very requests of upstream's suite."""

import random
import threading

import pytest
from tests.conformance.api import eventually
from tests.conformance.definitions import DEFINITIONS, collection
from tests.conformance.https_server import ADDRESS
from tests.conformance.test_conformance_crds import convert
from tests.conformance.test_sequences_definitions import create, remove
from tests.conformance.typed import Typed
from tests.conformance.webhook_server import WebhookServer

SERVICE = "e2e-test-crd-conversion-webhook"
GROUP = "stable.example.com"
TEXT = {"type": "string"}
FIELDS = {"v1": ("hostPort",), "v2": ("host", "port")}


class Story:
    """A definition that is converted by a webhook behind a Service, ready to be used."""

    def __init__(self, api, namespace, server, *, selectable=False):
        self.api, self.namespace, self.server, self.typed = api, namespace, server, Typed(api)
        spec = {"type": "ExternalName", "externalName": ADDRESS, "ports": [{"port": server.port}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": spec}
        self.typed.create(f"/api/v1/namespaces/{namespace}/services", service)
        self.crd = create(api, self.typed, self.definition(selectable))
        self.wait_converted()

    def definition(self, selectable):
        name = f"e2e-test-{self.namespace}-{random.randrange(10_000)}-crd"
        reference = {
            "namespace": self.namespace,
            "name": SERVICE,
            "path": "/crdconvert",
            "port": self.server.port,
        }
        client = {"caBundle": self.server.bundle, "service": reference}
        webhook = {"clientConfig": client, "conversionReviewVersions": ["v1", "v1beta1"]}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{name}s.{GROUP}"},
            "spec": {
                "group": GROUP,
                "names": {"plural": f"{name}s", "singular": name, "kind": name, "listKind": f"{name}List"},
                "scope": "Namespaced",
                "versions": versions("v1", selectable=selectable),
                "conversion": {"strategy": "Webhook", "webhook": webhook},
            },
        }

    def objects(self, version):
        return collection(self.crd, version, self.namespace)

    def object(self, version, name, **fields):
        return {
            "kind": self.crd["spec"]["names"]["kind"],
            "apiVersion": f"{GROUP}/{version}",
            "metadata": {"name": name, "namespace": self.namespace},
            **fields,
        }

    def wait_converted(self):
        """Made in the version that is not stored, until that works."""

        def made():
            obj = self.object("v2", self.namespace)
            return self.api.send("POST", self.objects("v2"), obj).code == 201

        eventually(made, "a conversion")
        self.api.delete(
            f"{self.objects('v2')}/{self.namespace}", {"kind": "DeleteOptions", "apiVersion": "v1"}
        )

    def names(self, version, selector):
        return {
            one["metadata"]["name"] for one in self.api.items(self.objects(version), fieldSelector=selector)
        }


def versions(stored, *, selectable=False):
    return [
        {
            "name": name,
            "served": True,
            "storage": name == stored,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": dict.fromkeys(fields, TEXT)}},
            **({"selectableFields": [{"jsonPath": f".{field}"} for field in fields]} if selectable else {}),
        }
        for name, fields in FIELDS.items()
    ]


@pytest.fixture
def server(namespace, tmp_path):
    with WebhookServer(tmp_path, host=f"{SERVICE}.{namespace}.svc") as server:
        server.answers["/crdconvert"] = convert
        yield server


def check_v1(obj):
    assert (obj["apiVersion"], obj["hostPort"]) == (f"{GROUP}/v1", "localhost:8080")
    assert not {"host", "port"} & set(obj)


def check_v2(obj):
    assert (obj["apiVersion"], obj["host"], obj["port"]) == (f"{GROUP}/v2", "localhost", "8080")
    assert "hostPort" not in obj


@pytest.mark.conformance("Custom Resource Definition Conversion Webhook, conversion custom resource")
def test_what_was_made_in_one_version_is_got_in_the_other(api, namespace, server):
    story = Story(api, namespace, server)
    api.create(story.objects("v1"), story.object("v1", "cr-instance-1", hostPort="localhost:8080"))
    check_v2(api.get(f"{story.objects('v2')}/cr-instance-1"))
    remove(api, story.typed, story.crd)


@pytest.mark.conformance("Custom Resource Definition Conversion Webhook, convert mixed version list")
def test_what_is_stored_in_two_versions_is_listed_in_each(api, namespace, server):
    story = Story(api, namespace, server)
    api.create(story.objects("v1"), story.object("v1", "cr-instance-1", hostPort="localhost:8080"))
    path = f"{DEFINITIONS}/{story.crd['metadata']['name']}"
    crd = api.get(path)
    crd["spec"]["versions"] = versions("v2")
    story.typed.update(path, crd)
    api.create(story.objects("v1"), story.object("v1", "cr-instance-2", hostPort="localhost:8080"))
    for version, check in (("v1", check_v1), ("v2", check_v2)):
        listed = api.items(story.objects(version))
        assert {one["metadata"]["name"] for one in listed} == {"cr-instance-1", "cr-instance-2"}
        for one in listed:
            check(one)
    remove(api, story.typed, story.crd)


# Selectors ----------------------------------------------------------------------------------------------------


class Followed(threading.Thread):
    """Which names a watch has added and deleted; with `informer`, as an informer that begins with what is there."""

    def __init__(self, api, path, selector, *, informer=False):
        super().__init__(daemon=True)
        query = {"fieldSelector": selector, "timeoutSeconds": 30}
        if informer:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            query |= {"allowWatchBookmarks": "true", "resourceVersion": ""}
        self.added, self.deleted, self.began = set(), set(), not informer
        self.changed = threading.Condition()
        self._kinds = set()
        self._watch = api.watch(path, **query)
        self.start()

    def run(self):
        with self._watch:
            for kind, obj in self._watch:
                with self.changed:
                    self._kinds.add((obj["apiVersion"], obj["kind"]))
                    if kind == "BOOKMARK":
                        self.began = True
                    elif kind in ("ADDED", "DELETED"):
                        names = self.added if kind == "ADDED" else self.deleted
                        names.add(obj["metadata"]["name"])
                    self.changed.notify_all()

    def check(self, *, added, deleted=()):
        def done():
            return self.began and (self.added, self.deleted) == (set(added), set(deleted))

        with self.changed:
            assert self.changed.wait_for(done, 20), (self.began, self.added, self.deleted)
            assert len(self._kinds) == 1


@pytest.mark.conformance("custom-resource-definition-field-selectors-list-watch-register-informers")
def test_selectors_choose_in_lists_watches_and_informers(api, namespace, server):
    story = Story(api, namespace, server, selectable=True)
    v1, v2 = story.objects("v1"), story.objects("v2")
    both, one = "host=host1", "host=host1,port=80"
    of_host = [Followed(api, v2, both), Followed(api, v2, both, informer=True)]
    of_port = [
        Followed(api, v2, one),
        Followed(api, v1, "hostPort=host1:80"),
        Followed(api, v2, one, informer=True),
    ]
    names = [f"selectable-field-cr{number}" for number in range(3)]
    for name, fields in zip(
        names,
        ({"host": "host1", "port": "80"}, {"host": "host1", "port": "8080"}, {"host": "host2"}),
        strict=True,
    ):
        api.create(v2, story.object("v2", name, **fields))
    first, second, _ = names
    assert story.names("v2", both) == {first, second}
    assert story.names("v2", one) == {first}
    assert story.names("v1", "hostPort=host1:80") == {first}
    assert story.names("v1", "hostPort=host1:8080") == {second}
    for followed in of_host:
        followed.check(added={first, second})
    for followed in of_port:
        followed.check(added={first})
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    api.delete(v2, options, fieldSelector=one)
    obj = api.get(f"{v2}/{second}")
    api.update(f"{v2}/{second}", {**obj, "host": "host2"})
    assert story.names("v2", both) == story.names("v2", one) == set()
    for followed in of_host:
        followed.check(added={first, second}, deleted={first, second})
    for followed in of_port:
        followed.check(added={first}, deleted={first})
    remove(api, story.typed, story.crd)
    for followed in (*of_host, *of_port):
        followed.join(20)
