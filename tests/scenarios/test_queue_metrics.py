"""What `/metrics` says of the controllers' queues and of the scheduler after some work."""

from collections.abc import Iterable

from tests import stable_metrics
from tests.scenarios.cluster import Cluster, run

from mamekube.controllers.resources import CRON_JOBS, JOBS, NODES, PODS
from mamekube.foundation.metrics import Family, render

QUEUES = ("active", "backoff", "unschedulable", "gated")


def numbers_of(families: Iterable[Family]) -> dict[str, float]:
    lines = render(families).decode().splitlines()
    parts = [line.rpartition(" ") for line in lines if line[0] != "#"]
    return {series: float(number) for series, _, number in parts}


def test_the_work_of_each_controller_is_told():
    async def scenario(cluster: Cluster) -> None:
        await cluster.deploy("web", replicas=2)
        await cluster.until(cluster.rolled_out, "two pods")
        await cluster.settle()
        numbers = numbers_of(cluster.controllers.runtime.families())
        for name in ("deployment-controller", "replicaset-controller"):
            added = numbers[f'workqueue_adds_total{{name="{name}"}}']
            assert added >= numbers[f'workqueue_work_duration_seconds_count{{name="{name}"}}'] > 0
            assert numbers[f'workqueue_queue_duration_seconds_count{{name="{name}"}}'] == added
            assert numbers[f'workqueue_depth{{name="{name}"}}'] == 0
            assert numbers[f'workqueue_unfinished_work_seconds{{name="{name}"}}'] == 0

    run(scenario)


def test_the_decisions_of_the_scheduler_are_told():
    def pod(name: str, **spec: object) -> dict[str, object]:
        containers = [{"name": "c", "image": "app:v1"}]
        return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}

    async def scenario(cluster: Cluster) -> None:
        await cluster.create(PODS, pod("fits"))
        await cluster.create(PODS, pod("fits-nowhere", nodeSelector={"no": "such"}))
        await cluster.create(PODS, pod("gated", schedulingGates=[{"name": "example.com/later"}]))
        await cluster.settle()
        told = numbers_of(cluster.scheduler.families())
        for result in ("scheduled", "unschedulable"):
            labels = f'{{profile="default-scheduler",result="{result}"}}'
            assert told[f"scheduler_schedule_attempts_total{labels}"] == 1
            assert told[f"scheduler_scheduling_attempt_duration_seconds_count{labels}"] == 1
        pending = {queue: told[f'scheduler_pending_pods{{queue="{queue}"}}'] for queue in QUEUES}
        assert pending == {"active": 0, "backoff": 0, "unschedulable": 1, "gated": 1}
        assert told['scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"}'] == 1
        assert told["scheduler_pod_scheduling_attempts_sum"] == 1
        assert told["scheduler_preemption_attempts_total"] == 1
        assert told["scheduler_preemption_victims_count"] == 0
        points = {
            (point, status): told[
                "scheduler_framework_extension_point_duration_seconds_count"
                f'{{extension_point="{point}",profile="default-scheduler",status="{status}"}}'
            ]
            for point, status in (
                ("PreFilter", "Success"),
                ("Filter", "Success"),
                ("Score", "Success"),
                ("PostFilter", "Unschedulable"),
                ("Bind", "Success"),
            )
        }
        assert list(points.values()) == [2, 2, 1, 1, 1]

    run(scenario)


def test_what_brings_pods_into_the_queues_is_told():
    async def scenario(cluster: Cluster) -> None:
        containers = [{"name": "c", "image": "app:v1"}]
        pod = {"metadata": {"name": "picky"}, "spec": {"containers": containers, "nodeSelector": {"a": "b"}}}
        gated = {
            "metadata": {"name": "gated"},
            "spec": {"containers": containers, "schedulingGates": [{"name": "g"}]},
        }
        await cluster.create(PODS, pod)
        await cluster.create(PODS, gated)
        await cluster.settle()
        await cluster.patch(NODES, "n1", {"metadata": {"labels": {"a": "c"}}})
        await cluster.settle(5)
        await cluster.patch(NODES, "n1", {"metadata": {"labels": {"a": "b"}}})
        await cluster.settle()
        told = numbers_of(cluster.scheduler.families())
        brought = {
            (queue, event): told[f'scheduler_queue_incoming_pods_total{{event="{event}",queue="{queue}"}}']
            for queue, event in (
                ("active", "UnschedulablePodAdd"),
                ("unschedulable", "UnschedulablePodAdd"),
                ("unschedulable", "ScheduleAttemptFailure"),
                ("active", "NodeUpdateNodeLabel"),
            )
        }
        assert list(brought.values()) == [1, 1, 2, 2]

    run(scenario)


def test_nodes_whose_pods_had_to_go_are_told_by_zone():
    async def scenario(cluster: Cluster) -> None:
        async def told() -> dict[str, float]:
            numbers = numbers_of(cluster.controllers.runtime.families())
            return {series: n for series, n in numbers.items() if series.startswith("node_collector_")}

        nowhere, zone = (f'node_collector_evictions_total{{zone="{name}"}}' for name in ("", "here:\x00:one"))
        assert await told() == {nowhere: 0}
        labels = {"topology.kubernetes.io/region": "here", "topology.kubernetes.io/zone": "one"}
        await cluster.patch(NODES, "n1", {"metadata": {"labels": labels}})
        for times in (1, 2):
            cluster.nodes["n1"].powered = False
            await cluster.settle(70)
            assert await told() == {nowhere: 0, zone: times}
            cluster.nodes["n1"].powered = True
            await cluster.settle(30)

    run(scenario)


def test_how_late_a_cron_jobs_jobs_are_is_told():
    async def scenario(cluster: Cluster) -> None:
        containers = [{"name": "c", "image": "app:v1"}]
        template = {"spec": {"template": {"spec": {"containers": containers, "restartPolicy": "Never"}}}}
        spec = {"schedule": "* * * * *", "jobTemplate": template}
        await cluster.create(CRON_JOBS, {"metadata": {"name": "tick"}, "spec": spec})
        await cluster.settle(130)
        told = numbers_of(cluster.controllers.runtime.families())
        name = "cronjob_controller_job_creation_skew_duration_seconds"
        assert told[f"{name}_count"] == told[f'{name}_bucket{{le="1"}}'] == 2

    run(scenario)


def test_what_upstream_promises_of_controllers_and_scheduler_is_told():
    async def scenario(cluster: Cluster) -> None:
        containers = [{"name": "c", "image": "app:v1"}]
        template = {"template": {"spec": {"containers": containers, "restartPolicy": "Never"}}}
        await cluster.create(JOBS, {"metadata": {"name": "once"}, "spec": template})
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": template}}
        await cluster.create(CRON_JOBS, {"metadata": {"name": "tick"}, "spec": spec})
        await cluster.settle(70)
        controllers = render(cluster.controllers.runtime.families()).decode()
        assert not stable_metrics.differences(controllers, "controllers")
        assert not stable_metrics.differences(render(cluster.scheduler.families()).decode(), "scheduler")

    run(scenario)
