"""Jobs, CronJobs, DaemonSets, StatefulSets and Services, on virtual time."""

from __future__ import annotations

from tests.scenarios.cluster import run

from mamekube.controllers.resources import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    JOBS,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    RESOURCE_QUOTAS,
    SERVICES,
    STATEFUL_SETS,
)


def template(image="app:v1", labels=None, **spec):
    return {
        "metadata": {"labels": labels or {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": image}], **spec},
    }


def job_spec(image="app:v1", **spec):
    return {"template": {"spec": {**template(image)["spec"], "restartPolicy": "Never"}}, **spec}


def condition(obj, kind):
    for entry in obj.get("status", {}).get("conditions", ()):
        if entry["type"] == kind:
            return entry["status"], entry["reason"], entry["message"]
    return None


def test_a_job_runs_as_many_pods_at_once_as_it_may_until_enough_have_succeeded():
    async def scenario(cluster):
        await cluster.create(
            JOBS, {"metadata": {"name": "j"}, "spec": job_spec(completions=5, parallelism=2)}
        )
        most = 0

        async def done():
            nonlocal most
            running = [pod for pod in await cluster.list(PODS) if pod["status"].get("phase") == "Running"]
            most = max(most, len(running))
            return condition(await cluster.get(JOBS, "j"), "Complete")

        await cluster.until(done, "complete", within_s=120)
        job = await cluster.get(JOBS, "j")
        assert most == 2
        assert job["status"]["succeeded"] == 5
        assert "active" not in job["status"]
        assert condition(job, "Complete") == (
            "True",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        )
        pods = await cluster.list(PODS)
        assert len(pods) == 5
        assert not any(pod["metadata"].get("finalizers") for pod in pods)
        assert "Job: Job completed" in await cluster.events("Completed")

    run(scenario)


def test_a_job_that_keeps_failing_waits_longer_each_time_and_gives_up():
    async def scenario(cluster):
        await cluster.create(JOBS, {"metadata": {"name": "j"}, "spec": job_spec("app:fails", backoffLimit=2)})

        async def failed():
            return condition(await cluster.get(JOBS, "j"), "Failed")

        await cluster.until(failed, "failed", within_s=300)
        job = await cluster.get(JOBS, "j")
        assert job["status"]["failed"] == 3
        assert condition(job, "Failed") == (
            "True",
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        )
        created = sorted(pod["metadata"]["creationTimestamp"] for pod in await cluster.list(PODS))
        assert [moment[14:19] for moment in created] == ["00:00", "00:16", "00:42"]

    run(scenario)


def test_an_indexed_job_gives_every_index_one_pod():
    async def scenario(cluster):
        spec = job_spec(completions=3, parallelism=3, completionMode="Indexed")
        await cluster.create(JOBS, {"metadata": {"name": "j"}, "spec": spec})
        await cluster.settle(1)
        pods = await cluster.list(PODS)
        index = "batch.kubernetes.io/job-completion-index"
        assert sorted(pod["metadata"]["annotations"][index] for pod in pods) == ["0", "1", "2"]
        assert {pod["spec"]["hostname"] for pod in pods} == {"j-0", "j-1", "j-2"}
        await cluster.settle(15)
        assert (await cluster.get(JOBS, "j"))["status"]["completedIndexes"] == "0-2"

    run(scenario)


def test_a_deleted_job_leaves_no_pod_held_by_its_finalizer():
    async def scenario(cluster):
        await cluster.create(
            JOBS, {"metadata": {"name": "j"}, "spec": job_spec(completions=2, parallelism=2)}
        )
        await cluster.settle(4)
        await cluster.admin.delete(JOBS, "j", namespace="default", propagation="Background")
        await cluster.settle(10)
        assert await cluster.list(PODS) == []

    run(scenario)


def test_a_finished_job_goes_after_its_time():
    async def scenario(cluster):
        await cluster.create(JOBS, {"metadata": {"name": "j"}, "spec": job_spec(ttlSecondsAfterFinished=30)})
        await cluster.settle(20)
        assert condition(await cluster.get(JOBS, "j"), "Complete")
        await cluster.settle(30)
        assert await cluster.get(JOBS, "j") is None
        assert await cluster.list(PODS) == []

    run(scenario)


def test_a_cron_job_starts_one_job_a_minute_and_keeps_three():
    async def scenario(cluster):
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": job_spec()}}
        await cluster.create(CRON_JOBS, {"metadata": {"name": "tick"}, "spec": spec})
        await cluster.settle(330)
        jobs = await cluster.list(JOBS)
        assert len(jobs) == 3
        assert len(await cluster.events("SuccessfulCreate")) >= 5
        status = (await cluster.get(CRON_JOBS, "tick"))["status"]
        assert status["lastScheduleTime"] == "2026-01-01T00:05:00Z"

    run(scenario)


def test_a_daemon_set_has_one_pod_on_each_node_and_follows_nodes():
    async def scenario(cluster):
        labels = {"app": "d"}
        spec = {"selector": {"matchLabels": labels}, "template": template(labels=labels)}
        await cluster.create(DAEMON_SETS, {"metadata": {"name": "d"}, "spec": spec})
        await cluster.settle(10)
        status = (await cluster.get(DAEMON_SETS, "d"))["status"]
        assert (status["desiredNumberScheduled"], status["numberReady"], status["numberAvailable"]) == (
            2,
            2,
            2,
        )
        await cluster.patch(NODES, "n2", {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
        await cluster.settle(10)
        status = (await cluster.get(DAEMON_SETS, "d"))["status"]
        assert status["desiredNumberScheduled"] == 1
        assert len(await cluster.list(PODS)) == 1

    run(scenario)


def test_a_stateful_set_counts_up_in_order_and_updates_from_the_top():
    async def scenario(cluster):
        labels = {"app": "s"}
        spec = {
            "serviceName": "s",
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": template(labels=labels),
        }
        await cluster.create(STATEFUL_SETS, {"metadata": {"name": "s"}, "spec": spec})
        await cluster.settle(1)
        assert [pod["metadata"]["name"] for pod in await cluster.list(PODS)] == ["s-0"]
        await cluster.settle(20)
        pods = await cluster.list(PODS)
        assert [pod["spec"]["hostname"] for pod in pods] == ["s-0", "s-1", "s-2"]
        changed = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "app:v2"}]}}}}
        await cluster.patch(STATEFUL_SETS, "s", changed)
        await cluster.settle(2)
        doomed = [pod["metadata"]["name"] for pod in await cluster.list(PODS) if "app:v2" in str(pod["spec"])]
        assert doomed == ["s-2"]
        await cluster.settle(30)
        assert await cluster.images() == {"app:v2": 3}
        status = (await cluster.get(STATEFUL_SETS, "s"))["status"]
        assert status["currentRevision"] == status["updateRevision"]
        assert status["readyReplicas"] == 3
        await cluster.patch(STATEFUL_SETS, "s", {"spec": {"replicas": 1}})
        await cluster.settle(10)
        assert [pod["metadata"]["name"] for pod in await cluster.list(PODS)] == ["s-0"]
        assert (await cluster.events("SuccessfulCreate"))[0] == (
            "StatefulSet: create Pod s-0 in StatefulSet s successful"
        )

    run(scenario)


