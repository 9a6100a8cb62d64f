"""What is filled in for pods and their templates."""

import copy

import pytest

from mamekube.kinds.apps import deployments
from mamekube.kinds.core import pods
from mamekube.kinds.podspec.defaults import pull_policy
from mamekube.kinds.podspec.qos import qos_class


def defaulted(spec: dict) -> dict:
    pod = {"spec": copy.deepcopy(spec)}
    pods.KIND.default(pod)
    return pod["spec"]


def test_a_bare_pod_gets_what_upstream_gives_it() -> None:
    assert defaulted({"containers": [{"name": "c", "image": "nginx"}]}) == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:" + "0" * 64, "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_images_that_may_change_are_always_pulled(image, policy) -> None:
    assert pull_policy(image) == policy


def test_limits_become_requests_in_pods_and_not_in_templates() -> None:
    container = {"name": "c", "image": "x:1", "resources": {"limits": {"cpu": "1000m", "memory": "1024Ki"}}}
    amounts = {"cpu": "1", "memory": "1Mi"}
    assert defaulted({"containers": [container]})["containers"][0]["resources"] == {
        "limits": amounts,
        "requests": amounts,
    }
    deployment = {"spec": {"template": {"spec": {"containers": [copy.deepcopy(container)]}}}}
    deployments.KIND.default(deployment)
    template_container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert template_container["resources"] == {"limits": amounts}


def test_ports_of_the_host_network_are_the_host_s() -> None:
    container = {"name": "c", "image": "x:1", "ports": [{"containerPort": 80}]}
    ports = defaulted({"hostNetwork": True, "containers": [container]})["containers"][0]["ports"]
    assert ports == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


def test_probes_and_hooks_are_completed() -> None:
    container = {
        "name": "c",
        "image": "x:1",
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"grpc": {"port": 9}, "periodSeconds": 3},
        "lifecycle": {"preStop": {"httpGet": {"port": "web"}}},
    }
    made = defaulted({"containers": [container]})["containers"][0]
    numbers = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert made["livenessProbe"] == {**numbers, "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}}
    assert made["readinessProbe"] == {**numbers, "periodSeconds": 3, "grpc": {"port": 9, "service": ""}}
    assert made["lifecycle"]["preStop"]["httpGet"] == {"port": "web", "path": "/", "scheme": "HTTP"}


@pytest.mark.parametrize(
    ("volume", "made"),
    [
        ({"name": "v"}, {"emptyDir": {}}),
        ({"name": "v", "secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"name": "v", "configMap": {"name": "c"}}, {"configMap": {"name": "c", "defaultMode": 420}}),
        ({"name": "v", "hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        (
            {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "defaultMode": 420,
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                }
            },
        ),
        (
            {
                "name": "v",
                "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]},
            },
            {
                "downwardAPI": {
                    "defaultMode": 420,
                    "items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}],
                }
            },
        ),
    ],
)
def test_volumes_are_completed(volume, made) -> None:
    assert defaulted({"containers": [], "volumes": [volume]})["volumes"] == [{"name": "v", **made}]


def test_both_names_of_the_service_account_are_written() -> None:
    for given in ({"serviceAccountName": "robot"}, {"serviceAccount": "robot"}):
        spec = defaulted({"containers": [], **given})
        assert (spec["serviceAccount"], spec["serviceAccountName"]) == ("robot", "robot")


def resources(cpu: str = "", memory: str = "", *, kind: str = "limits") -> dict:
    amounts = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return {"resources": {kind: amounts}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{}]}, "BestEffort"),
        ({"containers": [resources("1", "1Gi")]}, "Guaranteed"),
        ({"containers": [resources("1", "1Gi"), {}]}, "Burstable"),
        ({"containers": [{}, resources("1", "1Gi")]}, "Burstable"),
        ({"containers": [resources("1")]}, "Burstable"),
        ({"containers": [resources("1", "1Gi", kind="requests")]}, "Burstable"),
        ({"containers": [resources("1", "1Gi")], "initContainers": [resources(memory="1Gi")]}, "Burstable"),
        ({"containers": [resources("0", "0")]}, "BestEffort"),
        ({"containers": [{}], **resources("1", "1Gi")}, "Guaranteed"),
    ],
)
def test_quality_of_service(spec, expected) -> None:
    assert qos_class(spec) == expected


def test_a_new_pod_is_pending_whatever_it_says() -> None:
    pod = {"spec": {"containers": [{}], "schedulingGates": [{"name": "g"}]}, "status": {"phase": "Running"}}
    pods.KIND.prepare_create(pod)
    assert (pod["status"]["phase"], pod["status"]["qosClass"]) == ("Pending", "BestEffort")
    assert pod["status"]["conditions"][0]["reason"] == "SchedulingGated"


@pytest.mark.parametrize(
    ("spec", "phase", "asked_s", "period_s"),
    [
        ({"nodeName": "n", "terminationGracePeriodSeconds": 30}, "Running", None, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 30}, "Running", 5, 5),
        ({"nodeName": "n", "terminationGracePeriodSeconds": -3}, "Running", None, 1),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 30}, "Running", 0, 0),
        ({"terminationGracePeriodSeconds": 30}, "Pending", None, 0),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 30}, "Succeeded", 5, 0),
    ],
)
def test_only_pods_that_run_somewhere_get_time_to_end(spec, phase, asked_s, period_s) -> None:
    assert pods.grace_period_s({"spec": spec, "status": {"phase": phase}}, asked_s) == period_s
