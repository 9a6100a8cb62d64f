"""Jobs whose pods end as the scenario says: indexes, policies of failure and of success, replacement. No node runs."""

from __future__ import annotations

import pytest
from tests.scenarios.cluster import run

from mamekube.controllers.resources import JOBS, PODS
from mamekube.foundation.metrics import render

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
TRACKING = "batch.kubernetes.io/job-tracking"
HELD = "fake.example.com/blockDeletion"


async def start(cluster, finalizers=(), image="app:v1", **spec):
    containers = [{"name": "main", "image": image}]
    template = {"metadata": {"finalizers": list(finalizers)}, "spec": {"containers": containers}}
    template["spec"]["restartPolicy"] = "Never"
    await cluster.create(JOBS, {"metadata": {"name": "j"}, "spec": {"template": template, **spec}})
    await cluster.settle()


async def indexed(cluster, count, *, at_once=None, **spec):
    at_once = count if at_once is None else at_once
    await start(cluster, completions=count, parallelism=at_once, completionMode="Indexed", **spec)


def active(pod):
    return pod["status"].get("phase") in (None, "Pending", "Running") and not pod["metadata"].get(
        "deletionTimestamp"
    )


def index_of(pod):
    return int(pod["metadata"].get("annotations", {}).get(INDEX, -1))


async def running(cluster):
    return sorted(index_of(pod) for pod in await cluster.list(PODS) if active(pod))


async def end(cluster, index, phase, *, code=None, **status):
    """Of the pod of an index that runs; -1: of any."""
    pod = next(pod for pod in await cluster.list(PODS) if active(pod) and index_of(pod) == index)
    if code is not None:
        ended = {"exitCode": code, "finishedAt": cluster.clock.timestamp()}
        status["containerStatuses"] = [{"name": "main", "state": {"terminated": ended}}]
    now = cluster.clock.timestamp()
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": now}
    status["conditions"] = [ready, *status.get("conditions", ())]
    written = {**pod, "status": {**pod["status"], "phase": phase, **status}}
    await cluster.admin.update(PODS, written, subresource="status")
    await cluster.settle()
    return pod["metadata"]["name"]


async def status(cluster):
    """What the Job says in numbers and indexes, and the reasons of its conditions."""
    told = dict((await cluster.get(JOBS, "j"))["status"])
    conditions = {entry["type"]: entry["reason"] for entry in told.pop("conditions", ())}
    for field in ("startTime", "completionTime", "uncountedTerminatedPods", "ready"):
        told.pop(field, None)
    return {name: value for name, value in told.items() if value != 0} | conditions


def test_an_index_that_failed_is_tried_again_and_the_rest_goes_on():
    async def scenario(cluster):
        await indexed(cluster, 4, at_once=3)
        assert await running(cluster) == [0, 1, 2]
        await end(cluster, 1, "Succeeded")
        assert await running(cluster) == [0, 2, 3]
        assert await status(cluster) == {"active": 3, "succeeded": 1, "completedIndexes": "1"}
        await end(cluster, 2, "Failed")
        await cluster.settle(15)
        assert await running(cluster) == [0, 2, 3]
        assert await status(cluster) == {"active": 3, "succeeded": 1, "failed": 1, "completedIndexes": "1"}
        for index in (0, 2, 3):
            await end(cluster, index, "Succeeded")
        done = {"Complete": "CompletionsReached", "SuccessCriteriaMet": "CompletionsReached"}
        assert await status(cluster) == {"succeeded": 4, "failed": 1, "completedIndexes": "0-3", **done}
        assert not any(TRACKING in pod["metadata"].get("finalizers", ()) for pod in await cluster.list(PODS))

    run(scenario, nodes=0)


