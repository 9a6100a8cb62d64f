"""A whole kubelet on virtual time, over the runtime that has no containers: what a user sees, and when."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from tests.unit.kubelet.kubelet_api import SmallApi, condition, container_status, make_pod, merge
from tests.virtual import on_virtual_time, until

from mamekube.foundation.clock import LoopClock
from mamekube.kubelet import api_resources as api
from mamekube.kubelet.fake import FakeRuntime
from mamekube.kubelet.kubelet import Kubelet, KubeletConfig
from mamekube.kubelet.runtime import ExecResult, RuntimeCondition, RuntimeFailure

POD = "default/p"


class ScriptedRuntime(FakeRuntime):
    """A fake runtime that can be told to fail."""

    def __init__(self, clock):
        super().__init__(clock=clock)
        self.missing_images = set()
        self.exec_exit_codes = {}
        self.network_ready = True
        self.stopped = []

    async def image(self, reference):
        return None if reference in self.missing_images else await super().image(reference)

    async def pull_image(self, reference, *, auth, config):
        if reference in self.missing_images:
            raise RuntimeFailure("manifest unknown", code="NotFound")
        return await super().pull_image(reference, auth=auth, config=config)

    async def exec_sync(self, container_id, command, *, timeout_s):
        code = self.exec_exit_codes.get(command[0], 0)
        return ExecResult(exit_code=code, stdout=b"said so", stderr=b"")

    async def conditions(self):
        network = RuntimeCondition(type="NetworkReady", status=self.network_ready, reason="NoCni")
        return [RuntimeCondition(type="RuntimeReady", status=True), network]

    async def stop_container(self, container_id, *, grace_s):
        self.stopped.append((self._find(container_id).name, grace_s))
        await super().stop_container(container_id, grace_s=grace_s)


@asynccontextmanager
async def running(server, runtime=None):
    clock = LoopClock()
    runtime = runtime or ScriptedRuntime(clock)
    config = KubeletConfig(
        node_name="node",
        node_ip="10.0.0.1",
        root_dir=Path("/nonexistent"),
        pod_cidr="10.244.0.0/24",
        fake=True,
    )
    async with Kubelet(config, server, runtime, clock, recorder=server) as kubelet:
        yield kubelet


def now():
    return asyncio.get_running_loop().time()


def ready(server, key=POD):
    return condition(server.pod(key), "Ready") == "True"


def reason(server):
    return (container_status(server, POD).get("state", {}).get("waiting") or {}).get("reason", "")


@on_virtual_time
async def test_a_node_registers_itself_ready_with_its_lease():
    server = SmallApi()
    async with running(server):
        await until(lambda: server.objects.get("leases"))
        node = server.objects["nodes"]["node"]
        assert condition(node, "Ready") == "True"
        assert node["spec"] == {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "node"
        lease = server.objects["leases"]["kube-node-lease/node"]["spec"]
        assert (lease["holderIdentity"], lease["leaseDurationSeconds"]) == ("node", 40)
        assert ("Normal", "NodeReady", "Node node status is now: NodeReady") in server.events


@on_virtual_time
async def test_a_lease_is_renewed_every_ten_seconds_and_the_status_only_every_five_minutes():
    server = SmallApi()
    async with running(server):
        await asyncio.sleep(1)
        before = server.objects["leases"]["kube-node-lease/node"]["spec"]["renewTime"]
        await asyncio.sleep(10)
        assert server.objects["leases"]["kube-node-lease/node"]["spec"]["renewTime"] != before
        await asyncio.sleep(280)
        assert ("patch", "nodes", "node") not in server.requests
        await asyncio.sleep(30)
        assert server.requests.count(("patch", "nodes", "node")) == 1


@on_virtual_time
async def test_a_node_whose_network_fails_is_not_ready():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        await until(lambda: condition(server.objects.get("nodes", {}).get("node"), "Ready") == "True")
        runtime.network_ready = False
        await until(lambda: condition(server.objects["nodes"]["node"], "Ready") == "False")
        conditions = server.objects["nodes"]["node"]["status"]["conditions"]
        message = next(item["message"] for item in conditions if item["type"] == "Ready")
        assert message.startswith("container runtime network not ready: NetworkReady=false reason:NoCni")


@on_virtual_time
async def test_a_pod_without_probes_is_ready_at_once_and_written_once():
    server = SmallApi()
    async with running(server):
        server.put(api.PODS, make_pod("p"))
        await until(lambda: ready(server))
        assert now() < 0.1
        assert server.requests.count(("patch", "pods", "p")) == 1
        status = server.pod(POD)["status"]
        assert status["phase"] == "Running"
        assert status["podIPs"] == [{"ip": status["podIP"]}]
        assert [
            message for _, reason, message in server.events if reason in ("Pulled", "Created", "Started")
        ] == [
            'Container image "app:1" already present on machine and can be accessed by the pod',
            "Container created",
            "Container started",
        ]


@on_virtual_time
async def test_a_thousand_pods_become_ready():
    server = SmallApi()
    async with running(server):
        for number in range(1000):
            server.put(api.PODS, make_pod(f"p{number}"))
        await until(lambda: all(ready(server, f"default/p{number}") for number in range(1000)))
        addresses = {pod["status"]["podIP"] for pod in server.objects["pods"].values()}
        assert len(addresses) == 1000


@on_virtual_time
async def test_crashes_back_off_and_say_so():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p"))
        times = []
        for count in range(4):
            await until(
                lambda count=count: ready(server) and container_status(server, POD)["restartCount"] == count,
                within_s=400,
            )
            times.append(round(now()))
            runtime.crash(container_status(server, POD)["containerID"].split("//")[1], 3)
        await until(lambda: reason(server) == "CrashLoopBackOff")
        assert times == [0, 0, 10, 30]
        state = container_status(server, POD)
        assert state["state"]["waiting"]["message"] == (
            "back-off 40s restarting failed container=main pod=p_default(uid-p)"
        )
        assert state["lastState"]["terminated"]["exitCode"] == 3
        text = "Back-off restarting failed container main in pod p_default(uid-p)"
        assert ("Warning", "BackOff", text) in server.events


@on_virtual_time
async def test_a_missing_image_goes_from_pull_to_back_off_to_pull():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    runtime.missing_images.add("app:1")
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p"))
        await until(lambda: reason(server) == "ErrImagePull")
        await until(lambda: reason(server) == "ImagePullBackOff")
        message = container_status(server, POD)["state"]["waiting"]["message"]
        assert message == (
            'Back-off pulling image "app:1": ErrImagePull: rpc error: code = NotFound desc = manifest unknown'
        )
        runtime.missing_images.clear()
        await until(lambda: ready(server))
        assert 9 < now() < 12
        assert server.events[2:] == [
            ("Normal", "Pulling", 'Pulling image "app:1"'),
            (
                "Warning",
                "Failed",
                'Failed to pull image "app:1": rpc error: code = NotFound desc = manifest unknown',
            ),
            ("Warning", "Failed", "Error: ErrImagePull"),
            ("Normal", "BackOff", 'Back-off pulling image "app:1"'),
            ("Warning", "Failed", "Error: ImagePullBackOff"),
            *server.events[7:],
        ]


@on_virtual_time
async def test_a_deleted_pod_ends_with_its_grace_and_then_the_object_goes():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p", terminationGracePeriodSeconds=9))
        await until(lambda: ready(server))
        await server.delete(api.PODS, "p", namespace="default")
        await until(lambda: server.pod(POD) is None)
        assert runtime.stopped == [("main", 9)]
        assert ("Normal", "Killing", "Stopping container main") in server.events
        await until(lambda: not runtime._pods)


@on_virtual_time
async def test_the_pre_stop_hook_uses_up_the_grace_period():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    hook = {"preStop": {"sleep": {"seconds": 4}}}
    container = {"name": "main", "image": "app:1", "lifecycle": hook}
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p", containers=[container], terminationGracePeriodSeconds=10))
        await until(lambda: ready(server))
        began = now()
        await server.delete(api.PODS, "p", namespace="default")
        await until(lambda: server.pod(POD) is None)
        assert 4 <= now() - began < 4.5
        assert runtime.stopped == [("main", 6)]


@on_virtual_time
async def test_a_pod_deleted_while_it_waits_for_its_image_goes_at_once():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    runtime.missing_images.add("app:1")
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p"))
        await until(lambda: reason(server) == "ErrImagePull")
        await server.delete(api.PODS, "p", namespace="default")
        await until(lambda: server.pod(POD) is None, within_s=1)


@on_virtual_time
async def test_a_pod_that_vanishes_from_the_api_is_ended():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p"))
        await until(lambda: ready(server))
        server.drop(api.PODS, POD)
        await until(lambda: not runtime._pods)


@on_virtual_time
async def test_readiness_follows_its_probe_and_liveness_restarts():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    runtime.exec_exit_codes = {"ready": 1}
    container = {
        "name": "main",
        "image": "app:1",
        "readinessProbe": {"exec": {"command": ["ready"]}, "periodSeconds": 5},
        "livenessProbe": {"exec": {"command": ["live"]}, "periodSeconds": 5, "failureThreshold": 2},
    }
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p", containers=[container]))
        await asyncio.sleep(3)
        assert condition(server.pod(POD), "ContainersReady") == "False"
        assert ("Warning", "Unhealthy", "Readiness probe failed: said so") in server.events
        runtime.exec_exit_codes = {}
        await until(lambda: ready(server))
        assert 5 <= now() < 6
        runtime.exec_exit_codes = {"live": 1}
        await until(lambda: container_status(server, POD)["restartCount"] == 1)
        assert 15 <= now() < 16
        text = "Container main failed liveness probe, will be restarted"
        assert ("Normal", "Killing", text) in server.events


@on_virtual_time
async def test_the_startup_probe_holds_the_others_back():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    runtime.exec_exit_codes = {"up": 1, "live": 1}
    container = {
        "name": "main",
        "image": "app:1",
        "startupProbe": {"exec": {"command": ["up"]}, "periodSeconds": 1, "failureThreshold": 100},
        "livenessProbe": {"exec": {"command": ["live"]}, "periodSeconds": 1, "failureThreshold": 1},
    }
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p", containers=[container]))
        await asyncio.sleep(20)
        assert container_status(server, POD)["restartCount"] == 0
        assert container_status(server, POD)["started"] is False
        runtime.exec_exit_codes = {"live": 1}
        await until(lambda: container_status(server, POD)["restartCount"] == 1)


@on_virtual_time
async def test_work_that_ends_makes_the_pod_succeed():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        pod = make_pod("p", restartPolicy="Never")
        pod["metadata"]["annotations"] = {"fake.mamekube.dev/exit-after": "5"}
        server.put(api.PODS, pod)
        await until(lambda: server.pod(POD)["status"]["phase"] == "Succeeded")
        assert 5 <= now() < 6
        ready_condition = next(
            item for item in server.pod(POD)["status"]["conditions"] if item["type"] == "Ready"
        )
        assert (ready_condition["status"], ready_condition["reason"]) == ("False", "PodCompleted")


@on_virtual_time
async def test_a_finished_pod_keeps_its_last_status_when_the_runtime_forgot_it():
    server = SmallApi()
    pod = make_pod("p", restartPolicy="Never")
    terminated = {"exitCode": 0, "reason": "Completed"}
    statuses = [{"name": "main", "containerID": "containerd://x", "state": {"terminated": terminated}}]
    pod["status"] = {"phase": "Succeeded", "containerStatuses": statuses}
    async with running(server):
        server.put(api.PODS, pod)
        await asyncio.sleep(20)
        assert server.pod(POD)["status"] == pod["status"]
        await server.delete(api.PODS, "p", namespace="default")
        await until(lambda: server.pod(POD) is None)


@on_virtual_time
async def test_a_pod_that_breaks_its_worker_is_looked_at_again():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        image, runtime.image = runtime.image, None
        server.put(api.PODS, make_pod("p"))
        await asyncio.sleep(5)
        assert not ready(server)
        runtime.image = image
        await until(lambda: ready(server))


@on_virtual_time
async def test_the_deadline_fails_the_pod():
    server = SmallApi()
    async with running(server):
        server.put(api.PODS, make_pod("p", activeDeadlineSeconds=30))
        await until(lambda: server.pod(POD)["status"]["phase"] == "Failed")
        assert 29 <= now() <= 31
        status = server.pod(POD)["status"]
        assert status["reason"] == "DeadlineExceeded"
        assert status["message"] == "Pod was active on the node longer than the specified deadline"


@on_virtual_time
async def test_readiness_gates_of_others_count():
    server = SmallApi()
    async with running(server):
        server.put(api.PODS, make_pod("p", readinessGates=[{"conditionType": "example.com/gate"}]))
        await until(lambda: condition(server.pod(POD), "ContainersReady") == "True")
        assert not ready(server)
        gate = {"status": {"conditions": [{"type": "example.com/gate", "status": "True"}]}}
        server.put(api.PODS, merge(server.pod(POD), gate))
        await until(lambda: ready(server))
        assert condition(server.pod(POD), "example.com/gate") == "True"


@on_virtual_time
async def test_a_restarted_kubelet_restarts_no_container_and_ends_what_nobody_wants():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p"))
        server.put(api.PODS, make_pod("unwanted"))
        await until(lambda: ready(server) and ready(server, "default/unwanted"))
        before = container_status(server, POD)["containerID"]
    server.drop(api.PODS, "default/unwanted")
    async with running(server, runtime):
        await until(lambda: set(runtime._pods) == {"uid-p"})
        await asyncio.sleep(30)
        assert container_status(server, POD)["containerID"] == before
        assert container_status(server, POD)["restartCount"] == 0
        assert ready(server)


@on_virtual_time
async def test_a_lost_sandbox_is_made_anew():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime) as kubelet:
        server.put(api.PODS, make_pod("p"))
        await until(lambda: ready(server))
        address = server.pod(POD)["status"]["podIP"]
        record = runtime._pods["uid-p"]
        await runtime.stop_sandbox(record.sandboxes[0].id)
        kubelet.workers["uid-p"].task_ended(record.sandboxes[0].id)
        await until(lambda: ready(server) and server.pod(POD)["status"]["podIP"] != address)
        assert container_status(server, POD)["restartCount"] == 1


@on_virtual_time
async def test_a_pod_of_the_same_name_that_replaces_another_is_another_pod():
    server, runtime = SmallApi(), ScriptedRuntime(LoopClock())
    async with running(server, runtime):
        server.put(api.PODS, make_pod("p"))
        await until(lambda: ready(server))
        again = make_pod("p")
        again["metadata"]["uid"] = "uid-new"
        server.drop(api.PODS, POD)
        server.put(api.PODS, again)
        await until(lambda: set(runtime._pods) == {"uid-new"})
        await until(lambda: ready(server))
