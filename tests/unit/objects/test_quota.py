"""What an object counts for in a ResourceQuota, and which objects a quota is about."""

import pytest

from mamekube.foundation.clock import parse_time
from mamekube.kinds.apps import deployments
from mamekube.kinds.core import configmaps, persistentvolumeclaims, pods, services
from mamekube.objects.quota import matches, missing_constraints, pod_total, usage_of

CONFIG_MAPS, PODS, SERVICES = configmaps.KIND, pods.KIND, services.KIND
DEPLOYMENTS, PERSISTENT_VOLUME_CLAIMS = deployments.KIND, persistentvolumeclaims.KIND


def container(cpu, **fields):
    return {"resources": {"requests": {"cpu": cpu}}, **fields}


def test_a_pod_needs_what_runs_together_or_what_one_init_container_needs():
    spec = {"containers": [container("100m"), container("200m")], "initContainers": [container("500m")]}
    assert pod_total({"spec": spec}, "requests") == {"cpu": "500m"}
    sidecar = container("300m", restartPolicy="Always")
    spec["initContainers"] = [sidecar, container("400m")]
    assert pod_total({"spec": spec}, "requests") == {"cpu": "700m"}
    spec["initContainers"] = [container("400m"), sidecar]
    assert pod_total({"spec": spec}, "requests") == {"cpu": "600m"}
    spec["overhead"] = {"cpu": "50m"}
    assert usage_of(PODS, {"spec": spec})["requests.cpu"] == "650m"


@pytest.mark.parametrize(
    ("resource", "obj", "expected"),
    [
        (CONFIG_MAPS, {}, {"count/configmaps": "1", "configmaps": "1"}),
        (DEPLOYMENTS, {}, {"count/deployments.apps": "1"}),
        (
            PODS,
            {"spec": {"containers": [container("1")]}},
            {"count/pods": "1", "pods": "1", "requests.cpu": "1", "cpu": "1"},
        ),
        (PODS, {"spec": {}, "status": {"phase": "Succeeded"}}, {"count/pods": "1"}),
        (
            SERVICES,
            {"spec": {"type": "NodePort", "ports": [{}, {}]}},
            {"count/services": "1", "services": "1", "services.nodeports": "2"},
        ),
        (
            PERSISTENT_VOLUME_CLAIMS,
            {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}},
            {
                "count/persistentvolumeclaims": "1",
                "persistentvolumeclaims": "1",
                "requests.storage": "1Gi",
                "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                "fast.storageclass.storage.k8s.io/requests.storage": "1Gi",
            },
        ),
    ],
)
def test_what_an_object_counts_for(resource, obj, expected):
    assert usage_of(resource, obj) == expected


@pytest.mark.parametrize(
    ("scope", "spec", "expected"),
    [
        ("Terminating", {"activeDeadlineSeconds": 5}, True),
        ("NotTerminating", {"activeDeadlineSeconds": 5}, False),
        ("BestEffort", {"containers": [{}]}, True),
        ("NotBestEffort", {"containers": [container("1m")]}, True),
    ],
)
def test_scopes_choose_pods(scope, spec, expected):
    quota = {"spec": {"scopes": [scope]}}
    assert matches(quota, PODS, {"spec": spec}) is expected
    assert not matches(quota, SERVICES, {"spec": {}})


def pod(*containers, **spec):
    named = [{"name": name, "resources": {"requests": {"cpu": cpu}}} for name, cpu in containers]
    return {"metadata": {}, "spec": {"containers": named, **spec}}


def report(name, requests, allocated):
    return {
        "name": name,
        "resources": {"requests": {"cpu": requests}},
        "allocatedResources": {"cpu": allocated},
    }


def test_what_a_pod_asks_for_as_a_whole_stands_in_for_its_containers():
    whole = pod(
        ("a", "1"), resources={"requests": {"cpu": "3", "example.com/dongle": "1"}}, overhead={"cpu": "1"}
    )
    usage = usage_of(PODS, whole)
    assert usage["cpu"] == usage["requests.cpu"] == "4"
    assert "requests.example.com/dongle" not in usage
    assert missing_constraints(pod(("a", "1")), ["limits.cpu"]) == "must specify limits.cpu for: a"
    assert missing_constraints(whole, ["limits.cpu"]) == ""


def test_a_resize_counts_for_the_larger_until_it_is_done_and_for_what_there_is_where_it_cannot_be():
    resized = pod(("a", "1"), ("b", "5"), ("c", "1"))
    resized["status"] = {
        "containerStatuses": [report("a", "2", "1"), report("b", "3", "4"), report("c", "1", "2")]
    }
    assert usage_of(PODS, resized)["requests.cpu"] == "9"
    resized["status"]["conditions"] = [{"type": "PodResizePending", "status": "True", "reason": "Deferred"}]
    assert usage_of(PODS, resized)["requests.cpu"] == "9"
    resized["status"]["conditions"][0]["reason"] = "Infeasible"
    assert usage_of(PODS, resized)["requests.cpu"] == "8"


def test_a_pod_that_should_be_long_gone_takes_no_room():
    lost = pod(("a", "1"))
    lost["metadata"] = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
    due_s = parse_time("2026-01-01T00:00:30Z")
    assert usage_of(PODS, lost, now_s=due_s)["pods"] == "1"
    assert usage_of(PODS, lost, now_s=due_s + 1) == {"count/pods": "1"}


@pytest.mark.parametrize(
    ("requested", "allocated", "counted"), [("1.5", None, "2"), ("1Gi", "2Gi", "2Gi"), ("2Gi", "1Gi", "2Gi")]
)
def test_a_claim_counts_whole_bytes_of_what_it_has_or_wants(requested, allocated, counted):
    claim = {"spec": {"resources": {"requests": {"storage": requested}}}}
    if allocated:
        claim["status"] = {"allocatedResources": {"storage": allocated}}
    assert usage_of(PERSISTENT_VOLUME_CLAIMS, claim)["requests.storage"] == counted


@pytest.mark.parametrize(
    ("operator", "values", "names", "expected"),
    [
        ("In", ["gold"], ("gold", None, None), True),
        ("In", ["gold"], ("silver", "gold", None), True),
        ("In", ["gold"], ("silver", None, "gold"), True),
        ("In", ["gold"], ("silver", None, None), False),
        ("NotIn", ["gold"], ("silver", "gold", None), True),
        ("NotIn", ["gold"], (None, None, None), True),
        ("Exists", None, (None, None, None), False),
        ("DoesNotExist", None, (None, None, None), True),
    ],
)
def test_claims_are_matched_by_every_class_of_attributes_that_they_name(operator, values, names, expected):
    wanted, current, target = names
    claim = {"spec": {"volumeAttributesClassName": wanted}, "status": {}}
    claim["status"]["currentVolumeAttributesClassName"] = current
    claim["status"]["modifyVolumeStatus"] = {"targetVolumeAttributesClassName": target or ""}
    expression = {"scopeName": "VolumeAttributesClass", "operator": operator, "values": values}
    quota = {"spec": {"scopeSelector": {"matchExpressions": [expression]}}}
    assert matches(quota, PERSISTENT_VOLUME_CLAIMS, claim) is expected
    assert not matches(quota, PODS, {"spec": {}})
