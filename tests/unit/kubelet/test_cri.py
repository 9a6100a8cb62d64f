"""CriRuntime against a runtime that speaks CRI over a socket: what it asks, what it makes of the answers."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from mamekube.kubelet import cri
from mamekube.kubelet import cri_messages as messages
from mamekube.kubelet.cri import CriRuntime
from mamekube.kubelet.runtime import POD_NAME, POD_NAMESPACE, POD_UID, RuntimeFailure, TaskEvent

LABELS = {POD_UID: "u", POD_NAME: "p", POD_NAMESPACE: "ns"}
SANDBOX_CONFIG = {"metadata": {"name": "p", "namespace": "ns", "uid": "u", "attempt": 0}, "labels": LABELS}
CONTAINER_CONFIG = {
    "metadata": {"name": "main", "attempt": 0},
    "labels": {**LABELS, "io.kubernetes.container.name": "main"},
    "annotations": {},
}


class WireCodec(CodecBase):
    """Hands grpclib a table's codec: a message's type is its name."""

    __content_subtype__ = "proto"

    def encode(self, message, message_type):
        return messages.SCHEMA.encode(message_type, message)

    def decode(self, data, message_type):
        return messages.SCHEMA.decode(message_type, data)


class SmallContainerd:
    """Sandboxes and containers in dicts; `calls` tells what was asked."""

    def __init__(self):
        self.calls = []
        self.sandboxes, self.containers = {}, {}
        self.events = asyncio.Queue()
        self.has_events = True

    def __mapping__(self):
        mapping = {}
        for name, (path, request, answer) in messages.METHODS.items():
            streams = name in ("Subscribe", "GetContainerEvents")
            kind = Cardinality.UNARY_STREAM if streams else Cardinality.UNARY_UNARY
            mapping[path] = Handler(self._serve(name), kind, request, answer)
        return mapping

    def _serve(self, name):
        async def serve(stream):
            request = await stream.recv_message()
            if name == "Subscribe":
                await self._subscribe(stream)
                return
            self.calls.append(name)
            answer = getattr(self, name)(request)
            await stream.send_message(answer)

        return serve

    async def _subscribe(self, stream):
        if not self.has_events:
            raise GRPCError(Status.UNIMPLEMENTED, "unknown service")
        while (event := await self.events.get()) is not None:
            await stream.send_message(event)

    def Version(self, request):  # noqa: N802
        return {"runtime_name": "containerd", "runtime_version": "1.6.20"}

    def RunPodSandbox(self, request):  # noqa: N802
        self.sandboxes["s1"] = messages.SANDBOX_READY
        return {"pod_sandbox_id": "s1"}

    def StopPodSandbox(self, request):  # noqa: N802
        self.sandboxes["s1"] = messages.SANDBOX_NOT_READY
        return {}

    def RemovePodSandbox(self, request):  # noqa: N802
        self.sandboxes.clear()
        self.containers.clear()
        return {}

    def ListPodSandbox(self, request):  # noqa: N802
        metadata = SANDBOX_CONFIG["metadata"]
        items = [
            {"id": k, "metadata": metadata, "state": v, "labels": LABELS} for k, v in self.sandboxes.items()
        ]
        return {"items": items}

    def PodSandboxStatus(self, request):  # noqa: N802
        key = request["pod_sandbox_id"]
        return {"status": {"id": key, "state": self.sandboxes[key], "network": {"ip": "10.0.0.5"}}}

    def CreateContainer(self, request):  # noqa: N802
        self.containers["c1"] = messages.CONTAINER_CREATED
        return {"container_id": "c1"}

    def StartContainer(self, request):  # noqa: N802
        self.containers["c1"] = messages.CONTAINER_RUNNING
        return {}

    def StopContainer(self, request):  # noqa: N802
        return {}

    def ListContainers(self, request):  # noqa: N802
        common = {"pod_sandbox_id": "s1", **CONTAINER_CONFIG}
        return {"containers": [{"id": k, "state": v, **common} for k, v in self.containers.items()]}

    def ContainerStatus(self, request):  # noqa: N802
        key = request["container_id"]
        if key not in self.containers:
            raise GRPCError(Status.NOT_FOUND, f"{key} is not there")
        return {"status": {"id": key, "state": self.containers[key], "started_at": 2_000_000_000}}

    def exit_event(self, container="c1", process=""):
        value = messages.SCHEMA.encode("TaskExit", {"container_id": container, "id": process or container})
        return {"topic": "/tasks/exit", "namespace": "k8s.io", "event": {"type_url": "x", "value": value}}


@asynccontextmanager
async def connected(tmp_path):
    daemon = SmallContainerd()
    server = Server([daemon], codec=WireCodec())
    await server.start(path=str(tmp_path / "cri.sock"))
    runtime = CriRuntime(f"unix://{tmp_path / 'cri.sock'}")
    await runtime.open()
    try:
        yield daemon, runtime
    finally:
        await runtime.close()
        server.close()
        daemon.events.put_nowait(None)
        await server.wait_closed()


async def start_pod(runtime):
    await runtime.run_sandbox(SANDBOX_CONFIG)
    await runtime.create_container("s1", CONTAINER_CONFIG, SANDBOX_CONFIG)
    await runtime.start_container("c1")


async def test_what_was_made_here_is_not_listed_again(tmp_path):
    async with connected(tmp_path) as (daemon, runtime):
        await runtime.list_pods()
        await start_pod(runtime)
        daemon.calls.clear()
        record = await runtime.pod("u")
        assert [one.name for one in record.running] == ["main"]
        assert record.running[0].started_s == 2.0
        assert record.ready_sandbox.ips == ("10.0.0.5",)
        assert daemon.calls == ["PodSandboxStatus", "ContainerStatus"]
        daemon.calls.clear()
        assert (await runtime.pod("u")).running[0].started_s == 2.0
        assert (await runtime.pod("somebody")).containers == ()
        assert daemon.calls == []


async def test_a_pod_of_before_is_found_by_its_labels(tmp_path):
    async with connected(tmp_path) as (_, runtime):
        await start_pod(runtime)
        again = CriRuntime(str(tmp_path / "cri.sock"))
        await again.open()
        assert (await again.pod("u")).running[0].id == "c1"
        assert list(await again.list_pods()) == ["u"]
        await again.close()


async def test_an_exit_is_told_with_its_pod_and_execs_are_not(tmp_path):
    async with connected(tmp_path) as (daemon, runtime):
        await start_pod(runtime)
        events = runtime.events()
        assert await anext(events) == TaskEvent()
        daemon.events.put_nowait(daemon.exit_event(process="an-exec"))
        daemon.events.put_nowait(daemon.exit_event(container="unknown"))
        daemon.events.put_nowait(daemon.exit_event())
        assert await anext(events) == TaskEvent("u", "c1")
        await events.aclose()


async def test_an_ended_sandbox_is_seen_although_it_was_known_to_be_ready(tmp_path):
    async with connected(tmp_path) as (daemon, runtime):
        await runtime.list_pods()
        await start_pod(runtime)
        await runtime.pod("u")
        events = runtime.events()
        await anext(events)
        daemon.sandboxes["s1"] = messages.SANDBOX_NOT_READY
        daemon.events.put_nowait(daemon.exit_event(container="s1"))
        assert await anext(events) == TaskEvent("u", "s1")
        assert (await runtime.pod("u")).ready_sandbox is None
        await events.aclose()


@pytest.mark.parametrize("how", ["an event", "a stop", "a list"])
async def test_an_ended_container_is_seen_although_it_was_known_to_run(tmp_path, how):
    async with connected(tmp_path) as (daemon, runtime):
        await runtime.list_pods()
        await start_pod(runtime)
        events = runtime.events()
        await anext(events)
        await runtime.list_pods()
        assert (await runtime.pod("u")).running
        daemon.containers["c1"] = messages.CONTAINER_EXITED
        if how == "an event":
            daemon.events.put_nowait(daemon.exit_event())
            await anext(events)
        elif how == "a stop":
            await runtime.stop_container("c1", grace_s=1)
        else:
            await runtime.list_pods()
        assert [one.state for one in (await runtime.pod("u")).containers] == ["exited"]
        await events.aclose()


async def test_everything_is_asked_anew_after_the_stream_broke(tmp_path, monkeypatch):
    monkeypatch.setattr(cri, "RECONNECT_DELAY_S", 0.0)
    async with connected(tmp_path) as (daemon, runtime):
        events = runtime.events()
        await anext(events)
        await runtime.list_pods()
        daemon.events.put_nowait(None)
        assert await anext(events) == TaskEvent()
        daemon.calls.clear()
        await runtime.pod("u")
        assert "ListContainers" in daemon.calls
        await events.aclose()


async def test_a_runtime_without_events_is_looked_at_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(cri, "RELIST_PERIOD_S", 0.0)
    monkeypatch.setattr(cri, "RECONNECT_DELAY_S", 0.0)
    async with connected(tmp_path) as (daemon, runtime):
        daemon.has_events = False
        events = runtime.events()
        assert [await anext(events) for _ in range(4)] == [TaskEvent()] * 4
        await events.aclose()


async def test_a_removed_pod_leaves_nothing_known(tmp_path):
    async with connected(tmp_path) as (_, runtime):
        await runtime.list_pods()
        await start_pod(runtime)
        await runtime.pod("u")
        await runtime.stop_sandbox("s1")
        assert (await runtime.pod("u")).ready_sandbox is None
        await runtime.remove_sandbox("s1")
        assert (await runtime.pod("u")).sandboxes == ()


async def test_a_refusal_has_the_code_and_the_text_of_the_runtime(tmp_path):
    async with connected(tmp_path) as (daemon, runtime):

        def refuse(request):
            raise GRPCError(Status.NOT_FOUND, "no such image")

        daemon.PullImage = refuse
        with pytest.raises(RuntimeFailure) as caught:
            await runtime.pull_image("app:1", auth={}, config=SANDBOX_CONFIG)
        assert caught.value.wire == "rpc error: code = NotFound desc = no such image"


async def test_a_socket_that_is_not_there_is_unavailable(tmp_path):
    runtime = CriRuntime(str(tmp_path / "none.sock"))
    await runtime.open()
    with pytest.raises(RuntimeFailure) as caught:
        await runtime.version()
    assert caught.value.code == "Unavailable"
    await runtime.close()
