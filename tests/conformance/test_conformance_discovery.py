"""What the server says of itself: its version, groups and resources."""

import re

import pytest
from tests.conformance.control_plane import NODES

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
EXPECTED = {
    ("", "v1", "namespaces"),
    ("", "v1", "pods"),
    ("apps", "v1", "deployments"),
    ("batch", "v1", "jobs"),
    ("rbac.authorization.k8s.io", "v1", "clusterroles"),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "v1", "apiservices"),
}


def aggregated(api, path, accept=AGGREGATED):
    answer = api.send("GET", path, headers={"Accept": accept})
    assert answer.code == 200, answer.body
    return answer


def resources_in(document):
    return {
        (group["metadata"].get("name", ""), version["version"], resource["resource"])
        for group in document["items"]
        for version in group["versions"]
        for resource in version["resources"]
    }


@pytest.mark.conformance("Confirm a server version")
def test_the_version_is_made_of_integers(api):
    version = api.get("/version")
    assert re.fullmatch(r"\d+", version["major"])
    assert re.fullmatch(r"\d+", version["minor"])
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")


def lasting_groups(api):
    """Without those of other tests, which may be on their way out."""
    groups = [one for one in api.get("/apis")["groups"] if not one["name"].endswith("example.com")]
    assert len(groups) > 15
    return groups


@pytest.mark.conformance("Discovery, confirm the PreferredVersion for each api group")
def test_every_group_prefers_one_of_its_versions(api):
    for group in lasting_groups(api):
        assert group["preferredVersion"] in group["versions"]
        alone = api.get(f"/apis/{group['name']}")
        assert alone["preferredVersion"] == group["preferredVersion"]
        assert alone["versions"] == group["versions"]


@pytest.mark.conformance("Discovery, confirm the groupVerion and a resourcefrom each apiGroup")
def test_every_version_of_every_group_has_resources(api):
    for group in lasting_groups(api):
        for version in group["versions"]:
            listing = api.get(f"/apis/{version['groupVersion']}")
            assert listing["kind"] == "APIResourceList"
            assert listing["groupVersion"] == version["groupVersion"]
            assert all(one["name"] and one["kind"] and one["verbs"] for one in listing["resources"])
            assert listing["resources"]


@pytest.mark.conformance("Aggregated Discovery Interface")
def test_built_in_resources_are_in_two_documents(api):
    found = set()
    for path in ("/api", "/apis"):
        found |= resources_in(aggregated(api, path).object)
    assert found >= EXPECTED


@pytest.mark.conformance("Aggregated Discovery Endpoint Accept Headers")
def test_the_accept_header_chooses_the_form_of_discovery(api):
    for accept in (AGGREGATED, f"{AGGREGATED},application/json", f"application/yaml;q=0.1,{AGGREGATED}"):
        answer = aggregated(api, "/apis", accept)
        assert answer.headers["Content-Type"] == AGGREGATED
        document = answer.object
        assert (document["kind"], document["apiVersion"]) == (
            "APIGroupDiscoveryList",
            "apidiscovery.k8s.io/v2",
        )
        assert resources_in(document) >= {one for one in EXPECTED if one[0]}
    assert aggregated(api, "/apis", "application/json").object["kind"] == "APIGroupList"
    assert aggregated(api, "/api", "application/json").object["kind"] == "APIVersions"


def resources_of(api, group, version="v1"):
    assert group in [one["name"] for one in api.get("/apis")["groups"]]
    versions = [one["version"] for one in api.get(f"/apis/{group}")["versions"]]
    assert version in versions
    return {one["name"] for one in api.get(f"/apis/{group}/{version}")["resources"]}


@pytest.mark.conformance("Admission webhook, discovery document")
def test_webhook_configurations_are_discovered(api):
    found = resources_of(api, "admissionregistration.k8s.io")
    assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= found


@pytest.mark.conformance("Custom Resource Definition, discovery")
def test_custom_resource_definitions_are_discovered(api):
    found = resources_of(api, "apiextensions.k8s.io")
    assert {"customresourcedefinitions", "customresourcedefinitions/status"} <= found


@pytest.mark.conformance("Conformance tests minimum number of nodes.")
def test_two_nodes_take_pods(api):
    def takes_pods(node):
        ready = [one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"]
        return ready == ["True"] and not node["spec"].get("taints")

    nodes = api.wait("/api/v1/nodes", lambda nodes: len([one for one in nodes if takes_pods(one)]) >= 2)
    assert {node["metadata"]["name"] for node in nodes} == set(NODES)
