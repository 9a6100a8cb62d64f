"""StatefulSets whose claims go, numbers that begin elsewhere, and what nodes and pods are told when things change."""

from __future__ import annotations

import pytest
from tests.scenarios.cluster import run

from mamekube.controllers import nodettl
from mamekube.controllers.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    STATEFUL_SETS,
)
from mamekube.objects.resource import Resource

LABELS = {"app": "s"}
CONTAINER = {"name": "c", "image": "app:v1"}
TTL = "node.alpha.kubernetes.io/ttl"
GARDENS = Resource(group="example.com", version="v1", plural="gardens", kind="Garden")


async def stateful_set(cluster, replicas, **spec):
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = [{"metadata": {"name": "data"}, "spec": storage}]
    whole = {"serviceName": "s", "replicas": replicas, "selector": {"matchLabels": LABELS}, **spec}
    whole |= {"template": template, "volumeClaimTemplates": claims, "podManagementPolicy": "Parallel"}
    await cluster.create(STATEFUL_SETS, {"metadata": {"name": "s"}, "spec": whole})
    await cluster.settle(8)


async def names(cluster, resource):
    return [obj["metadata"]["name"] for obj in await cluster.list(resource)]


async def owners(cluster, claim):
    found = await cluster.get(PERSISTENT_VOLUME_CLAIMS, claim)
    return [(owner["kind"], owner["controller"]) for owner in found["metadata"].get("ownerReferences", ())]


@pytest.mark.parametrize(
    ("deleted", "scaled", "owned", "after_scaling", "after_deleting"),
    [
        ("Retain", "Retain", [], 3, 3),
        ("Retain", "Delete", [], 1, 1),
        ("Delete", "Retain", [("StatefulSet", True)], 3, 0),
        ("Delete", "Delete", [("StatefulSet", True)], 1, 0),
    ],
)
def test_claims_go_with_the_pod_that_is_too_many_or_with_the_set(
    deleted, scaled, owned, after_scaling, after_deleting
):
    async def scenario(cluster):
        policy = {"whenDeleted": deleted, "whenScaled": scaled}
        await stateful_set(cluster, 3, persistentVolumeClaimRetentionPolicy=policy)
        for number in range(3):
            assert await owners(cluster, f"data-s-{number}") == owned
        await cluster.patch(STATEFUL_SETS, "s", {"spec": {"replicas": 1}})
        await cluster.settle(15)
        assert await names(cluster, PODS) == ["s-0"]
        assert len(await cluster.list(PERSISTENT_VOLUME_CLAIMS)) == after_scaling
        await cluster.patch(STATEFUL_SETS, "s", {"spec": {"replicas": 2}})
        await cluster.settle(15)
        assert await names(cluster, PODS) == ["s-0", "s-1"], "with its claim of before, or another one"
        assert await owners(cluster, "data-s-1") == owned
        await cluster.patch(STATEFUL_SETS, "s", {"spec": {"replicas": 1}})
        await cluster.settle(15)
        await cluster.admin.delete(STATEFUL_SETS, "s", namespace="default", propagation="Background")
        await cluster.settle(15)
        assert len(await cluster.list(PERSISTENT_VOLUME_CLAIMS)) == after_deleting

    run(scenario)


def test_a_set_may_begin_to_count_anywhere():
    async def scenario(cluster):
        await stateful_set(cluster, 4, ordinals={"start": 4})
        assert await names(cluster, PODS) == ["s-4", "s-5", "s-6", "s-7"]
        index = "apps.kubernetes.io/pod-index"
        told = [pod["metadata"]["labels"][index] for pod in await cluster.list(PODS)]
        assert told == ["4", "5", "6", "7"]
        await cluster.patch(STATEFUL_SETS, "s", {"spec": {"replicas": 1}})
        await cluster.settle(8)
        assert await names(cluster, PODS) == ["s-4"]

    run(scenario)


def test_nodes_are_told_for_how_long_to_keep_what_they_read():
    async def scenario(cluster):
        async def told():
            return {node["metadata"]["annotations"][TTL] for node in await cluster.list(NODES)}

        assert await told() == {"0"}
        for number in range(2, 102):
            await cluster.create(NODES, {"metadata": {"name": f"more-{number}"}})
        await cluster.settle()
        assert await told() == {"15"}
        for number in range(2, 13):
            await cluster.admin.delete(NODES, f"more-{number}")
        await cluster.settle()
        assert len(await cluster.list(NODES)) == 90
        assert await told() == {"15"}, "it takes more to go back than to come"
        await cluster.admin.delete(NODES, "more-13")
        await cluster.settle()
        assert await told() == {"0"}

    run(scenario, nodes=1)


