"""kr8s: objects that know their API, synchronous and asynchronous, found by discovery."""

import contextlib

import kr8s
import kr8s.asyncio
import pytest
from kr8s._async_utils import as_sync_func
from kr8s.asyncio.objects import ConfigMap as AsyncConfigMap
from kr8s.objects import ConfigMap, Deployment, Namespace, Pod, new_class
from tests.clients.manifests import config_map, deployment, garden

WAIT_S = 30
pytestmark = pytest.mark.filterwarnings(
    # It says so of every version that came after its own release.
    "ignore:Kubernetes version v1.36.2 is not supported:UserWarning"
)


@pytest.fixture
def connection(kubeconfig, namespace):
    connection = kr8s.api(kubeconfig=kubeconfig)
    connection.namespace = namespace
    yield connection
    # It has no way to close, and sockets left to the garbage collector make warnings.
    as_sync_func(connection._session.aclose)()


def test_an_object_lives_from_create_to_delete(connection, namespace):
    words = ConfigMap(config_map("words", a="1"), api=connection)
    assert not words.exists()
    words.create()
    assert words.exists()
    assert words.metadata.namespace == namespace
    words.patch({"data": {"b": "2"}})
    words.patch([{"op": "remove", "path": "/data/a"}], type="json")
    found = ConfigMap.get("words", api=connection)
    assert dict(found.data) == {"b": "2"}
    found.label({"tier": "front", "checked": ""})
    found.annotate(note="told")
    found.refresh()
    assert (dict(found.labels), dict(found.annotations)) == (
        {"tier": "front", "checked": ""},
        {"note": "told"},
    )
    found.label("checked-")
    assert "checked" not in found.labels
    found.delete()
    found.wait("delete", timeout=WAIT_S)
    with pytest.raises(kr8s.NotFoundError):
        found.refresh()


def test_a_refusal_carries_the_status(connection):
    with pytest.raises(kr8s.ServerError, match=r"spec\.replicas: Invalid value: -1") as refused:
        Deployment(deployment("web", replicas=-1), api=connection).create()
    assert refused.value.status["details"]["causes"][0]["field"] == "spec.replicas"


def test_kinds_are_found_by_every_name_they_have(connection, namespace):
    Deployment(deployment("web", replicas=0), api=connection).create()
    for name in (
        "deploy",
        "deployment",
        "deployments",
        "Deployment",
        "deployments.apps",
        "deployments.v1.apps",
    ):
        [found] = kr8s.get(name, namespace=namespace, api=connection)
        assert (found.kind, found.version, found.name) == ("Deployment", "apps/v1", "web")
    with pytest.raises(ValueError, match="Kind gadget not found"):
        list(kr8s.get("gadget", namespace=namespace, api=connection))


def test_kinds_that_kr8s_does_not_know_are_made_of_discovery(connection, namespace):
    [account] = kr8s.get("serviceaccounts", "default", namespace=namespace, api=connection)
    assert account.name == "default"
    lease_class = new_class("Lease", version="coordination.k8s.io/v1", namespaced=True)
    lease = lease_class({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}, api=connection)
    lease.create()
    [found] = kr8s.get("leases", namespace=namespace, api=connection)
    assert found.spec.holderIdentity == "me"


def test_selectors_choose(connection, namespace):
    for name, tier in (("a", "front"), ("b", "back"), ("c", "front")):
        ConfigMap(config_map(name, labels={"tier": tier}), api=connection).create()
    by_label = connection.get("configmaps", label_selector={"tier": "front"})
    assert [one.name for one in by_label] == ["a", "c"]
    by_field = connection.get(
        "configmaps", label_selector="tier in (front,back)", field_selector="metadata.name=b"
    )
    assert [one.name for one in by_field] == ["b"]
    everywhere = connection.get(
        "configmaps", namespace=kr8s.ALL, field_selector="metadata.name=kube-root-ca.crt"
    )
    assert {"default", "kube-system", namespace} <= {one.namespace for one in everywhere}


