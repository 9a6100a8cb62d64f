"""Deployments from birth to rollback, on virtual time. What is asserted, a user with kubectl could see."""

from __future__ import annotations

from textwrap import dedent

from tests.scenarios.cluster import Cluster, run

from mamekube.controllers.resources import DEPLOYMENTS, PODS, REPLICA_SETS


class PodCounts:
    """At every revision: how many pods count as replicas, and how many of them are Ready."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.most, self.least = 0, 1000
        self.revisions = 0
        self.begun = False
        cluster.informers.informer(PODS).subscribe(self._look)

    def _look(self, event, old, new):
        alive = [pod for pod in self.cluster.pods.list() if not pod["metadata"].get("deletionTimestamp")]
        ready = sum(
            any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in pod.get("status", {}).get("conditions", ())
            )
            for pod in alive
        )
        if self.begun:
            self.revisions += 1
            self.most, self.least = max(self.most, len(alive)), min(self.least, ready)


def named(events, *names):
    """The events with the given ReplicaSets called A, B, …"""
    text = "\n".join(events)
    for letter, name in zip("ABC", names, strict=False):
        text = text.replace(name, letter)
    return text


def golden(text):
    return dedent(text).strip()


def test_a_rolling_update_never_breaks_surge_or_availability_at_any_revision():
    async def scenario(cluster):
        await cluster.deploy(replicas=4)
        await cluster.until(cluster.rolled_out, "v1 rolled out")
        (first,) = await cluster.replica_sizes()
        counts = PodCounts(cluster)
        counts.begun = True
        await cluster.set_image("app:v2")
        await cluster.until(cluster.rolled_out, "v2 rolled out", within_s=60)
        counts.begun = False
        (second,) = set(await cluster.replica_sizes()) - {first}
        assert await cluster.images() == {"app:v2": 4}
        assert (counts.most, counts.least) == (5, 3)
        assert counts.revisions > 12
        assert named(await cluster.events("ScalingReplicaSet"), first, second) == golden("""
            Deployment: Scaled up replica set A from 0 to 4
            Deployment: Scaled up replica set B from 0 to 1
            Deployment: Scaled down replica set A from 4 to 3
            Deployment: Scaled up replica set B from 1 to 2
            Deployment: Scaled down replica set A from 3 to 2
            Deployment: Scaled up replica set B from 2 to 3
            Deployment: Scaled down replica set A from 2 to 1
            Deployment: Scaled up replica set B from 3 to 4
            Deployment: Scaled down replica set A from 1 to 0
            """)
        assert await cluster.condition("web", "Progressing") == ("True", "NewReplicaSetAvailable")

    run(scenario)


def test_a_missing_image_stops_the_rollout_and_undo_restarts_none_of_the_three():
    async def scenario(cluster):
        await cluster.deploy(replicas=4, image="app:v2", progressDeadlineSeconds=60)
        await cluster.until(cluster.rolled_out, "v2 rolled out")
        (good,) = await cluster.replica_sizes()
        await cluster.set_image("app:v10")
        await cluster.settle(30)
        survivors = {
            pod["metadata"]["uid"]
            for pod in await cluster.list(PODS)
            if pod["spec"]["containers"][0]["image"] == "app:v2"
        }
        assert await cluster.images() == {"app:v2": 3, "app:v10": 2}
        assert len(survivors) == 3
        assert await cluster.condition("web", "Available") == ("True", "MinimumReplicasAvailable")
        await cluster.settle(60)
        assert await cluster.condition("web", "Progressing") == ("False", "ProgressDeadlineExceeded")
        # kubectl rollout undo writes the template of the older ReplicaSet into the Deployment.
        await cluster.set_image("app:v2")
        await cluster.until(cluster.rolled_out, "undone", within_s=60)
        assert await cluster.images() == {"app:v2": 4}
        assert survivors <= {pod["metadata"]["uid"] for pod in await cluster.list(PODS)}
        revived = await cluster.get(REPLICA_SETS, good)
        annotations = revived["metadata"]["annotations"]
        assert annotations["deployment.kubernetes.io/revision"] == "3"
        assert annotations["deployment.kubernetes.io/revision-history"] == "1"

    run(scenario)


def test_scaling_follows_at_once_and_the_status_counts_every_step():
    async def scenario(cluster):
        await cluster.deploy(replicas=1)
        await cluster.until(cluster.rolled_out, "one")
        await cluster.scale(4)
        await cluster.settle(1)
        deployment = await cluster.get(DEPLOYMENTS, "web")
        status = deployment["status"]
        assert (status["replicas"], status["availableReplicas"], status["unavailableReplicas"]) == (4, 1, 3)
        await cluster.until(cluster.rolled_out, "four")
        await cluster.scale(1)
        await cluster.settle(0.5)
        terminating = [pod for pod in await cluster.list(PODS) if pod["metadata"].get("deletionTimestamp")]
        assert len(terminating) == 3
        status = (await cluster.get(DEPLOYMENTS, "web"))["status"]
        assert (status["replicas"], status["terminatingReplicas"]) == (1, 3)
        await cluster.settle(5)
        assert len(await cluster.list(PODS)) == 1
        status = (await cluster.get(DEPLOYMENTS, "web"))["status"]
        assert (status["replicas"], status["terminatingReplicas"]) == (1, 0)

    run(scenario)


def test_a_paused_deployment_waits_and_a_resumed_one_rolls_once():
    async def scenario(cluster):
        await cluster.deploy(replicas=2)
        await cluster.until(cluster.rolled_out, "v1")
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"paused": True}})
        await cluster.set_image("app:v2")
        await cluster.set_image("app:v3")
        await cluster.settle(10)
        assert await cluster.images() == {"app:v1": 2}
        assert await cluster.condition("web", "Progressing") == ("Unknown", "DeploymentPaused")
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}})
        await cluster.until(cluster.rolled_out, "v3")
        assert await cluster.images() == {"app:v3": 2}
        assert len(await cluster.replica_sizes()) == 2

    run(scenario)


def test_recreate_has_a_moment_without_pods_and_never_a_mixture():
    async def scenario(cluster):
        mixtures = []

        def look(event, old, new):
            mixtures.append({pod["spec"]["containers"][0]["image"] for pod in cluster.pods.list()})

        cluster.informers.informer(PODS).subscribe(look)
        await cluster.deploy(replicas=3, strategy={"type": "Recreate"})
        await cluster.until(cluster.rolled_out, "v1")
        await cluster.set_image("app:v2")
        await cluster.settle(0.2)
        await cluster.until(cluster.rolled_out, "v2")
        assert [] in [list(mixture) for mixture in mixtures]
        assert all(len(mixture) <= 1 for mixture in mixtures)

    run(scenario)


def test_min_ready_seconds_make_a_pod_wait_for_its_availability():
    async def scenario(cluster):
        await cluster.deploy(replicas=1, minReadySeconds=20)
        await cluster.settle(10)
        status = (await cluster.get(DEPLOYMENTS, "web"))["status"]
        assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (1, 0)
        await cluster.settle(15)
        assert await cluster.rolled_out()

    run(scenario)


def test_a_label_taken_away_releases_the_pod_and_given_back_adopts_it():
    async def scenario(cluster):
        await cluster.deploy(replicas=2)
        await cluster.until(cluster.rolled_out, "two")
        stray = (await cluster.list(PODS))[0]["metadata"]["name"]
        await cluster.patch(PODS, stray, {"metadata": {"labels": {"app": "debug"}}})
        await cluster.settle(10)
        assert len(await cluster.list(PODS)) == 3
        released = await cluster.get(PODS, stray)
        assert not released["metadata"].get("ownerReferences")
        await cluster.patch(PODS, stray, {"metadata": {"labels": {"app": "web"}}})
        await cluster.settle(10)
        assert len(await cluster.list(PODS)) == 2

    run(scenario)


def test_two_hundred_pods_are_created_by_one_replica_set_exactly_once():
    async def scenario(cluster):
        await cluster.deploy(replicas=200)
        await cluster.until(cluster.rolled_out, "all", within_s=60)
        assert len(await cluster.list(PODS)) == 200
        events = await cluster.events("SuccessfulCreate")
        assert all(event.startswith("ReplicaSet: Created pod: web-") for event in events[:3])

    run(scenario)