def test_each_index_fails_by_itself_and_waits_by_itself():
    async def scenario(cluster):
        await indexed(cluster, 2, backoffLimitPerIndex=2)
        pods = await cluster.list(PODS)
        assert {pod["metadata"]["annotations"][FAILURES] for pod in pods} == {"0"}
        assert (await status(cluster))["failedIndexes"] == ""
        for failures, delay_s in ((1, 10), (2, 20)):
            failed = await end(cluster, 0, "Failed")
            await cluster.settle(delay_s - 3)
            assert await running(cluster) == [1]
            kept = await cluster.get(PODS, failed)
            assert TRACKING in kept["metadata"]["finalizers"], "its successor is to know of it"
            await cluster.settle(4)
            assert await running(cluster) == [0, 1]
            (again,) = [pod for pod in await cluster.list(PODS) if active(pod) and index_of(pod) == 0]
            assert again["metadata"]["annotations"][FAILURES] == str(failures)
            assert TRACKING not in (await cluster.get(PODS, failed))["metadata"].get("finalizers", ())
            assert (await status(cluster))["failed"] == failures
        await end(cluster, 0, "Failed")
        assert await status(cluster) == {"active": 1, "failed": 3, "failedIndexes": "0"}
        await end(cluster, 1, "Succeeded")
        told = await status(cluster)
        assert (told["completedIndexes"], told["failedIndexes"], told["failed"]) == ("1", "0", 3)
        assert (told["FailureTarget"], told["Failed"]) == ("FailedIndexes", "FailedIndexes")

    run(scenario, nodes=0)


def test_a_rule_fails_an_index_at_once_and_another_does_not_count():
    async def scenario(cluster):
        rules = [
            {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [13]}},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
        await indexed(cluster, 2, backoffLimitPerIndex=1, podFailurePolicy={"rules": rules})
        await end(cluster, 0, "Failed", code=13)
        assert await status(cluster) == {"active": 1, "failed": 1, "failedIndexes": "0"}
        disrupted = {"type": "DisruptionTarget", "status": "True"}
        await end(cluster, 1, "Failed", conditions=[disrupted])
        await cluster.settle(15)
        (again,) = [pod for pod in await cluster.list(PODS) if active(pod)]
        told = again["metadata"]["annotations"]
        assert (told[INDEX], told[FAILURES], told[IGNORED]) == ("1", "0", "1")
        assert await status(cluster) == {"active": 1, "failed": 1, "failedIndexes": "0"}

    run(scenario, nodes=0)


def test_too_many_failed_indexes_end_the_job():
    async def scenario(cluster):
        await indexed(cluster, 4, at_once=2, backoffLimitPerIndex=0, maxFailedIndexes=1)
        await end(cluster, 0, "Failed")
        assert await running(cluster) == [1, 2]
        await end(cluster, 1, "Failed")
        told = await status(cluster)
        assert (told["failedIndexes"], told["Failed"]) == ("0,1", "MaxFailedIndexesExceeded")
        assert told["failed"] == 3, "with the Job fails what still ran"
        assert await running(cluster) == []

    run(scenario, nodes=0)


@pytest.mark.parametrize(
    ("rule", "succeeding"),
    [
        ({"succeededIndexes": "0,3"}, (3, 0)),
        ({"succeededIndexes": "1-3", "succeededCount": 2}, (0, 3, 1)),
        ({"succeededCount": 2}, (2, 0)),
    ],
)
def test_a_job_has_succeeded_when_its_policy_says_so(rule, succeeding):
    async def scenario(cluster):
        await indexed(cluster, 5, successPolicy={"rules": [{"succeededCount": 5}, rule]})
        for index in succeeding:
            assert "SuccessCriteriaMet" not in await status(cluster)
            await end(cluster, index, "Succeeded")
        told = await status(cluster)
        assert (told["SuccessCriteriaMet"], told["Complete"]) == ("SuccessPolicy", "SuccessPolicy")
        assert (told["succeeded"], told.get("failed")) == (len(succeeding), None)
        assert await running(cluster) == []
        (message,) = {entry["message"] for entry in (await cluster.get(JOBS, "j"))["status"]["conditions"]}
        assert message == "Matched rules at index 1"

    run(scenario, nodes=0)


@pytest.mark.parametrize("mode", ["Indexed", "NonIndexed"])
def test_pods_that_are_deleted_are_replaced_at_once_or_when_they_have_failed(mode):
    async def story(cluster, policy):
        two = {"completions": 2, "parallelism": 2, "completionMode": mode}
        await start(cluster, [HELD], "app:v10", **two, podReplacementPolicy=policy)
        first = await cluster.list(PODS)
        for pod in first:
            await cluster.admin.delete(PODS, pod["metadata"]["name"], namespace="default")
        await cluster.settle(25)
        deleted = await status(cluster)
        for pod in first:
            held = await cluster.get(PODS, pod["metadata"]["name"])
            failed = {**held, "status": {**held["status"], "phase": "Failed"}}
            await cluster.admin.update(PODS, failed, subresource="status")
        await cluster.settle(25)
        return deleted, await status(cluster)

    async def failed_only(cluster):
        deleted, failed = await story(cluster, "Failed")
        assert deleted == {"terminating": 2}
        assert failed == {"active": 2, "failed": 2}

    async def also_terminating(cluster):
        deleted, failed = await story(cluster, "TerminatingOrFailed")
        assert deleted == {"active": 2, "failed": 2, "terminating": 2}
        assert failed == {"active": 2, "failed": 2}

    run(failed_only, nodes=1)
    run(also_terminating, nodes=1)


