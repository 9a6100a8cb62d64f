"""What upstream's suite does to events and quotas, request by request, as a typed client."""

import pytest
from tests.conformance import samples
from tests.conformance.api import STRATEGIC
from tests.conformance.go_api import GoApi

HARD = {
    "pods": "5",
    "cpu": "1",
    "memory": "500Mi",
    "ephemeral-storage": "50Gi",
    "configmaps": "10",
    "secrets": "10",
    "services": "10",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    "persistentvolumeclaims": "10",
    "requests.storage": "10Gi",
    "resourcequotas": "1",
    "replicationcontrollers": "10",
    "requests.example.com/dongle": "3",
    "count/replicasets.apps": "5",
}


@pytest.fixture
def client(api):
    """The administrator with a typed client."""
    return GoApi(api)


def event_about(namespace, name):
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "labels": {"testevent-set": "true"}},
        "regarding": {"kind": "Pod", "name": "testPod", "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.123456Z",
        "note": f"This is {name}",
        "action": "Do",
        "reason": "Test",
        "type": "Normal",
        "reportingController": "test-controller",
        "reportingInstance": "test-node",
    }


@pytest.mark.conformance("New Event resource lifecycle, testing a single event")
def test_an_event_is_found_by_its_source_in_both_groups(client, core, namespace):
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    event = event_about(namespace, "event-test")
    client.create(path, event)
    for collection, selector in (
        (f"{core}/events", "source=test-controller"),
        (f"{core}/events", "reportingComponent=test-controller"),
        (path, "reportingController=test-controller"),
    ):
        assert len(client.items(collection, fieldSelector=selector)) == 1, selector
    series = {"count": 2, "lastObservedTime": "2017-09-19T13:49:11.000000Z"}
    client.patch(f"{path}/event-test", {"series": series}, content_type=STRATEGIC)
    read = client.get(f"{path}/event-test")
    sent = {name: value for name, value in event.items() if name != "metadata"}
    assert {name: read[name] for name in (*sent, "series")} == {**sent, "series": series}
    read["series"] = {"count": 100, "lastObservedTime": "2017-09-19T13:49:16.000000Z"}
    client.update(f"{path}/event-test", read)
    assert client.get(f"{path}/event-test")["series"] == read["series"]
    client.delete(f"{path}/event-test")
    assert client.items(path) == []


@pytest.fixture
def quota(client, core):
    """The suite's own quota, counted; called, it waits until so much is used."""
    path = f"{core}/resourcequotas"
    obj = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "test-quota"},
        "spec": {"hard": HARD},
    }
    client.create(path, obj)

    def used(**wanted):
        def reached(obj):
            counted = obj.get("status", {}).get("used", {})
            return all(counted.get(name.replace("_", ".")) == amount for name, amount in wanted.items())

        return client.wait_object(f"{path}/test-quota", reached)

    used(resourcequotas="1")
    return used


def service_of(kind, name):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": kind, "ports": [{"port": 80, "targetPort": 80}]},
    }


@pytest.mark.conformance("ResourceQuota, object count quota, service")
def test_node_ports_of_a_load_balancer_are_counted(client, core, quota):
    client.create(f"{core}/services", service_of("ClusterIP", "test-service"))
    client.create(f"{core}/services", service_of("NodePort", "test-service-np"))
    refused = client.refusal("POST", f"{core}/services", service_of("LoadBalancer", "test-service-lb"))
    assert refused.message == (
        'services "test-service-lb" is forbidden: exceeded quota: test-quota, requested: services.nodeports=1, '
        "used: services.nodeports=1, limited: services.nodeports=1"
    )
    quota(services="2", services_nodeports="1")
    client.delete(f"{core}/services/test-service")
    client.delete(f"{core}/services/test-service-np")
    quota(services="0", services_nodeports="0")


@pytest.mark.conformance("ResourceQuota, object count quota, pod")
def test_extended_resources_of_a_pod_are_counted(client, core, quota):
    def pod(name, *, cpu, storage, memory="100Mi"):
        dongles = {"example.com/dongle": "2"}
        requests = {"cpu": cpu, "memory": memory, "ephemeral-storage": storage, **dongles}
        resources = {"requests": requests, "limits": dongles}
        container = {"name": "pause", "image": samples.IMAGE, "resources": resources}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [container]},
        }

    created = client.create(f"{core}/pods", pod("test-pod", cpu="500m", storage="30Gi", memory="252Mi"))
    full = {"pods": "1", "cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi"}
    quota(**full, **{"requests.example.com/dongle": "2"})
    for other in (pod("fail-pod", cpu="600m", storage="1Gi"), pod("fail-too", cpu="500m", storage="30Gi")):
        assert client.refusal("POST", f"{core}/pods", other).reason == "Forbidden"
    created["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "100m", "memory": "100Mi"}
    del created["metadata"]["resourceVersion"]
    assert client.refusal("PUT", f"{core}/pods/test-pod", created).code == 422
    quota(**full)
    client.delete(f"{core}/pods/test-pod", {"gracePeriodSeconds": 0})
    quota(**dict.fromkeys(full, "0"), **{"requests.example.com/dongle": "0"})


@pytest.mark.conformance("ResourceQuota, update and delete")
def test_a_quota_is_updated_whatever_its_revision(client, core):
    path = f"{core}/resourcequotas"
    obj = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "test-quota"}}
    client.create(path, {**obj, "spec": {"hard": {"cpu": "1", "memory": "500Mi"}}})
    raised = {"cpu": "2", "memory": "1Gi"}
    assert client.update(f"{path}/test-quota", {**obj, "spec": {"hard": raised}})["spec"]["hard"] == raised
    assert client.get(f"{path}/test-quota")["spec"]["hard"] == raised
    client.delete(f"{path}/test-quota")
    assert client.missing(f"{path}/test-quota")


@pytest.mark.conformance("ResourceQuota, apply changes to a ResourceQuota status")
def test_what_is_written_into_the_status_of_a_quota_is_seen_and_set_right(client, core):
    path = f"{core}/resourcequotas"
    obj = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one", "labels": {"e2e": "q"}}}
    client.create(path, {**obj, "spec": {"hard": {"cpu": "1", "memory": "1Gi"}}})
    since = client.get(path)["metadata"]["resourceVersion"]
    wrong = {"cpu": "2", "memory": "2Gi"}
    with client.watch(path, labelSelector="e2e=q", resourceVersion=since) as watch:
        change = {"status": {"hard": wrong}}
        patched = client.patch(f"{path}/one/status", change, content_type=STRATEGIC)
        assert patched["status"]["hard"] == wrong
        watch.until("MODIFIED", lambda obj: obj["status"].get("hard") == wrong)
        right = watch.until("MODIFIED", lambda obj: obj["status"].get("hard") == obj["spec"]["hard"])
    assert right["spec"]["hard"] == {"cpu": "1", "memory": "1Gi"}
