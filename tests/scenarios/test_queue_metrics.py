"""What `/metrics` says of the controllers' queues and of the scheduler after some work."""

from collections.abc import Iterable

from tests.scenarios.cluster import Cluster, run

from mamekube.controllers.resources import CRON_JOBS, PODS
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
