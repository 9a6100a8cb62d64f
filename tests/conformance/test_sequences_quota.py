"""What upstream's default suite asks of quotas besides conformance: scopes, classes, custom resources."""

import pytest
from tests.conformance import definitions, samples
from tests.conformance.test_conformance_quota import quota, quotas, wait_used

__all__ = ["quotas"]

PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"


def scoped(name, scope, operator="Exists", *values, hard=None):
    expression = {"scopeName": scope, "operator": operator}
    if values:
        expression["values"] = list(values)
    return quota(name, hard or {"pods": "1"}, scopeSelector={"matchExpressions": [expression]})


def refuse(api, path, obj, *, name="quota", requested="pods=1"):
    refused = api.refusal("POST", path, obj)
    kind = path.rpartition("/")[2]
    limit = requested.rpartition("=")
    assert refused.code == 403
    assert refused.message == (
        f'{kind} "{obj["metadata"]["name"]}" is forbidden: exceeded quota: {name}, requested: {requested}, '
        f"used: {requested}, limited: {limit[0]}=1"
    )


@pytest.fixture
def priority(api, unique):
    name = f"{unique}-important"
    api.create(PRIORITIES, {"metadata": {"name": name}, "value": 1000})
    yield name
    api.delete(f"{PRIORITIES}/{name}")


def test_custom_resources_are_counted(api, core, quotas, unique):
    made = definitions.definition(f"{unique}.example.com")
    path = definitions.establish(api, made)
    counted = f"count/foos.{unique}.example.com"
    api.create(quotas, quota("quota", {counted: "1"}))
    api.wait_object(f"{quotas}/quota", lambda obj: obj.get("status", {}).get("used") == {counted: "0"})
    place = definitions.collection(made, "v1", core.rpartition("/")[2])
    api.create(place, definitions.custom(made, "v1", "first"))
    assert api.get(f"{quotas}/quota")["status"]["used"] == {counted: "1"}
    second = definitions.custom(made, "v1", "second")
    refused = api.refusal("POST", place, second)
    assert refused.code == 403
    assert (
        f"exceeded quota: quota, requested: {counted}=1, used: {counted}=1, limited: {counted}=1"
        in refused.message
    )
    api.delete(f"{place}/first")
    api.wait_object(f"{quotas}/quota", lambda obj: obj["status"]["used"] == {counted: "0"})
    api.delete(path)


