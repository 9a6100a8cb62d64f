"""What upstream's suite asks of a cluster before its tests, and around each of them."""

import random

import pytest
from tests.conformance import samples
from tests.conformance.api import JSON, eventually
from tests.conformance.typed import Typed

AROUND = "/api/v1/namespaces"
WATCH_LIST = {
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
    "resourceVersion": "",
    "timeoutSeconds": "300",
}


def conditions(node):
    return {one["type"]: one["status"] for one in node["status"]["conditions"]}


def tainted(api, node):
    return api.get(f"/api/v1/nodes/{node['metadata']['name']}")["spec"].get("taints")


def test_before_the_suite_all_nodes_can_be_scheduled_on(api):
    """Asked of the watch cache, and with a selector for a field that nodes usually do not have."""
    query = {"resourceVersion": "0", "fieldSelector": "spec.unschedulable=false"}
    nodes = api.items("/api/v1/nodes", **query)
    assert len(nodes) == 2
    for node in nodes:
        assert conditions(node)["Ready"] == "True"
        assert conditions(node).get("NetworkUnavailable", "False") == "False"
        eventually(lambda node=node: not tainted(api, node), "its taint to go")
    path = f"/api/v1/nodes/{nodes[0]['metadata']['name']}"
    api.patch(path, {"spec": {"unschedulable": True}})
    assert [one["metadata"]["name"] for one in api.items("/api/v1/nodes", **query)] == [
        nodes[1]["metadata"]["name"]
    ]
    api.patch(path, {"spec": {"unschedulable": None}})
    eventually(lambda: not tainted(api, nodes[0]), "the taint to go")


def test_before_the_suite_the_system_is_up(api):
    for pod in api.items("/api/v1/namespaces/kube-system/pods"):
        assert pod["status"]["phase"] in ("Running", "Succeeded")
    for daemons in api.items("/apis/apps/v1/namespaces/kube-system/daemonsets"):
        assert daemons["status"]["numberReady"] == daemons["status"]["desiredNumberScheduled"]
    version = api.get("/version")
    assert version["gitVersion"].startswith("v1.36.")
    assert (version["major"], version["minor"]) == ("1", "36")
    service = api.get("/api/v1/namespaces/default/services/kubernetes")
    assert service["spec"]["clusterIP"] == service["spec"]["clusterIPs"][0]
    assert ":" not in service["spec"]["clusterIP"]


def informed(api, path, name):
    """The object of a name, as an informer waits for it: a watch that begins with what is there."""
    with api.watch(path, fieldSelector=f"metadata.name={name}", **WATCH_LIST) as watch:
        began, found = False, None
        for kind, obj in watch:
            assert obj["kind"] in ("ServiceAccount", "ConfigMap")
            if kind == "BOOKMARK":
                assert obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
                began = True
            else:
                assert (kind, obj["metadata"]["name"]) == ("ADDED", name)
                found = obj
            if began and found:
                return found
    raise AssertionError("the watch ended")


@pytest.mark.parametrize("level", ["restricted", "baseline", "privileged"])
def test_around_each_test_a_namespace_comes_and_goes(api, level):
    """With what pods need in it; the suite does not wait for its end, and asks for all nodes after it."""
    typed = Typed(api)
    name = f"crd-publish-openapi-{random.randrange(10_000)}"
    levels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}
    labels = {"e2e-framework": "crd-publish-openapi", "e2e-run": f"{random.getrandbits(64):x}", **levels}
    metadata = {"name": name, "namespace": "", "labels": labels}
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": {}, "status": {}}
    made = typed.create(AROUND, obj)
    assert made["metadata"]["labels"] == {**labels, "kubernetes.io/metadata.name": name}
    assert made["status"]["phase"] == "Active"
    again = typed.refusal(AROUND, obj)
    assert (again.code, again.reason) == (409, "AlreadyExists")
    informed(api, f"{AROUND}/{name}/serviceaccounts", "default")
    bundle = informed(api, f"{AROUND}/{name}/configmaps", "kube-root-ca.crt")
    assert bundle["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    assert api.items("/apis/rbac.authorization.k8s.io/v1/clusterroles")
    answer = api.send(
        "POST", f"{AROUND}/{name}/pods", {"apiVersion": "v1", "kind": "Pod", **samples.pod("a")}
    )
    assert answer.code == (403 if level == "restricted" else 201), answer.body
    typed.delete(f"{AROUND}/{name}")
    eventually(lambda: name not in [one["metadata"]["name"] for one in api.items(AROUND)], "its end")
    assert {conditions(node)["Ready"] for node in api.items("/api/v1/nodes")} == {"True"}


def test_discovery_serves_the_forms_that_clients_ask_for(api):
    """Old and new clients, and the mapper that finds where objects scale."""
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    older = aggregated.replace("v=v2;", "v=v2beta1;")
    for path in ("/api", "/apis"):
        answer = api.send("GET", path, headers={"Accept": f"{aggregated},{older},{JSON}"})
        assert answer.object["kind"] == "APIGroupDiscoveryList"
        answer = api.send("GET", path, headers={"Accept": f"application/vnd.kubernetes.protobuf, {JSON}"})
        assert answer.object["kind"] in ("APIGroupList", "APIVersions")
    resources = {one["name"]: one for one in api.get("/apis/apps/v1")["resources"]}
    scale = resources["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
