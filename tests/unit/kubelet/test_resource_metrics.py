"""`/metrics/resource` of a node, which the metrics server reads."""

from tests import stable_metrics
from tests.unit.kubelet.kubelet_api import SmallApi, condition, make_pod
from tests.unit.kubelet.test_kubelet import ScriptedRuntime, running
from tests.virtual import on_virtual_time, until

from mamekube.foundation.clock import LoopClock
from mamekube.kubelet import api_resources as api
from mamekube.kubelet import stats
from mamekube.kubelet.runtime import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, RuntimeFailure


def labels(pod, container):
    return {POD_NAME: pod.name, POD_NAMESPACE: pod.namespace, CONTAINER_NAME: container.name}


class MeasuringRuntime(ScriptedRuntime):
    """Every running container has used 1.5 s and 4,096 bytes."""

    def __init__(self, clock):
        super().__init__(clock)
        self.silent = False

    async def stats(self):
        if self.silent:
            raise RuntimeFailure("nobody there", code="Unavailable")
        cpu = {"usage_core_nano_seconds": {"value": 1_500_000_000}}
        memory = {"working_set_bytes": {"value": 4096}}
        return [
            {"attributes": {"id": one.id, "labels": labels(pod, one)}, "cpu": cpu, "memory": memory}
            for pod in (await self.list_pods()).values()
            for one in pod.running
        ]


@on_virtual_time
async def test_what_containers_pods_and_the_node_use_is_told_by_upstreams_names():
    server, runtime = SmallApi(), MeasuringRuntime(LoopClock())
    async with running(server, runtime) as kubelet:
        containers = [{"name": name, "image": "app:1"} for name in ("a", "b")]
        server.put(api.PODS, make_pod("p", containers=containers))
        await until(lambda: condition(server.pod("default/p"), "Ready") == "True")
        text = await stats.metrics(kubelet, "resource")
        assert not stable_metrics.differences(text, "kubelet")
        assert 'pod_cpu_usage_seconds_total{namespace="default",pod="p"} 3\n' in text
        assert 'pod_memory_working_set_bytes{namespace="default",pod="p"} 8192\n' in text
        assert "\nresource_scrape_error 0\n" in text
        runtime.silent = True
        alone = await stats.metrics(kubelet, "resource")
        assert alone.splitlines()[2:] == ["resource_scrape_error 1"]
