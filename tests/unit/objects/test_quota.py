"""What an object counts for in a ResourceQuota, and which objects a quota is about."""

import pytest

from mamekube.kinds.apps import deployments
from mamekube.kinds.core import configmaps, persistentvolumeclaims, pods, services
from mamekube.objects.quota import matches, pod_total, usage_of

CONFIG_MAPS, PODS, SERVICES = configmaps.KIND, pods.KIND, services.KIND
DEPLOYMENTS, PERSISTENT_VOLUME_CLAIMS = deployments.KIND, persistentvolumeclaims.KIND


def container(cpu, **fields):
    return {"resources": {"requests": {"cpu": cpu}}, **fields}


def test_a_pod_needs_what_runs_together_or_what_one_init_container_needs():
    spec = {"containers": [container("100m"), container("200m")], "initContainers": [container("500m")]}
    assert pod_total(spec, "requests") == {"cpu": "500m"}
    sidecar = container("300m", restartPolicy="Always")
    spec["initContainers"] = [sidecar, container("400m")]
    assert pod_total(spec, "requests") == {"cpu": "700m"}
    spec["initContainers"] = [container("400m"), sidecar]
    assert pod_total(spec, "requests") == {"cpu": "600m"}
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
