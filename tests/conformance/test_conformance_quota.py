"""Resource quotas: what they count, and when."""

import pytest
from tests.conformance import samples
from tests.conformance.api import STRATEGIC

HARD = {
    "pods": "5",
    "services": "10",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    "replicationcontrollers": "10",
    "resourcequotas": "1",
    "cpu": "1",
    "memory": "500Mi",
    "configmaps": "10",
    "secrets": "10",
    "persistentvolumeclaims": "10",
    "requests.storage": "10Gi",
    "requests.ephemeral-storage": "50Gi",
    "requests.example.com/dongle": "3",
    "count/replicasets.apps": "5",
}


@pytest.fixture
def quotas(core):
    return f"{core}/resourcequotas"


def quota(name, hard, **spec):
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}


def wait_used(api, quotas, name="quota", **used):
    """Until the quota's status says so; names with `_` for what has dots in it."""
    wanted = {resource.replace("__", "/").replace("_", "."): amount for resource, amount in used.items()}
    return api.wait_object(
        f"{quotas}/{name}",
        lambda obj: wanted.items() <= obj.get("status", {}).get("used", {}).items(),
    )


@pytest.fixture
def counted(api, core, quotas):
    """The quota of everything, when it has counted what a new namespace has."""
    maps = str(len(api.wait(f"{core}/configmaps", lambda items: items)))
    api.create(quotas, quota("quota", HARD))
    return wait_used(api, quotas, resourcequotas="1", configmaps=maps)


@pytest.mark.conformance("ResourceQuota, object count quota, resourcequotas")
def test_the_status_of_a_quota_is_there_soon(counted):
    assert counted["status"]["hard"] == HARD
    assert counted["status"]["used"].keys() == HARD.keys()
    assert counted["status"]["used"]["resourcequotas"] == "1"
    assert counted["status"]["used"]["pods"] == "0"


@pytest.mark.conformance("ResourceQuota, object count quota, configmap")
def test_config_maps_are_counted(api, core, quotas, counted):
    before = int(counted["status"]["used"]["configmaps"])
    api.create(f"{core}/configmaps", {"metadata": {"name": "one"}})
    wait_used(api, quotas, configmaps=str(before + 1))
    api.delete(f"{core}/configmaps/one")
    wait_used(api, quotas, configmaps=str(before))


@pytest.mark.conformance("ResourceQuota, object count quota, secret")
def test_secrets_are_counted(api, core, quotas, counted):
    assert counted["status"]["used"]["secrets"] == "0"
    api.create(f"{core}/secrets", {"metadata": {"name": "one"}, "stringData": {"a": "b"}})
    wait_used(api, quotas, secrets="1")
    api.delete(f"{core}/secrets/one")
    wait_used(api, quotas, secrets="0")


@pytest.mark.conformance("ResourceQuota, object count quota, service")
def test_services_are_counted_with_their_ports(api, core, quotas, counted):
    api.create(f"{core}/services", samples.service("plain"))
    api.create(f"{core}/services", samples.service("node", type="NodePort"))
    wait_used(api, quotas, services="2", services_nodeports="1", services_loadbalancers="0")
    refused = api.refusal("POST", f"{core}/services", samples.service("balanced", type="LoadBalancer"))
    assert refused.code == 403
    assert "exceeded quota: quota" in refused.message
    assert "services.nodeports=1" in refused.message
    api.delete(f"{core}/services/node")
    wait_used(api, quotas, services="1", services_nodeports="0")
    api.delete(f"{core}/services/plain")
    wait_used(api, quotas, services="0")


@pytest.mark.conformance("ResourceQuota, object count quota, replicationController")
def test_replication_controllers_are_counted(api, core, quotas, counted):
    api.create(f"{core}/replicationcontrollers", samples.replication_controller("rc", 0))
    wait_used(api, quotas, replicationcontrollers="1")
    api.delete(f"{core}/replicationcontrollers/rc", {"propagationPolicy": "Background"})
    wait_used(api, quotas, replicationcontrollers="0")


