"""How things go: owners and what they own, whole namespaces, nodes that fall silent."""

from __future__ import annotations

import pytest
from tests.scenarios.cluster import EVENTS, run

from mamekube.controllers.resources import (
    CONFIG_MAPS,
    CRON_JOBS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICES,
)


def test_in_the_background_the_owner_goes_first_and_everything_it_owns_after():
    async def scenario(cluster):
        await cluster.deploy()
        await cluster.until(cluster.rolled_out, "rolled out")
        await cluster.admin.delete(DEPLOYMENTS, "web", namespace="default", propagation="Background")
        assert await cluster.get(DEPLOYMENTS, "web") is None
        await cluster.settle(5)
        assert await cluster.list(REPLICA_SETS) == []
        assert await cluster.list(PODS) == []

    run(scenario)


def test_in_the_foreground_the_owner_goes_last():
    async def scenario(cluster):
        await cluster.deploy()
        await cluster.until(cluster.rolled_out, "rolled out")
        await cluster.admin.delete(DEPLOYMENTS, "web", namespace="default", propagation="Foreground")
        await cluster.settle(0.5)
        assert (await cluster.get(DEPLOYMENTS, "web"))["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert all(pod["metadata"].get("deletionTimestamp") for pod in await cluster.list(PODS))
        await cluster.settle(5)
        assert await cluster.get(DEPLOYMENTS, "web") is None
        assert await cluster.list(REPLICA_SETS) == []

    run(scenario)


def test_orphans_stay_and_are_adopted_by_a_successor():
    async def scenario(cluster):
        await cluster.deploy()
        await cluster.until(cluster.rolled_out, "rolled out")
        before = {pod["metadata"]["uid"] for pod in await cluster.list(PODS)}
        await cluster.admin.delete(DEPLOYMENTS, "web", namespace="default", propagation="Orphan")
        await cluster.settle(5)
        (orphan,) = await cluster.list(REPLICA_SETS)
        assert "ownerReferences" not in orphan["metadata"]
        await cluster.deploy()
        await cluster.until(cluster.rolled_out, "adopted")
        assert {pod["metadata"]["uid"] for pod in await cluster.list(PODS)} == before

    run(scenario)


def test_what_names_an_owner_that_never_existed_is_removed():
    async def scenario(cluster):
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "no-such-uid"}
        await cluster.create(CONFIG_MAPS, {"metadata": {"name": "heir", "ownerReferences": [owner]}})
        await cluster.settle(2)
        assert await cluster.get(CONFIG_MAPS, "heir") is None

    run(scenario)


