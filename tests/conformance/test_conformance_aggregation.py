"""Groups of the API that another server serves."""

import json

import pytest
from tests.conformance.api import eventually
from tests.conformance.conftest import Kubectl
from tests.conformance.https_server import ADDRESS
from tests.conformance.sample_server import GROUP, GROUP_VERSION, VERSION, SampleServer

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{VERSION}.{GROUP}"
SERVICE = "sample-api"


@pytest.fixture
def sample(namespace, control_plane, tmp_path):
    authority = control_plane.certificates / "front-proxy-ca.crt"
    host = f"{SERVICE}.{namespace}.svc"
    with SampleServer(tmp_path, host=host, front_proxy_authority=authority) as server:
        yield server


def available(obj):
    conditions = {one["type"]: one for one in obj.get("status", {}).get("conditions") or []}
    return conditions.get("Available", {}).get("status") == "True"


@pytest.fixture
def registered(api, core, namespace, sample):
    """The APIService of the sample server, when it is available."""
    spec = {"type": "ExternalName", "externalName": ADDRESS, "ports": [{"port": sample.port}]}
    api.create(f"{core}/services", {"metadata": {"name": SERVICE}, "spec": spec})
    spec = {
        "service": {"namespace": namespace, "name": SERVICE, "port": sample.port},
        "group": GROUP,
        "version": VERSION,
        "caBundle": sample.authority.bundle,
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
    }
    path = f"{API_SERVICES}/{NAME}"
    api.create(API_SERVICES, {"metadata": {"name": NAME}, "spec": spec})
    api.wait_object(path, available)
    yield path
    assert api.send("DELETE", path).code in (200, 404)


@pytest.mark.conformance(
    "aggregator-supports-the-sample-apiserver",
    note="a server of the tests stands in for upstream's image of 1.17",
)
def test_the_resources_of_another_server_are_served(api, namespace, sample, registered, kubectl):
    flunders = f"/apis/{GROUP_VERSION}/namespaces/{namespace}/flunders"
    flunder = {"apiVersion": GROUP_VERSION, "kind": "Flunder", "metadata": {"name": "rest-flunder"}}
    assert eventually(lambda: api.send("GET", f"/apis/{GROUP_VERSION}").code == 200, "discovery")
    assert GROUP in [one["name"] for one in api.get("/apis")["groups"]]
    made = api.create(flunders, flunder)
    assert made["metadata"]["uid"]
    assert [one["metadata"]["name"] for one in api.items(flunders)] == ["rest-flunder"]
    text = json.dumps({**flunder, "metadata": {"name": "kubectl"}})
    kubectl("create", "--validate=false", "-f", "-", text=text)
    assert "kubectl" in kubectl("get", "flunders", "-o", "name")
    api.patch(f"{flunders}/kubectl", {"metadata": {"labels": {"a": "b"}}})
    obj = api.get(f"{flunders}/kubectl")
    assert obj["metadata"]["labels"] == {"a": "b"}
    api.update(f"{flunders}/kubectl", {**obj, "spec": {"reference": "x"}})
    assert api.get(f"{flunders}/kubectl")["spec"] == {"reference": "x"}
    for name in ("rest-flunder", "kubectl"):
        api.delete(f"{flunders}/{name}")
        assert api.missing(f"{flunders}/{name}")
    # The namespaces of earlier tests may still be on their way out, and their controller looks here, too.
    passing = {"system:serviceaccount:kube-system:namespace-controller"}
    assert set(sample.users) - passing == {"kubernetes-admin"}


@pytest.mark.conformance("aggregator-supports-the-sample-apiserver")
def test_the_registration_of_another_server_is_an_object_like_others(api, registered):
    patch = {"metadata": {"labels": {NAME: "patched"}}, "spec": {"versionPriority": 400}}
    patched = api.patch(registered, patch)
    assert patched["spec"]["versionPriority"] == 400
    (found,) = api.items(API_SERVICES, labelSelector=f"{NAME}=patched")
    assert found["metadata"]["name"] == NAME
    obj = api.get(f"{registered}/status")
    mine = {"type": "StatusUpdated", "status": "True", "reason": "E2E", "message": "Set by a test"}
    obj["status"]["conditions"].append({**mine, "lastTransitionTime": "2026-01-01T00:00:00Z"})
    updated = api.update(f"{registered}/status", obj)
    assert "StatusUpdated" in [one["type"] for one in updated["status"]["conditions"]]
    api.delete(API_SERVICES, labelSelector=f"{NAME}=patched")
    api.wait_gone(registered)
    eventually(lambda: api.send("GET", f"/apis/{GROUP_VERSION}").code == 404, "the group to go")


def test_a_namespace_takes_along_what_another_server_keeps_in_it(api, namespace, sample, registered):
    # Not the one with the Service through which the other server is reached.
    wild = f"{namespace}-wild"
    api.create("/api/v1/namespaces", {"metadata": {"name": wild}})
    flunders = f"/apis/{GROUP_VERSION}/namespaces/{wild}/flunders"
    for name in ("a", "b"):
        body = {"apiVersion": GROUP_VERSION, "kind": "Flunder", "metadata": {"name": name}}
        api.create(flunders, body)
    path = f"/api/v1/namespaces/{wild}"
    api.delete(path)
    api.wait_gone(path)
    assert sample.flunders == {}
    assert "system:serviceaccount:kube-system:namespace-controller" in sample.users


def test_nobody_forgets_what_a_server_that_is_down_may_have(
    api, namespace, registered, kubectl, own_kubectl_command
):
    flunders = f"/apis/{GROUP_VERSION}/namespaces/{namespace}/flunders"
    api.create(flunders, {"apiVersion": GROUP_VERSION, "kind": "Flunder", "metadata": {"name": "left"}})
    api.delete(f"/api/v1/namespaces/{namespace}/services/{SERVICE}")
    # A changed registration is looked after at once.
    api.patch(registered, {"spec": {"versionPriority": 300}})
    api.wait_object(registered, lambda service: not available(service))
    assert api.send("GET", flunders).code == 503
    for command in (kubectl, Kubectl(own_kubectl_command, namespace)):
        known = command("api-resources")
        assert "configmaps" in known and "flunders" not in known
        assert "the server doesn't have a resource type" in command("get", "flunders", check=False).stderr
    path = f"/api/v1/namespaces/{namespace}"
    api.delete(path)
    left = api.wait_object(path, lambda one: "True" in discovery_failure(one).get("status", ""))
    assert discovery_failure(left)["reason"] == "DiscoveryFailed"
    assert left["spec"]["finalizers"] == ["kubernetes"]
    api.delete(registered)
    api.wait_gone(path)


def discovery_failure(namespace):
    conditions = {one["type"]: one for one in namespace.get("status", {}).get("conditions") or []}
    return conditions.get("NamespaceDeletionDiscoveryFailure", {})
