"""Garbage collection and what else is removed: the graph, the policies, namespaces, finished and orphaned pods."""

import pytest
from tests.unit.controllers.samples import NOW, NOW_S, pod

from mamekube.controllers import namespace, podgc, ttlafterfinished
from mamekube.controllers.deletables import Deletables, builtin_resources, custom_resource
from mamekube.controllers.garbagecollector.controller import Owners, plan
from mamekube.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph
from mamekube.controllers.resources import NAMESPACES, PODS, REPLICA_SETS
from mamekube.objects.resource import Resource


def described(uid, *owners, namespace="default", finalizers=(), deleted=False, **reference):
    metadata = {
        "name": uid,
        "uid": uid,
        "namespace": namespace,
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, **reference}
            for owner in owners
        ],
        "finalizers": list(finalizers),
    }
    if deleted:
        metadata["deletionTimestamp"] = NOW
    return {"metadata": metadata}


def test_dependents_are_looked_at_when_their_owner_goes():
    graph = Graph()
    graph.put(REPLICA_SETS, described("rs"))
    assert graph.put(PODS, described("p1", "rs")) == set()
    graph.put(PODS, described("p2", "rs"))
    assert graph.remove("rs") == {"p1", "p2"}
    assert graph.remove("p1") == set()
    assert graph.remove("p2") == set()
    assert graph.nodes == {}


def test_an_owner_nobody_has_seen_is_looked_at_and_then_known():
    graph = Graph()
    assert graph.put(PODS, described("p", "rs")) == {"rs"}
    assert graph.nodes["rs"].virtual
    graph.put(REPLICA_SETS, described("rs"))
    assert not graph.nodes["rs"].virtual
    assert [node.uid for node in graph.dependents("rs")] == ["p"]


def test_an_owner_that_turns_out_to_be_in_another_namespace_is_no_owner():
    graph = Graph()
    graph.put(PODS, described("p", "rs"))
    assert "p" in graph.put(REPLICA_SETS, described("rs", namespace="other"))


def test_foreground_deletion_wakes_the_owner_its_dependents_and_again_when_the_last_blocker_goes():
    graph = Graph()
    graph.put(REPLICA_SETS, described("rs"))
    graph.put(PODS, described("p1", "rs", blockOwnerDeletion=True))
    graph.put(PODS, described("p2", "rs"))
    leaving = described("rs", finalizers=[FOREGROUND], deleted=True)
    assert graph.put(REPLICA_SETS, leaving) == {"rs", "p1", "p2"}
    assert graph.put(REPLICA_SETS, leaving) == set()
    assert [node.uid for node in graph.blocking("rs")] == ["p1"]
    assert graph.remove("p1") == {"rs"}
    assert graph.blocking("rs") == []


def test_orphaning_wakes_the_owner_only():
    graph = Graph()
    graph.put(REPLICA_SETS, described("rs"))
    graph.put(PODS, described("p", "rs"))
    assert graph.put(REPLICA_SETS, described("rs", finalizers=[ORPHAN], deleted=True)) == {"rs"}
    assert graph.put(PODS, described("p")) == {"p"}
    assert graph.dependents("rs") == []


REFERENCE = {"uid": "o"}


@pytest.mark.parametrize(
    ("finalizers", "owners", "dependents", "expected"),
    [
        ((), Owners(solid=[REFERENCE]), False, "keep"),
        ((), Owners(solid=[REFERENCE], dangling=[REFERENCE]), False, "release"),
        ((), Owners(dangling=[REFERENCE]), False, "Background"),
        ((ORPHAN,), Owners(dangling=[REFERENCE]), False, "Orphan"),
        ((FOREGROUND,), Owners(dangling=[REFERENCE]), True, "Foreground"),
        ((), Owners(waiting=[REFERENCE]), True, "Foreground"),
        ((), Owners(waiting=[REFERENCE]), False, "Background"),
    ],
)
def test_what_becomes_of_an_object_follows_from_its_owners(finalizers, owners, dependents, expected):
    assert plan(described("p", "o", finalizers=finalizers), owners, has_dependents=dependents) == expected


def test_an_object_that_never_had_owners_is_kept():
    assert plan(described("p"), Owners(), has_dependents=True) == "keep"


def test_everything_deletable_is_covered_once():
    resources = builtin_resources()
    assert PODS in resources
    assert NAMESPACES in resources
    assert len({(resource.group, resource.plural) for resource in resources}) == len(resources)


def test_custom_resources_are_covered_once_they_are_established():
    definition = {
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo"},
            "versions": [{"name": "v1beta1", "served": True}, {"name": "v1", "served": True}],
        },
        "status": {"conditions": []},
    }
    assert custom_resource(definition) is None
    definition["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    foos = Resource(group="x.io", version="v1", plural="foos", kind="Foo")
    assert custom_resource(definition) == foos
    known = Deletables([])
    known.add(foos)
    assert known.find("x.io/v1beta1", "Foo") == foos


def test_a_namespace_tells_what_keeps_it():
    remains = namespace.Remains()
    remains.note(PODS, [described("a", finalizers=["x.io/f"]), described("b")])
    found = {entry["type"]: entry for entry in namespace.plan([], remains, now=NOW)}
    assert found["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: pods. has 2 resource instances"
    )
    assert found["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: x.io/f in 1 resource instances"
    )
    assert found["NamespaceDeletionContentFailure"]["status"] == "False"
    cleared = namespace.plan(list(found.values()), namespace.Remains(), now=NOW)
    assert {entry["status"] for entry in cleared} == {"False"}


def test_pods_are_removed_when_nobody_else_would():
    pods = [
        pod("new", phase="Succeeded", metadata={"creationTimestamp": "2026-01-01T00:00:02Z"}),
        pod("old", phase="Succeeded", metadata={"creationTimestamp": "2026-01-01T00:00:01Z"}),
        pod(
            "evicted",
            phase="Failed",
            status={"phase": "Failed", "reason": "Evicted"},
            metadata={"creationTimestamp": "2026-01-01T00:00:03Z"},
        ),
        pod("orphan", node="gone"),
        pod("never", node="", metadata={"deletionTimestamp": NOW}),
        pod("alive"),
    ]
    actions = podgc.plan(pods, gone_nodes={"gone"}, terminated_max=1)
    names = [[entry["metadata"]["name"] for entry in group] for group in (actions.surplus, actions.orphaned)]
    assert names == [["evicted", "old"], ["orphan"]]
    assert [entry["metadata"]["name"] for entry in actions.unscheduled] == ["never"]


def test_a_finished_job_expires_after_its_time():
    condition = {"type": "Complete", "status": "True", "lastTransitionTime": NOW}
    job = {"metadata": {}, "spec": {"ttlSecondsAfterFinished": 10}, "status": {"conditions": [condition]}}
    assert ttlafterfinished.expires_in_s(job, now_s=NOW_S + 3) == 7
    assert ttlafterfinished.expires_in_s({**job, "status": {}}, now_s=NOW_S) is None
    assert ttlafterfinished.expires_in_s({**job, "spec": {}}, now_s=NOW_S) is None