@pytest.mark.parametrize(
    ("step", "nodes", "then"),
    [(0, 100, 0), (0, 101, 1), (0, 5000, 4), (1, 90, 1), (1, 89, 0), (4, 1800, 4), (4, 1799, 3), (4, 0, 0)],
)
def test_the_steps_of_a_cluster_overlap(step, nodes, then):
    assert nodettl.next_step(step, nodes) == then


def test_what_was_to_be_disrupted_and_stays_is_told_so():
    async def scenario(cluster):
        for name, reason in (("a", "EvictionByEvictionAPI"), ("b", "TerminationByKubelet")):
            await cluster.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [CONTAINER]}})
            doomed = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "m"}
            doomed["lastTransitionTime"] = cluster.clock.timestamp()
            patch = {"status": {"conditions": [doomed]}}
            await cluster.admin.patch(
                PODS, name, patch, namespace="default", patch_type="strategic", subresource="status"
            )

        async def condition(name):
            conditions = (await cluster.get(PODS, name))["status"]["conditions"]
            (found,) = [entry for entry in conditions if entry["type"] == "DisruptionTarget"]
            return found["status"], found.get("reason"), found.get("message")

        await cluster.settle(115)
        assert await condition("a") == ("True", "EvictionByEvictionAPI", "m")
        await cluster.settle(10)
        assert await condition("a") == ("False", None, None)
        assert await condition("b") == ("True", "TerminationByKubelet", "m")

    run(scenario)


def test_a_budget_knows_the_size_of_what_a_custom_resource_scales():
    async def scenario(cluster):
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        version = {"name": "v1", "served": True, "storage": True, "schema": schema}
        version["subresources"] = {"scale": scale}
        described = {"group": "example.com", "scope": "Namespaced", "versions": [version]}
        described["names"] = {"plural": "gardens", "kind": "Garden"}
        await cluster.create(
            CUSTOM_RESOURCE_DEFINITIONS, {"metadata": {"name": "gardens.example.com"}, "spec": described}
        )
        await cluster.settle()
        garden = await cluster.create(GARDENS, {"metadata": {"name": "g"}, "spec": {"replicas": 4}})
        owner = {"apiVersion": "example.com/v1", "kind": "Garden", "name": "g", "controller": True}
        owner["uid"] = garden["metadata"]["uid"]
        for number in range(4):
            meta = {"name": f"p{number}", "labels": LABELS, "ownerReferences": [owner]}
            await cluster.create(PODS, {"metadata": meta, "spec": {"containers": [CONTAINER]}})
        budget = {"maxUnavailable": 2, "selector": {"matchLabels": LABELS}}
        await cluster.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": "b"}, "spec": budget})
        await cluster.settle(6)
        told = (await cluster.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
        assert [told[name] for name in ("expectedPods", "desiredHealthy", "disruptionsAllowed")] == [4, 2, 2]

    run(scenario)


@pytest.mark.parametrize(
    "selector", [{}, {"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}]
)
def test_a_budget_may_mean_pods_without_labels(selector):
    async def scenario(cluster):
        budget = {"minAvailable": 1, "selector": selector}
        await cluster.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": "b"}, "spec": budget})
        await cluster.create(PODS, {"metadata": {"name": "p"}, "spec": {"containers": [CONTAINER]}})
        await cluster.settle(6)
        assert (await cluster.get(POD_DISRUPTION_BUDGETS, "b"))["status"]["currentHealthy"] == 1

    run(scenario)


def test_pods_that_nobody_controls_are_none_that_a_share_is_taken_of():
    async def scenario(cluster):
        budget = {"maxUnavailable": "50%", "selector": {"matchLabels": LABELS}}
        await cluster.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": "b"}, "spec": budget})
        meta = {"name": "alone", "labels": LABELS}
        await cluster.create(PODS, {"metadata": meta, "spec": {"containers": [CONTAINER]}})
        await cluster.settle(6)
        told = (await cluster.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
        assert (told["expectedPods"], told["currentHealthy"], told["disruptionsAllowed"]) == (0, 1, 0)
        (warned,) = await cluster.events("UnmanagedPods")
        assert warned.startswith(
            "PodDisruptionBudget: Pods selected by this PodDisruptionBudget (selector: app=s) were found to be "
        )
        stray = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "none",
            "uid": "1",
            "controller": True,
        }
        meta = {"name": "stray", "labels": LABELS, "ownerReferences": [stray]}
        meta["finalizers"] = ["example.com/held"]
        await cluster.create(PODS, {"metadata": meta, "spec": {"containers": [CONTAINER]}})
        await cluster.settle(0.5)
        told = (await cluster.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
        (condition,) = told["conditions"]
        assert (condition["reason"], condition["message"]) == (
            "SyncFailed",
            'found no controllers for pod "stray"',
        )

    run(scenario)