def test_a_job_has_failed_only_when_its_last_pod_is_gone():
    async def scenario(cluster):
        await start(cluster, [HELD], completions=2, parallelism=2, backoffLimit=0)
        await end(cluster, -1, "Failed")
        why = "BackoffLimitExceeded"
        assert await status(cluster) == {"failed": 2, "terminating": 1, "FailureTarget": why}
        for pod in await cluster.list(PODS):
            free = {"metadata": {"finalizers": None}}
            await cluster.admin.patch(PODS, pod["metadata"]["name"], free, namespace="default")
        await cluster.settle()
        assert await status(cluster) == {"failed": 2, "FailureTarget": why, "Failed": why}

    run(scenario, nodes=0)


def test_suspending_a_job_is_no_failure_of_its_pods():
    async def scenario(cluster):
        await start(cluster, completions=3, parallelism=2)
        started = (await cluster.get(JOBS, "j"))["status"]["startTime"]
        await cluster.patch(JOBS, "j", {"spec": {"suspend": True}})
        await cluster.settle(5)
        assert await status(cluster) == {"Suspended": "JobSuspended"}
        assert await cluster.list(PODS) == []
        await cluster.patch(JOBS, "j", {"spec": {"suspend": False}})
        await cluster.settle()
        assert await status(cluster) == {"active": 2, "Suspended": "JobResumed"}
        assert (await cluster.get(JOBS, "j"))["status"]["startTime"] > started
        assert await cluster.events("Suspended") == ["Job: Job suspended"]
        assert await cluster.events("Resumed") == ["Job: Job resumed"]

    run(scenario, nodes=0)


def test_an_indexed_job_may_grow_and_shrink():
    async def scenario(cluster):
        await indexed(cluster, 3)
        await end(cluster, 2, "Succeeded")
        await cluster.patch(JOBS, "j", {"spec": {"completions": 2, "parallelism": 2}})
        await cluster.settle()
        assert await status(cluster) == {"active": 2}
        await cluster.patch(JOBS, "j", {"spec": {"completions": 4, "parallelism": 4}})
        await cluster.settle()
        assert await running(cluster) == [0, 1, 2, 3]
        for index in range(4):
            await end(cluster, index, "Succeeded")
        told = await status(cluster)
        assert (told["completedIndexes"], told["Complete"]) == ("0-3", "CompletionsReached")

    run(scenario, nodes=0)


def test_a_job_of_somebody_else_is_left_alone():
    async def scenario(cluster):
        await start(cluster, managedBy="example.com/custom-job-controller")
        assert (await cluster.get(JOBS, "j"))["status"] == {}
        assert await cluster.list(PODS) == []

    run(scenario, nodes=0)


def test_a_pod_that_no_node_ever_had_is_failed_for_its_job_when_it_is_deleted():
    async def scenario(cluster):
        await start(cluster, podReplacementPolicy="Failed")
        (pod,) = await cluster.list(PODS)
        await cluster.admin.delete(PODS, pod["metadata"]["name"], namespace="default")
        await cluster.settle(45)
        assert await cluster.get(PODS, pod["metadata"]["name"]) is None
        assert await status(cluster) == {"active": 1, "failed": 1}

    run(scenario, nodes=0)


def test_what_became_of_jobs_is_counted():
    async def scenario(cluster):
        await indexed(cluster, 2, backoffLimitPerIndex=0)
        await end(cluster, 0, "Succeeded")
        await end(cluster, 1, "Failed")
        told = render(cluster.controllers.runtime.families()).decode()
        for counted in (
            'jobs_finished_total{completion_mode="Indexed",reason="FailedIndexes",result="failed"} 1',
            'job_pods_finished_total{completion_mode="Indexed",result="failed"} 1',
            'job_pods_finished_total{completion_mode="Indexed",result="succeeded"} 1',
            'job_syncs_total{action="pods_created",completion_mode="Indexed",result="success"} 1',
        ):
            assert f"\njob_controller_{counted}\n" in told

    run(scenario, nodes=0)