@pytest.mark.conformance("ResourceQuota, object count quota, replicaSet")
def test_replica_sets_are_counted(api, apps, quotas, counted):
    api.create(f"{apps}/replicasets", samples.replica_set("rs", 0))
    wait_used(api, quotas, count__replicasets_apps="1")
    api.delete(f"{apps}/replicasets/rs", {"propagationPolicy": "Background"})
    wait_used(api, quotas, count__replicasets_apps="0")


@pytest.mark.conformance("ResourceQuota, object count quota, pod")
def test_pods_are_counted_with_what_they_request(api, core, quotas, counted):
    pods = f"{core}/pods"
    amounts = {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2"}
    # Nothing has the device, so the pod is never scheduled: counted it is all the same.
    api.create(pods, samples.pod("fits", requests=amounts))
    used = {"pods": "1", "cpu": "500m", "memory": "252Mi", "requests_ephemeral-storage": "30Gi"}
    wait_used(api, quotas, **used, requests_example_com__dongle="2")
    too_much = samples.pod("too-much", requests={"cpu": "600m", "memory": "100Mi"})
    refused = api.refusal("POST", pods, too_much)
    assert refused.code == 403
    assert "exceeded quota: quota, requested: cpu=600m, used: cpu=500m, limited: cpu=1" in refused.message
    dongles = {**amounts, "cpu": "500m", "memory": "100Mi", "ephemeral-storage": "1Gi"}
    refused = api.refusal("POST", pods, samples.pod("too-many", requests=dongles))
    assert "requests.example.com/dongle=2" in refused.message
    pod = api.get(f"{pods}/fits")
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "100m"
    del pod["metadata"]["resourceVersion"]  # The scheduler writes to it, too.
    assert api.refusal("PUT", f"{pods}/fits", pod).code == 422
    wait_used(api, quotas, **used)
    api.delete(f"{pods}/fits", {"gracePeriodSeconds": 0})
    wait_used(api, quotas, pods="0", cpu="0", memory="0", requests_example_com__dongle="0")


@pytest.mark.conformance("ResourceQuota, quota scope, Terminating and NotTerminating scope")
def test_pods_with_a_deadline_are_counted_apart(api, core, quotas):
    hard = dict.fromkeys(("pods", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"), "5")
    hard |= {"requests.memory": "1Gi", "limits.memory": "1Gi"}
    for name, scope in (("terminating", "Terminating"), ("not-terminating", "NotTerminating")):
        api.create(quotas, quota(name, hard, scopes=[scope]))
        wait_used(api, quotas, name, pods="0")
    requests = {"cpu": "500m", "memory": "200Mi"}
    used = {"pods": "1", "requests_cpu": "500m", "limits_memory": "200Mi"}
    free = {"pods": "0", "requests_cpu": "0", "limits_memory": "0"}
    for spec, counts, other in (
        ({}, "not-terminating", "terminating"),
        ({"activeDeadlineSeconds": 3600}, "terminating", "not-terminating"),
    ):
        api.create(f"{core}/pods", samples.pod("one", requests=requests, **spec))
        wait_used(api, quotas, counts, **used)
        assert api.get(f"{quotas}/{other}")["status"]["used"]["pods"] == "0"
        api.delete(f"{core}/pods/one", {"gracePeriodSeconds": 0})
        wait_used(api, quotas, counts, **free)
        api.wait_gone(f"{core}/pods/one")


@pytest.mark.conformance("ResourceQuota, quota scope, BestEffort and NotBestEffort scope")
def test_pods_of_best_effort_are_counted_apart(api, core, quotas):
    for name, scope in (("best", "BestEffort"), ("not-best", "NotBestEffort")):
        api.create(quotas, quota(name, {"pods": "5"}, scopes=[scope]))
        wait_used(api, quotas, name, pods="0")
    for requests, counts, other in (
        (None, "best", "not-best"),
        ({"cpu": "100m", "memory": "10Mi"}, "not-best", "best"),
    ):
        api.create(f"{core}/pods", samples.pod("one", requests=requests))
        wait_used(api, quotas, counts, pods="1")
        assert api.get(f"{quotas}/{other}")["status"]["used"]["pods"] == "0"
        api.delete(f"{core}/pods/one", {"gracePeriodSeconds": 0})
        wait_used(api, quotas, counts, pods="0")
        api.wait_gone(f"{core}/pods/one")


@pytest.mark.conformance("ResourceQuota, update and delete")
def test_a_quota_is_updated_and_deleted(api, quotas):
    obj = api.create(quotas, quota("quota", {"cpu": "1", "memory": "500Mi"}))
    assert obj["spec"]["hard"] == {"cpu": "1", "memory": "500Mi"}
    obj = api.get(f"{quotas}/quota")
    obj["spec"]["hard"] = {"cpu": "2", "memory": "1Gi"}
    obj.pop("status", None)
    obj["metadata"].pop("resourceVersion")
    assert api.update(f"{quotas}/quota", obj)["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
    assert api.get(f"{quotas}/quota")["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
    api.delete(f"{quotas}/quota")
    assert api.missing(f"{quotas}/quota")


@pytest.mark.conformance("ResourceQuota, manage lifecycle of a ResourceQuota")
def test_a_quota_is_found_by_label_patched_and_deleted_with_its_like(api, quotas, unique):
    obj = quota(unique, {"cpu": "1", "memory": "500Mi"})
    obj["metadata"]["labels"] = {unique: "quota"}
    api.create(quotas, obj)
    everywhere = "/api/v1/resourcequotas"
    (found,) = api.items(everywhere, labelSelector=f"{unique}=quota")
    assert found["metadata"]["name"] == unique
    patch = {"metadata": {"labels": {unique: "patched"}}, "spec": {"hard": {"memory": "750Mi"}}}
    patched = api.patch(f"{quotas}/{unique}", patch, content_type=STRATEGIC)
    assert patched["metadata"]["labels"][unique] == "patched"
    assert patched["spec"]["hard"] == {"cpu": "1", "memory": "750Mi"}
    api.delete(quotas, labelSelector=f"{unique}=patched")
    assert api.items(everywhere, labelSelector=f"{unique}=patched") == []


def free_something(api, core):
    """What goes out of a namespace makes the controller count again."""
    api.create(f"{core}/configmaps", {"metadata": {"name": "freed"}})
    api.delete(f"{core}/configmaps/freed")


@pytest.mark.conformance(
    "ResourceQuota, apply changes to a ResourceQuota status",
    note="a deletion has the controller count again at once, not only every five minutes",
)
def test_the_status_of_a_quota_is_written_apart_from_its_spec(api, core, quotas):
    path, status = f"{quotas}/quota", f"{quotas}/quota/status"

    def settled():
        return api.wait_object(path, lambda obj: obj["status"].get("hard") == obj["spec"]["hard"])

    api.create(quotas, quota("quota", {"configmaps": "10", "cpu": "500m", "memory": "500Mi"}))
    obj = settled()
    hard = obj["status"]["hard"] = {**obj["spec"]["hard"], "cpu": "1", "memory": "1Gi"}
    assert api.update(status, obj)["status"]["hard"] == hard
    free_something(api, core)
    assert settled()["spec"]["hard"]["cpu"] == "500m"
    api.patch(path, {"spec": {"hard": {"cpu": "2", "memory": "2Gi"}}})
    assert settled()["status"]["hard"] == {"configmaps": "10", "cpu": "2", "memory": "2Gi"}
    patched = api.patch(status, {"status": {"hard": {"cpu": "3", "memory": "3Gi"}}})
    assert patched["status"]["hard"] == {"configmaps": "10", "cpu": "3", "memory": "3Gi"}
    assert patched["spec"]["hard"]["cpu"] == "2"
    free_something(api, core)
    settled()
    assert api.get(status)["status"]["hard"] == {"configmaps": "10", "cpu": "2", "memory": "2Gi"}
    whole = {"spec": {"hard": {"cpu": "9"}}, "status": {"hard": {"cpu": "4"}}}
    patched = api.patch(status, whole)
    assert (patched["spec"]["hard"]["cpu"], patched["status"]["hard"]["cpu"]) == ("2", "4")