def test_an_owner_in_another_namespace_is_none_and_the_user_is_told():
    """Upstream: TestCrossNamespaceReferences. What is in no namespace is kept: better litter than loss."""

    async def scenario(cluster):
        await cluster.create(NAMESPACES, {"metadata": {"name": "other"}})
        owner = await cluster.create(CONFIG_MAPS, {"metadata": {"name": "parent"}})
        uid = owner["metadata"]["uid"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": uid}
        child = {"metadata": {"name": "child", "ownerReferences": [reference]}}
        await cluster.create(CONFIG_MAPS, child, namespace="other")
        await cluster.create(NODES, {"metadata": {"name": "child", "ownerReferences": [reference]}})
        await cluster.settle(5)
        assert await cluster.get(CONFIG_MAPS, "child", namespace="other") is None
        assert await cluster.get(NODES, "child") is not None
        told = [
            (event["type"], event["involvedObject"]["kind"], event["message"])
            for namespace in ("other", "default")
            for event in await cluster.list(EVENTS, namespace=namespace)
            if event["reason"] == "OwnerRefInvalidNamespace"
        ]
        shown = 'ownerRef [v1/ConfigMap, namespace: {0}, name: parent, uid: {1}] does not exist in namespace "{0}"'
        assert told == [
            ("Warning", "ConfigMap", shown.format("other", uid)),
            ("Warning", "Node", shown.format("", uid)),
        ]

    run(scenario)


def test_an_owner_is_who_has_the_name_the_kind_and_the_uid():
    async def scenario(cluster):
        node = await cluster.get(NODES, "n1")
        right = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"]}
        for name, wrong in (
            ("right", {}),
            ("uid", {"uid": "u"}),
            ("name", {"name": "n3"}),
            ("kind", {"kind": "Pod"}),
        ):
            meta = {"name": name, "ownerReferences": [{**right, **wrong}]}
            await cluster.create(CONFIG_MAPS, {"metadata": meta})
        await cluster.settle(5)
        left = {entry["metadata"]["name"] for entry in await cluster.list(CONFIG_MAPS)}
        assert left & {"right", "uid", "name", "kind"} == {"right"}

    run(scenario)


@pytest.mark.parametrize("blocks", [True, False])
def test_a_foreground_deletion_waits_for_those_that_block_it(blocks):
    """Upstream: TestBlockingOwnerRefDoesBlock, TestNonBlockingOwnerRefDoesNotBlock."""

    async def scenario(cluster):
        owner = await cluster.create(CONFIG_MAPS, {"metadata": {"name": "owner"}})
        uid = owner["metadata"]["uid"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
        meta = {
            "name": "held",
            "finalizers": ["example.com/held"],
            "ownerReferences": [{**reference, "blockOwnerDeletion": blocks}],
        }
        await cluster.create(CONFIG_MAPS, {"metadata": meta})
        await cluster.settle()
        await cluster.admin.delete(CONFIG_MAPS, "owner", namespace="default", propagation="Foreground")
        await cluster.settle(5)
        assert "deletionTimestamp" in (await cluster.get(CONFIG_MAPS, "held"))["metadata"]
        assert (await cluster.get(CONFIG_MAPS, "owner") is not None) is blocks

    run(scenario)


def test_jobs_and_pods_go_with_their_cron_job():
    """Upstream's default suite: they are gone though nobody asked for it."""

    async def scenario(cluster):
        containers = [{"name": "c", "image": "app:v1"}]
        template = {"template": {"spec": {"containers": containers, "restartPolicy": "OnFailure"}}}
        spec = {"schedule": "*/1 * * * ?", "jobTemplate": {"spec": template}}
        await cluster.create(CRON_JOBS, {"metadata": {"name": "simple"}, "spec": spec})
        await cluster.settle(62)
        assert await cluster.list(JOBS)
        assert await cluster.list(PODS)
        await cluster.admin.delete(CRON_JOBS, "simple", namespace="default")
        await cluster.settle(10)
        assert not await cluster.list(JOBS)
        assert not await cluster.list(PODS)

    run(scenario)


def test_one_living_owner_keeps_an_object_and_the_dead_one_is_forgotten():
    async def scenario(cluster):
        alive = await cluster.create(CONFIG_MAPS, {"metadata": {"name": "alive"}})
        references = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "no-such-uid"},
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "alive", "uid": alive["metadata"]["uid"]},
        ]
        await cluster.create(CONFIG_MAPS, {"metadata": {"name": "heir", "ownerReferences": references}})
        await cluster.settle(2)
        heir = await cluster.get(CONFIG_MAPS, "heir")
        assert [reference["name"] for reference in heir["metadata"]["ownerReferences"]] == ["alive"]

    run(scenario)


def test_a_namespace_takes_everything_with_it_and_waits_for_finalizers():
    async def scenario(cluster):
        await cluster.create(NAMESPACES, {"metadata": {"name": "shop"}})
        await cluster.settle(1)
        held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
        await cluster.create(CONFIG_MAPS, held, namespace="shop")
        pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "app:v1"}]}}
        await cluster.create(PODS, pod, namespace="shop")
        await cluster.settle(5)
        await cluster.admin.delete(NAMESPACES, "shop")
        await cluster.settle(12)
        namespace = await cluster.get(NAMESPACES, "shop")
        assert namespace["status"]["phase"] == "Terminating"
        told = {entry["type"]: entry["message"] for entry in namespace["status"]["conditions"]}
        assert told["NamespaceFinalizersRemaining"] == (
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        )
        assert await cluster.list(PODS, namespace="shop") == []
        await cluster.admin.patch(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}}, namespace="shop")
        await cluster.until(lambda: cluster.namespace_gone("shop"), "the namespace is gone", within_s=30)

    run(scenario)


