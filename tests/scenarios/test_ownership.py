"""Who owns what: ReplicaSets and pods that are adopted, let go and renamed; what a Service and a namespace tell."""

from __future__ import annotations

from tests.scenarios.cluster import run

from mamekube.controllers.resources import (
    DEPLOYMENTS,
    ENDPOINTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from mamekube.objects.owners import controller_of

CONTAINER = {"name": "app", "image": "app:v1"}
LABELS = {"app": "web"}
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def replica_set(cluster, **spec):
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    whole = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template, **spec}
    return await cluster.create(REPLICA_SETS, {"metadata": {"name": "rs"}, "spec": whole})


async def pod(cluster, name, labels):
    meta = {"name": name, "labels": labels}
    return await cluster.create(PODS, {"metadata": meta, "spec": {"containers": [CONTAINER]}})


def reference(owner, kind, **more):
    meta = owner["metadata"]
    return {"apiVersion": "apps/v1", "kind": kind, "name": meta["name"], "uid": meta["uid"], **more}


async def names(cluster, resource):
    return [obj["metadata"]["name"] for obj in await cluster.list(resource)]


def test_a_new_replica_set_has_the_annotations_of_its_deployment_but_not_what_was_applied():
    async def scenario(cluster):
        annotations = {"test": "copied", APPLIED: "kept"}
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
        spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template}
        await cluster.create(
            DEPLOYMENTS, {"metadata": {"name": "web", "annotations": annotations}, "spec": spec}
        )
        await cluster.settle()
        (made,) = await cluster.list(REPLICA_SETS)
        told = made["metadata"]["annotations"]
        assert told["test"] == "copied"
        assert APPLIED not in told
        assert told["deployment.kubernetes.io/desired-replicas"] == "2"
        hashed = made["metadata"]["labels"]["pod-template-hash"]
        assert made["metadata"]["name"] == f"web-{hashed}"
        assert made["spec"]["selector"]["matchLabels"]["pod-template-hash"] == hashed
        pods = await cluster.list(PODS)
        assert {one["metadata"]["labels"]["pod-template-hash"] for one in pods} == {hashed}

    run(scenario)


def test_a_replica_set_whose_name_is_taken_gets_another_one():
    async def scenario(cluster):
        await cluster.deploy(replicas=1)
        await cluster.settle()
        (first,) = await names(cluster, REPLICA_SETS)
        template = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}
        await cluster.patch(REPLICA_SETS, first, template)
        await cluster.settle(10)
        deployment = await cluster.get(DEPLOYMENTS, "web")
        assert deployment["status"]["collisionCount"] == 1
        assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
        assert len(await names(cluster, REPLICA_SETS)) == 2

    run(scenario)


def test_a_deployment_takes_its_replica_set_back_and_lets_go_of_one_with_other_labels():
    async def scenario(cluster):
        deployment = await cluster.deploy(replicas=1)
        await cluster.until(cluster.rolled_out, "rolled out")
        (name,) = await names(cluster, REPLICA_SETS)
        other = {"apiVersion": "v1", "kind": "Node", "name": "n1", "controller": False}
        other["uid"] = (await cluster.admin.get(NODES, "n1"))["metadata"]["uid"]
        mine = reference(deployment, "Deployment", controller=False)
        for written, count in (([other], 2), ([mine], 1)):
            made = await cluster.get(REPLICA_SETS, name)
            meta = {**made["metadata"], "ownerReferences": written}
            await cluster.admin.update(REPLICA_SETS, {**made, "metadata": meta})
            await cluster.settle()
            made = await cluster.get(REPLICA_SETS, name)
            assert controller_of(made)["uid"] == deployment["metadata"]["uid"]
            assert len(made["metadata"]["ownerReferences"]) == count
        labels = {"metadata": {"labels": {"app": None, "pod-template-hash": None, "other": "x"}}}
        await cluster.patch(REPLICA_SETS, name, labels)
        await cluster.settle(10)
        assert controller_of(await cluster.get(REPLICA_SETS, name)) is None
        assert (await cluster.get(DEPLOYMENTS, "web"))["status"]["collisionCount"] == 1
        assert len(await names(cluster, REPLICA_SETS)) == 2

    run(scenario)


