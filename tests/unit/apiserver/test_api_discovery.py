"""Discovery, compared with what Kubernetes v1.36 answers; health, version, metrics."""

import json
from pathlib import Path

import pytest

REFERENCE = json.loads((Path(__file__).parents[2] / "data" / "discovery-v1.36.json").read_text())
V2 = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}


async def test_the_core_group_is_upstreams(web):
    answer = await web.send("GET", "/api/v1")
    ours = {resource["name"]: resource for resource in answer.body["resources"]}
    theirs = {resource["name"]: resource for resource in REFERENCE["core"]}
    assert ours.keys() == theirs.keys()
    for name, resource in theirs.items():
        assert ours[name] == resource, name


def stable(versions):
    return [
        version
        for version in versions
        if "alpha" not in version["version"] and "beta" not in version["version"]
    ]


async def test_every_stable_group_is_upstreams(web):
    answer = await web.send("GET", "/apis", headers=V2)
    ours = {group["metadata"]["name"]: group for group in answer.body["items"]}
    for group in REFERENCE["aggregated"]:
        for version in stable(group["versions"]):
            name = group["metadata"]["name"]
            mine = [found for found in ours[name]["versions"] if found["version"] == version["version"]]
            assert mine, (name, version["version"])
            by_name = {resource["resource"]: resource for resource in mine[0]["resources"]}
            for resource in version["resources"]:
                found = by_name[resource["resource"]]
                for entry in (found, *found.get("subresources", ())):
                    entry["responseKind"].update(group="", version="") if not entry["responseKind"][
                        "group"
                    ] else None
                assert found == resource, (name, resource["resource"])


async def test_aggregated_discovery_has_an_etag(web):
    first = await web.send("GET", "/apis", headers=V2)
    assert first.headers["Content-Type"] == (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )
    again = await web.send("GET", "/apis", headers={**V2, "If-None-Match": first.headers["ETag"]})
    assert again.code == 304


async def test_older_clients_get_the_older_form(web):
    groups = (await web.send("GET", "/apis")).body
    assert groups["kind"] == "APIGroupList"
    apps = next(group for group in groups["groups"] if group["name"] == "apps")
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert (await web.send("GET", "/api")).body["versions"] == ["v1"]
    assert (await web.send("GET", "/apis/apps")).body["name"] == "apps"
    listed = (await web.send("GET", "/apis/apps/v1")).body
    assert {"deployments", "deployments/scale", "deployments/status"} <= {
        resource["name"] for resource in listed["resources"]
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/readyz/ping", "/livez/etcd"])
async def test_a_healthy_server_says_ok(web, path):
    answer = await web.send("GET", path)
    assert (answer.code, answer.body) == (200, "ok")


async def test_verbose_health_lists_the_checks(web):
    answer = await web.send("GET", "/readyz?verbose")
    lines = answer.body.splitlines()
    assert lines[0] == "[+]ping ok"
    assert lines[-1] == "readyz check passed"
    assert (await web.send("GET", "/readyz/nothing")).code == 404


async def test_the_version(web):
    version = (await web.send("GET", "/version")).body
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "36", "v1.36.2")


async def test_metrics_count_requests(web):
    await web.send("GET", "/api/v1/pods")
    text = (await web.send("GET", "/metrics")).body
    assert (
        'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods"' in text
    )
    assert "apiserver_request_duration_seconds_bucket" in text
    assert 'apiserver_resource_objects{group="",resource="namespaces"} 4' in text