@pytest.mark.parametrize(
    ("operator", "values", "counts"),
    [
        ("In", ["{important}"], True),
        ("In", ["other", "{important}"], True),
        ("NotIn", ["{important}"], False),
        ("NotIn", ["other"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_pods_are_counted_by_their_priority_class(api, core, quotas, priority, operator, values, counts):
    named = [value.format(important=priority) for value in values]
    api.create(quotas, scoped("quota", "PriorityClass", operator, *named))
    wait_used(api, quotas, pods="0")
    api.create(f"{core}/pods", samples.pod("one", priorityClassName=priority))
    another = samples.pod("two", priorityClassName=priority)
    if counts:
        wait_used(api, quotas, pods="1")
        refuse(api, f"{core}/pods", another)
    else:
        api.create(f"{core}/pods", another)
        assert api.get(f"{quotas}/quota")["status"]["used"] == {"pods": "0"}


@pytest.mark.parametrize(
    ("scope", "spec"),
    [
        ("Terminating", {"activeDeadlineSeconds": 3600}),
        ("BestEffort", {}),
        ("NotBestEffort", {"requests": {"cpu": "1m"}}),
    ],
)
def test_scopes_are_chosen_by_selectors_too(api, core, quotas, scope, spec):
    api.create(quotas, scoped("quota", scope))
    wait_used(api, quotas, pods="0")
    other = {} if spec else {"requests": {"cpu": "1m"}}
    api.create(f"{core}/pods", samples.pod("other", **other))
    api.create(f"{core}/pods", samples.pod("one", **spec))
    assert api.get(f"{quotas}/quota")["status"]["used"] == {"pods": "1"}
    refuse(api, f"{core}/pods", samples.pod("two", **spec))


@pytest.mark.parametrize("crossing", [{"namespaces": ["ns1"]}, {"namespaceSelector": {}}])
def test_affinity_across_namespaces_has_a_scope(api, core, quotas, crossing):
    def pod(name, crossing):
        term = {
            "labelSelector": {"matchLabels": {"a": "b"}},
            "topologyKey": "kubernetes.io/hostname",
            **crossing,
        }
        affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        return samples.pod(name, affinity=affinity)

    api.create(quotas, scoped("quota", "CrossNamespacePodAffinity"))
    wait_used(api, quotas, pods="0")
    api.create(f"{core}/pods", pod("within", {}))
    api.create(f"{core}/pods", pod("across", crossing))
    wait_used(api, quotas, pods="1")
    refuse(api, f"{core}/pods", pod("two", crossing))


def claim(name, **spec):
    resources = {"requests": {"storage": "1Gi"}}
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec},
    }


def test_claims_are_counted_by_their_storage_class(api, core, quotas):
    prefix = "gold.storageclass.storage.k8s.io"
    hard = {"persistentvolumeclaims": "5", "requests.storage": "10Gi"}
    hard |= {f"{prefix}/persistentvolumeclaims": "1", f"{prefix}/requests.storage": "5Gi"}
    api.create(quotas, quota("quota", hard))
    wait_used(api, quotas, persistentvolumeclaims="0")
    api.create(f"{core}/persistentvolumeclaims", claim("one", storageClassName="gold"))
    api.create(f"{core}/persistentvolumeclaims", claim("plain", storageClassName=""))
    assert api.get(f"{quotas}/quota")["status"]["used"] == {
        "persistentvolumeclaims": "2",
        "requests.storage": "2Gi",
        f"{prefix}/persistentvolumeclaims": "1",
        f"{prefix}/requests.storage": "1Gi",
    }
    refuse(
        api,
        f"{core}/persistentvolumeclaims",
        claim("two", storageClassName="gold"),
        requested=f"{prefix}/persistentvolumeclaims=1",
    )


def test_claims_are_counted_by_their_class_of_attributes(api, core, quotas):
    """By what they want, what they have, and what they are on the way to."""
    hard = {"persistentvolumeclaims": "1"}
    for name in ("gold", "silver"):
        api.create(quotas, scoped(name, "VolumeAttributesClass", "In", name, hard=hard))
        wait_used(api, quotas, name, persistentvolumeclaims="0")
    claims = f"{core}/persistentvolumeclaims"
    api.create(claims, claim("one", volumeAttributesClassName="gold"))
    wait_used(api, quotas, "gold", persistentvolumeclaims="1")
    refuse(
        api,
        claims,
        claim("two", volumeAttributesClassName="gold"),
        name="gold",
        requested="persistentvolumeclaims=1",
    )
    api.patch(f"{claims}/one/status", {"status": {"phase": "Bound"}})
    api.patch(f"{claims}/one", {"spec": {"volumeAttributesClassName": "silver"}})
    wait_used(api, quotas, "silver", persistentvolumeclaims="1")
    wait_used(api, quotas, "gold", persistentvolumeclaims="0")
    api.patch(f"{claims}/one/status", {"status": {"currentVolumeAttributesClassName": "gold"}})
    wait_used(api, quotas, "gold", persistentvolumeclaims="1")


def test_devices_are_counted_by_their_class(api, core, quotas):
    namespace = core.rpartition("/")[2]
    claims = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
    prefix = "deviceclass.resource.k8s.io/devices"
    hard = {f"gold.{prefix}": "3", f"silver.{prefix}": "40", "count/resourceclaims.resource.k8s.io": "2"}
    api.create(quotas, quota("quota", hard))
    api.wait_object(f"{quotas}/quota", lambda obj: len(obj.get("status", {}).get("used", {})) == 3)
    choice = [{"name": "a", "deviceClassName": "gold", "count": 2}, {"name": "b", "deviceClassName": "gold"}]
    requests = [
        {"name": "either", "firstAvailable": choice},
        {"name": "all", "exactly": {"deviceClassName": "silver", "allocationMode": "All"}},
    ]
    api.create(claims, {"metadata": {"name": "one"}, "spec": {"devices": {"requests": requests}}})
    used = api.get(f"{quotas}/quota")["status"]["used"]
    assert used == {
        f"gold.{prefix}": "2",
        f"silver.{prefix}": "32",
        "count/resourceclaims.resource.k8s.io": "1",
    }
    requests = [{"name": "two", "exactly": {"deviceClassName": "gold", "count": 2}}]
    refused = api.refusal(
        "POST", claims, {"metadata": {"name": "two"}, "spec": {"devices": {"requests": requests}}}
    )
    assert refused.code == 403
    assert f"requested: gold.{prefix}=2, used: gold.{prefix}=2, limited: gold.{prefix}=3" in refused.message
    api.delete(f"{claims}/one")
    api.wait_object(f"{quotas}/quota", lambda obj: obj["status"]["used"][f"gold.{prefix}"] == "0")


def test_a_quota_that_has_yet_to_count_lets_nothing_in(api, core, quotas):
    """All that the object could count for is named."""
    api.create(quotas, quota("quota", {"pods": "3", "services": "1", "requests.cpu": "1"}))
    wait_used(api, quotas, pods="0")
    api.patch(f"{quotas}/quota/status", {"status": {"used": {"requests.cpu": None}}})
    refused = api.refusal("POST", f"{core}/pods", samples.pod("one", requests={"cpu": "1m"}))
    assert refused.message == (
        'pods "one" is forbidden: status unknown for quota: quota, resources: pods,requests.cpu'
    )
