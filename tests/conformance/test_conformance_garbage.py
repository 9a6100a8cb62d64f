"""The garbage collector: what goes with its owner, and what stays."""

import pytest
from tests.conformance import samples


def created(api, path, count):
    return api.wait(path, lambda items: len(items) >= count)


def owner(obj, kind, version="v1"):
    meta = obj["metadata"]
    return {"apiVersion": version, "kind": kind, "name": meta["name"], "uid": meta["uid"]}


def controllers(obj):
    return [one["name"] for one in obj["metadata"].get("ownerReferences", [])]


def settle(api, core):
    """Return when the collector has worked off all that came before: it goes through its queue in order."""
    gone = api.create(f"{core}/configmaps", {"metadata": {"name": "owner-of-marker"}})
    marker = {"metadata": {"name": "marker", "ownerReferences": [owner(gone, "ConfigMap")]}}
    api.create(f"{core}/configmaps", marker)
    api.delete(f"{core}/configmaps/owner-of-marker", propagationPolicy="Background")
    api.wait_gone(f"{core}/configmaps/marker")


@pytest.mark.conformance("Garbage Collector, delete replication controller, propagation policy background")
def test_pods_go_after_their_replication_controller(api, core):
    api.create(f"{core}/replicationcontrollers", samples.replication_controller("rc", 2))
    created(api, f"{core}/pods", 1)
    api.delete(f"{core}/replicationcontrollers/rc", {"propagationPolicy": "Background"})
    assert api.missing(f"{core}/replicationcontrollers/rc")
    api.wait(f"{core}/pods", lambda pods: not pods)


@pytest.mark.conformance("Garbage Collector, delete replication controller, propagation policy orphan")
def test_orphaned_pods_stay_without_an_owner(api, core):
    api.create(f"{core}/replicationcontrollers", samples.replication_controller("rc", 20))
    created(api, f"{core}/pods", 20)
    api.delete(f"{core}/replicationcontrollers/rc", {"propagationPolicy": "Orphan"})
    api.wait_gone(f"{core}/replicationcontrollers/rc")
    settle(api, core)
    pods = api.items(f"{core}/pods")
    assert len(pods) == 20
    assert not [pod for pod in pods if controllers(pod) or "deletionTimestamp" in pod["metadata"]]


@pytest.mark.conformance("Garbage Collector, delete deployment,  propagation policy background")
def test_replica_sets_and_pods_go_after_their_deployment(api, apps, core):
    api.create(f"{apps}/deployments", samples.deployment("web", 2))
    created(api, f"{apps}/replicasets", 1)
    created(api, f"{core}/pods", 2)
    api.delete(f"{apps}/deployments/web", {"propagationPolicy": "Background"})
    api.wait(f"{apps}/replicasets", lambda sets: not sets)
    api.wait(f"{core}/pods", lambda pods: not pods)


@pytest.mark.conformance("Garbage Collector, delete deployment, propagation policy orphan")
def test_an_orphaned_replica_set_keeps_its_pods(api, apps, core):
    api.create(f"{apps}/deployments", samples.deployment("web", 2))
    created(api, f"{apps}/replicasets", 1)
    created(api, f"{core}/pods", 2)
    api.delete(f"{apps}/deployments/web", {"propagationPolicy": "Orphan"})
    api.wait_gone(f"{apps}/deployments/web")
    settle(api, core)
    (orphan,) = api.items(f"{apps}/replicasets")
    assert controllers(orphan) == []
    assert [controllers(pod) for pod in api.items(f"{core}/pods")] == [[orphan["metadata"]["name"]]] * 2


@pytest.mark.conformance("Garbage Collector, delete replication controller, after owned pods")
def test_a_foreground_deletion_ends_when_the_pods_are_gone(api, core):
    path = f"{core}/replicationcontrollers/rc"
    api.create(f"{core}/replicationcontrollers", samples.replication_controller("rc", 20))
    created(api, f"{core}/pods", 20)
    with api.watch(f"{core}/pods") as pods:
        answer = api.delete(path, {"propagationPolicy": "Foreground"})
        assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
        api.wait_gone(path)
        gone = [obj["metadata"]["name"] for kind, obj in _until_deleted(pods, 20) if kind == "DELETED"]
    assert len(set(gone)) == 20
    assert api.items(f"{core}/pods") == []


def _until_deleted(watch, count):
    """Events up to so many deletions."""
    for event in watch:
        yield event
        count -= event[0] == "DELETED"
        if not count:
            return


@pytest.mark.conformance("Garbage Collector, multiple owners")
def test_a_pod_with_another_owner_outlives_a_foreground_deletion(api, core):
    controllers_path = f"{core}/replicationcontrollers"
    api.create(controllers_path, samples.replication_controller("to-be-deleted", 20))
    staying = api.create(controllers_path, samples.replication_controller("to-stay", 0))
    pods = created(api, f"{core}/pods", 20)
    shared = {pod["metadata"]["name"] for pod in pods[::2]}
    for pod in pods[::2]:
        owners = [*pod["metadata"]["ownerReferences"], owner(staying, "ReplicationController")]
        patch = {"metadata": {"ownerReferences": owners}}
        api.patch(f"{core}/pods/{pod['metadata']['name']}", patch)
    api.delete(f"{controllers_path}/to-be-deleted", {"propagationPolicy": "Foreground"})
    api.wait_gone(f"{controllers_path}/to-be-deleted")
    settle(api, core)
    left = api.items(f"{core}/pods")
    assert {pod["metadata"]["name"] for pod in left} == shared
    assert not [pod for pod in left if "deletionTimestamp" in pod["metadata"]]
    assert [controllers(pod) for pod in left] == [["to-stay"]] * len(shared)


@pytest.mark.conformance("Garbage Collector, dependency cycle")
def test_owners_in_a_circle_are_collected(api, core):
    pods = {name: api.create(f"{core}/pods", samples.pod(name)) for name in ("pod1", "pod2", "pod3")}
    for name, owning in (("pod1", "pod3"), ("pod2", "pod1"), ("pod3", "pod2")):
        reference = {**owner(pods[owning], "Pod"), "controller": True, "blockOwnerDeletion": True}
        api.patch(f"{core}/pods/{name}", {"metadata": {"ownerReferences": [reference]}})
    api.delete(f"{core}/pods/pod1", {"propagationPolicy": "Foreground"})
    api.wait(f"{core}/pods", lambda left: not left)