def test_a_service_follows_its_pods_through_a_rollout():
    async def scenario(cluster):
        ports = [{"port": 80, "targetPort": 8080}]
        await cluster.create(
            SERVICES, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}}
        )
        await cluster.settle(1)
        await cluster.deploy(replicas=3)
        await cluster.until(cluster.rolled_out, "rolled out")
        await cluster.settle(1)
        (slice_,) = await ours(cluster)
        addresses = {entry["addresses"][0] for entry in slice_["endpoints"]}
        assert len(addresses) == 3
        assert slice_["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
        (subset,) = (await cluster.get(ENDPOINTS, "web"))["subsets"]
        assert {entry["ip"] for entry in subset["addresses"]} == addresses
        await cluster.set_image("app:v2")
        await cluster.until(cluster.rolled_out, "v2")
        await cluster.settle(5)
        (slice_,) = await ours(cluster)
        after = {entry["addresses"][0] for entry in slice_["endpoints"]}
        assert len(after) == 3
        assert not after & addresses
        await cluster.admin.delete(SERVICES, "web", namespace="default")
        await cluster.settle(3)
        assert await ours(cluster) == []
        assert await cluster.get(ENDPOINTS, "web") is None

    async def ours(cluster):
        slices = await cluster.list(ENDPOINT_SLICES)
        return [
            entry
            for entry in slices
            if entry["metadata"]["labels"].get("kubernetes.io/service-name") == "web"
        ]

    run(scenario)


def test_a_budget_allows_as_many_evictions_as_it_can_spare():
    async def scenario(cluster):
        budget = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": "50%"}
        await cluster.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": "b"}, "spec": budget})
        await cluster.deploy(replicas=4)
        await cluster.until(cluster.rolled_out, "rolled out")
        await cluster.settle(1)

        async def numbers():
            status = (await cluster.get(POD_DISRUPTION_BUDGETS, "b"))["status"]
            names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
            return tuple(status[name] for name in names)

        assert await numbers() == (4, 2, 4, 2)
        victim = (await cluster.list(PODS))[0]["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": victim}}
        await cluster.admin.create(PODS, eviction, namespace="default", name=victim, subresource="eviction")
        await cluster.settle(0.5)
        assert await numbers() == (4, 2, 3, 1)
        await cluster.settle(10)
        assert await numbers() == (4, 2, 4, 2)

    run(scenario)


