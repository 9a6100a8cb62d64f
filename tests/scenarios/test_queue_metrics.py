"""What `/metrics` says of the controllers' queues after some work."""

from tests.scenarios.cluster import Cluster, run

from mamekube.foundation.metrics import render


def test_the_work_of_each_controller_is_told():
    async def scenario(cluster: Cluster) -> None:
        await cluster.deploy("web", replicas=2)
        await cluster.until(cluster.rolled_out, "two pods")
        await cluster.settle()
        text = render(cluster.controllers.runtime.families()).decode()
        parts = [line.rpartition(" ") for line in text.splitlines() if line[0] != "#"]
        numbers = {series: float(number) for series, _, number in parts}
        for name in ("deployment-controller", "replicaset-controller"):
            added = numbers[f'workqueue_adds_total{{name="{name}"}}']
            assert added >= numbers[f'workqueue_work_duration_seconds_count{{name="{name}"}}'] > 0
            assert numbers[f'workqueue_depth{{name="{name}"}}'] == 0
            assert numbers[f'workqueue_unfinished_work_seconds{{name="{name}"}}'] == 0

    run(scenario)
