"""Namespaces: their own life, and the end of what is in them."""

import pytest
from tests.conformance import samples
from tests.conformance.api import STRATEGIC

NAMESPACES = "/api/v1/namespaces"


@pytest.fixture
def path(namespace):
    return f"{NAMESPACES}/{namespace}"


@pytest.mark.conformance("Namespace patching")
def test_a_patched_namespace_has_the_label(api, path):
    api.patch(path, {"metadata": {"labels": {"testLabel": "testValue"}}}, content_type=STRATEGIC)
    assert api.get(path)["metadata"]["labels"]["testLabel"] == "testValue"


@pytest.mark.conformance("Namespace, apply update to a namespace")
def test_an_updated_namespace_has_the_label(api, path, namespace):
    obj = api.get(path)
    obj["metadata"]["labels"][namespace] = "updated"
    assert api.update(path, obj)["metadata"]["labels"][namespace] == "updated"
    assert api.get(path)["metadata"]["labels"][namespace] == "updated"


@pytest.mark.conformance("Namespace, apply changes to a namespace status")
def test_the_status_of_a_namespace_is_patched_and_updated(api, path):
    status = f"{path}/status"
    obj = api.get(status)
    assert obj["status"]["phase"] == "Active"
    patched = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched by a test"}
    change = {"metadata": {"annotations": {"patched": "true"}}, "status": {"conditions": [patched]}}
    obj = api.patch(status, change)
    assert obj["metadata"]["annotations"]["patched"] == "true"
    shown = {field: obj["status"]["conditions"][-1][field] for field in patched}
    assert shown == patched
    updated = {**patched, "type": "StatusUpdate", "message": "Updated by a test"}
    obj["status"]["conditions"].append(updated)
    obj = api.update(status, obj)
    assert [one["type"] for one in obj["status"]["conditions"]] == ["StatusPatch", "StatusUpdate"]
    assert api.get(path)["status"] == obj["status"]


@pytest.mark.conformance("Namespace, apply finalizer to a namespace")
def test_a_finalizer_of_a_namespace_comes_and_goes(api, path):
    mine = "e2e.example.com/fakeFinalizer"
    obj = api.get(path)
    assert obj["spec"]["finalizers"] == ["kubernetes"]
    obj["spec"]["finalizers"].append(mine)
    api.update(f"{path}/finalize", obj)
    obj = api.get(path)
    assert obj["spec"]["finalizers"] == ["kubernetes", mine]
    obj["spec"]["finalizers"].remove(mine)
    api.update(f"{path}/finalize", obj)
    assert api.get(path)["spec"]["finalizers"] == ["kubernetes"]


def recreate(api, path, name):
    api.delete(path)
    api.wait_gone(path)
    api.create(NAMESPACES, {"metadata": {"name": name}})


@pytest.mark.conformance("namespace-deletion-removes-pods")
def test_a_namespace_takes_its_pods_with_it(api, path, namespace):
    api.create(f"{path}/pods", samples.pod("one"))
    api.wait_object(f"{path}/pods/one", samples.running)
    recreate(api, path, namespace)
    assert api.items(f"{path}/pods") == []


@pytest.mark.conformance("namespace-deletion-removes-services")
def test_a_namespace_takes_its_services_with_it(api, path, namespace):
    api.create(f"{path}/services", samples.service("one"))
    recreate(api, path, namespace)
    assert api.items(f"{path}/services") == []


@pytest.mark.conformance("Ordered Namespace Deletion")
def test_pods_go_before_all_else_of_their_namespace(api, path):
    """The pod is held by a finalizer: until that is gone, so long everything else stays."""
    pod = samples.pod("held")
    pod["metadata"]["finalizers"] = ["e2e.example.com/hold"]
    api.create(f"{path}/pods", pod)
    api.create(f"{path}/configmaps", {"metadata": {"name": "beside"}})
    api.delete(path)
    api.wait_object(
        path,
        lambda obj: any(
            one["type"] == "NamespaceDeletionContentFailure" or one["type"] == "NamespaceContentRemaining"
            for one in obj["status"].get("conditions", [])
            if one["status"] == "True"
        ),
    )
    assert api.get(f"{path}/pods/held")["metadata"]["deletionTimestamp"]
    assert "deletionTimestamp" not in api.get(f"{path}/configmaps/beside")["metadata"]
    with api.watch(f"{path}/configmaps", fieldSelector="metadata.name=beside") as watch:
        api.patch(f"{path}/pods/held", {"metadata": {"finalizers": None}})
        watch.until("DELETED")
    api.wait_gone(path)