def test_a_pod_that_matches_is_adopted_by_whoever_needs_it():
    async def scenario(cluster):
        await pod(cluster, "lone", LABELS)
        made = await replica_set(cluster)
        await cluster.settle(5)
        (adopted,) = await cluster.list(PODS)
        wanted = reference(made, "ReplicaSet", controller=True, blockOwnerDeletion=True)
        assert (adopted["metadata"]["name"], adopted["metadata"]["ownerReferences"]) == ("lone", [wanted])

    run(scenario)


def test_a_pod_with_other_labels_is_let_go_and_replaced_and_taken_back_when_it_matches_again():
    async def scenario(cluster):
        await replica_set(cluster, replicas=2)
        await cluster.settle(5)
        first, _ = await names(cluster, PODS)
        await cluster.patch(PODS, first, {"metadata": {"labels": {"app": "other"}}})
        await cluster.settle(5)
        assert len(await names(cluster, PODS)) == 3
        assert "ownerReferences" not in (await cluster.get(PODS, first))["metadata"]
        await cluster.patch(PODS, first, {"metadata": {"labels": LABELS}})
        await cluster.settle(5)
        assert len(await names(cluster, PODS)) == 2

    run(scenario)


def test_two_deployments_of_one_selector_do_not_meet():
    async def scenario(cluster):
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
        for name in ("first", "second"):
            spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template}
            await cluster.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec})
        await cluster.until(lambda: cluster.rolled_out("first"), "first")
        await cluster.scale(2, "first")
        await cluster.until(lambda: cluster.rolled_out("first"), "first scaled")
        sizes = await cluster.replica_sizes()
        assert sorted((name.rpartition("-")[0], size) for name, size in sizes.items()) == [
            ("first", 2),
            ("second", 1),
        ]

    run(scenario)


def test_a_service_without_an_address_gets_endpoints_when_it_gets_one():
    async def scenario(cluster):
        await pod(cluster, "p", LABELS)
        spec = {"type": "ExternalName", "externalName": "example.com", "selector": LABELS}
        spec["ports"] = [{"port": 80}]
        await cluster.create(SERVICES, {"metadata": {"name": "svc"}, "spec": spec})
        await cluster.settle(6)
        assert await cluster.get(ENDPOINTS, "svc") is None
        await cluster.patch(SERVICES, "svc", {"spec": {"type": "ClusterIP", "externalName": None}})
        await cluster.settle(3)
        endpoints = await cluster.get(ENDPOINTS, "svc")
        assert len(endpoints["subsets"][0]["addresses"]) == 1
        assert "service.kubernetes.io/headless" not in endpoints["metadata"].get("labels", {})
        revision = endpoints["metadata"]["resourceVersion"]
        await cluster.patch(SERVICES, "svc", {"metadata": {"annotations": {"a": "b"}}})
        await cluster.settle(3)
        assert (await cluster.get(ENDPOINTS, "svc"))["metadata"]["resourceVersion"] == revision
        await cluster.admin.patch(
            PODS, "p", {"metadata": {"finalizers": ["example.com/x"]}}, namespace="default"
        )
        await cluster.admin.delete(PODS, "p", namespace="default")
        await cluster.settle(1)
        assert "subsets" not in await cluster.get(ENDPOINTS, "svc")

    run(scenario)


def test_a_namespace_tells_what_keeps_it():
    async def scenario(cluster):
        await cluster.create(NAMESPACES, {"metadata": {"name": "doomed"}})
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
        spec = {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": template}
        meta = {"name": "held", "finalizers": ["custom.io/finalizer"]}
        await cluster.create(DEPLOYMENTS, {"metadata": meta, "spec": spec}, namespace="doomed")
        await cluster.admin.delete(NAMESPACES, "doomed")
        await cluster.settle(10)
        told = (await cluster.get(NAMESPACES, "doomed"))["status"]["conditions"]
        assert {entry["type"]: entry["message"] for entry in told} == {
            "NamespaceDeletionDiscoveryFailure": "All resources successfully discovered",
            "NamespaceDeletionGroupVersionParsingFailure": "All legacy kube types successfully parsed",
            "NamespaceDeletionContentFailure": (
                "All content successfully deleted, may be waiting on finalization"
            ),
            "NamespaceContentRemaining": (
                "Some resources are remaining: deployments.apps has 1 resource instances"
            ),
            "NamespaceFinalizersRemaining": (
                "Some content in the namespace has finalizers remaining: "
                "custom.io/finalizer in 1 resource instances"
            ),
        }

    run(scenario)