def test_every_namespace_is_born_with_an_account_and_the_root_certificate():
    async def scenario(cluster):
        await cluster.create(NAMESPACES, {"metadata": {"name": "shop"}})
        await cluster.settle(1)
        config_map = await cluster.get(CONFIG_MAPS, "kube-root-ca.crt", namespace="shop")
        assert config_map["data"] == {"ca.crt": "PEM"}
        await cluster.admin.delete(CONFIG_MAPS, "kube-root-ca.crt", namespace="shop")
        await cluster.settle(1)
        assert await cluster.get(CONFIG_MAPS, "kube-root-ca.crt", namespace="shop") is not None

    run(scenario)


def taints(node):
    return sorted(f"{entry['key']}:{entry['effect']}" for entry in node["spec"].get("taints", ()))


def test_a_dead_node_is_noticed_its_pods_leave_services_and_move_after_five_minutes():
    async def scenario(cluster):
        await cluster.create(
            SERVICES,
            {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
        )
        await cluster.deploy(replicas=4)
        await cluster.until(cluster.rolled_out, "rolled out")
        await cluster.settle(20)
        doomed = sum(pod["spec"]["nodeName"] == "n1" for pod in await cluster.list(PODS))
        assert 0 < doomed < 4
        trace = []

        async def note(label):
            node = await cluster.get(NODES, "n1")
            ready = next(entry for entry in node["status"]["conditions"] if entry["type"] == "Ready")
            status = (await cluster.get(DEPLOYMENTS, "web"))["status"]
            pods = await cluster.list(PODS)
            deleted = sum(bool(pod["metadata"].get("deletionTimestamp")) for pod in pods)
            trace.append(
                f"{label}: Ready={ready['status']} taints={','.join(taints(node)) or '-'} "
                f"available={status.get('availableReplicas', 0)} pods={len(pods)} deleted={deleted}"
            )

        cluster.nodes["n1"].powered = False
        await note("  0 s")
        await cluster.settle(40)
        await note(" 40 s")
        await cluster.settle(30)
        await note(" 70 s")
        await cluster.settle(270)
        await note("340 s")
        await cluster.settle(40)
        await note("380 s")
        taint = "node.kubernetes.io/unreachable"
        gone = f"Ready=Unknown taints={taint}:NoExecute,{taint}:NoSchedule"
        assert trace == [
            "  0 s: Ready=True taints=- available=4 pods=4 deleted=0",
            " 40 s: Ready=True taints=- available=4 pods=4 deleted=0",
            f" 70 s: {gone} available={4 - doomed} pods=4 deleted=0",
            f"340 s: {gone} available={4 - doomed} pods=4 deleted=0",
            f"380 s: {gone} available=4 pods={4 + doomed} deleted={doomed}",
        ]
        assert "Node: Node n1 status is now: NodeNotReady" in await cluster.events("NodeNotReady")
        cluster.nodes["n1"].powered = True
        await cluster.settle(30)
        assert taints(await cluster.get(NODES, "n1")) == []

    run(scenario)


def test_pods_of_a_node_that_was_deleted_are_collected():
    async def scenario(cluster):
        await cluster.deploy(replicas=2)
        await cluster.until(cluster.rolled_out, "rolled out")
        cluster.nodes["n1"].powered = False
        await cluster.admin.delete(NODES, "n1")
        await cluster.settle(120)
        assert {pod["spec"]["nodeName"] for pod in await cluster.list(PODS)} == {"n2"}
        assert await cluster.rolled_out()

    run(scenario)


@pytest.mark.parametrize("replicas", [0, 3])
def test_a_deployment_that_is_deleted_at_once_leaves_nothing(replicas):
    async def scenario(cluster):
        await cluster.deploy(replicas=replicas)
        await cluster.admin.delete(DEPLOYMENTS, "web", namespace="default")
        await cluster.settle(10)
        assert await cluster.list(REPLICA_SETS) == []
        assert await cluster.list(PODS) == []

    run(scenario)