def test_a_deployment_becomes_available_and_scales(connection):
    web = Deployment(deployment("web"), api=connection)
    web.create()
    web.wait("condition=Available", timeout=WAIT_S)
    web.scale(3)
    web.wait("jsonpath='{.status.availableReplicas}'=3", timeout=WAIT_S)
    assert len(web.pods()) == 3
    web.delete(propagation_policy="Foreground")
    web.wait("delete", timeout=WAIT_S)
    assert list(connection.get("pods", label_selector="app=web")) == []


def test_a_pod_becomes_ready(connection):
    pod = Pod.gen(name="p", image="app:v1")
    pod.api = connection
    pod.namespace = connection.namespace
    pod.create()
    pod.wait("condition=Ready", timeout=WAIT_S)
    assert pod.ready()
    assert pod.status.phase == "Running"
    pod.delete(grace_period=0, force=True)
    pod.wait("delete", timeout=WAIT_S)


def test_a_watch_tells_every_change(connection):
    told = []
    ConfigMap(config_map("words", a="1"), api=connection).create()
    for kind, words in connection.watch("configmaps", field_selector="metadata.name=words"):
        told.append((kind, dict(words.data)))
        if kind == "ADDED":
            words.patch({"data": {"a": "2"}})
        elif kind == "MODIFIED":
            words.delete()
        else:
            break
    assert told == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("DELETED", {"a": "2"})]


def test_an_adopted_object_goes_with_its_owner(connection):
    owner, child = (ConfigMap(config_map(name), api=connection) for name in ("owner", "child"))
    owner.create()
    child.create()
    child.set_owner(owner)
    owner.delete()
    child.wait("delete", timeout=WAIT_S)


def test_custom_objects_are_as_good_as_any(connection, gardens):
    garden_class = new_class("Garden", version="clients.example.com/v1", namespaced=True, scalable=True)
    garden_class.scalable_spec = "size"
    roses = garden_class(garden("roses", word="thorn"), api=connection)
    roses.create()
    assert dict(roses.spec) == {"size": 1, "word": "thorn"}
    roses.patch({"status": {"phase": "Growing"}}, subresource="status")
    roses.wait("jsonpath='{.status.phase}'=Growing", timeout=WAIT_S)
    for name in ("gdn", "garden", "gardens.clients.example.com"):
        assert [one.name for one in connection.get(name)] == ["roses"]
    roses.delete()
    roses.wait("delete", timeout=WAIT_S)


def test_the_server_says_who_and_what_it_is(connection, api, namespace, kubeconfig_with):
    assert connection.version()["gitVersion"].startswith("v1.36.")
    assert {"v1", "apps/v1"} <= set(connection.api_versions())
    kinds = {(one["name"], one["namespaced"]) for one in connection.api_resources()}
    assert {("pods", True), ("nodes", False), ("deployments", True)} <= kinds
    request = {"spec": {"audiences": []}}
    issued = api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token", request)
    account = kr8s.api(kubeconfig=kubeconfig_with(issued["status"]["token"]))
    with pytest.raises(kr8s.ServerError, match="cannot list resource"):
        list(Namespace.list(api=account))
    as_sync_func(account._session.aclose)()


async def test_the_asynchronous_client_works_alike(kubeconfig, namespace):
    connection = await kr8s.asyncio.api(kubeconfig=kubeconfig)
    words = await AsyncConfigMap(config_map("words", a="1"), namespace=namespace, api=connection)
    await words.create()
    told = []
    changes = connection.watch("configmaps", namespace=namespace, field_selector="metadata.name=words")
    async with contextlib.aclosing(changes):
        async for kind, _ in changes:
            told.append(kind)
            if kind == "DELETED":
                break
            await words.delete()
    assert told == ["ADDED", "DELETED"]
    await connection._session.aclose()