def test_endpoints_kept_by_hand_are_mirrored_into_slices():
    async def scenario(cluster):
        ports = [{"port": 80}]
        await cluster.create(SERVICES, {"metadata": {"name": "db"}, "spec": {"ports": ports}})
        subsets = [{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5432}]}]
        await cluster.create(ENDPOINTS, {"metadata": {"name": "db"}, "subsets": subsets})

        async def addresses():
            slices = [
                entry
                for entry in await cluster.list(ENDPOINT_SLICES)
                if entry["metadata"]["labels"].get("kubernetes.io/service-name") == "db"
            ]
            return [item["addresses"] for entry in slices for item in entry["endpoints"]]

        await cluster.settle(1)
        assert await addresses() == [["192.0.2.7"]]
        endpoints = await cluster.get(ENDPOINTS, "db")
        subsets[0]["addresses"].append({"ip": "192.0.2.8"})
        await cluster.admin.update(ENDPOINTS, {**endpoints, "subsets": subsets})
        await cluster.settle(1)
        assert await addresses() == [["192.0.2.7"], ["192.0.2.8"]]
        await cluster.admin.delete(SERVICES, "db", namespace="default")
        await cluster.settle(3)
        assert await addresses() == []
        assert await cluster.get(ENDPOINTS, "db") is None
        assert await cluster.get(ENDPOINTS, "kubernetes") is not None

    run(scenario)


def test_a_quota_counts_what_is_there_and_gives_back_what_goes():
    async def scenario(cluster):
        hard = {"pods": "3", "requests.cpu": "1", "count/deployments.apps": "2"}
        await cluster.create(RESOURCE_QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": hard}})

        async def used():
            return (await cluster.get(RESOURCE_QUOTAS, "q"))["status"]["used"]

        await cluster.settle(1)
        assert await used() == {"pods": "0", "requests.cpu": "0", "count/deployments.apps": "0"}
        container = {"name": "c", "image": "app:v1", "resources": {"requests": {"cpu": "250m"}}}
        labels = {"app": "web"}
        spec = {
            "replicas": 4,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        await cluster.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
        await cluster.settle(5)
        assert await used() == {"pods": "3", "requests.cpu": "750m", "count/deployments.apps": "1"}
        assert len(await cluster.list(PODS)) == 3
        refusals = await cluster.events("FailedCreate")
        assert "exceeded quota: q" in refusals[0]
        assert await cluster.condition("web", "ReplicaFailure") == ("True", "FailedCreate")
        await cluster.admin.delete(DEPLOYMENTS, "web", namespace="default")
        await cluster.settle(10)
        assert await used() == {"pods": "0", "requests.cpu": "0", "count/deployments.apps": "0"}

    run(scenario)
