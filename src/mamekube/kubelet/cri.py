"""`Runtime` over CRI v1: containerd, or any other runtime that serves it on a unix socket.

Containers that end are heard of at once, through containerd's own event stream or CRI's. A runtime that has
neither is asked for a list every second, as upstream's relisting does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mamekube.kubelet import cri_messages as cri
from mamekube.kubelet.grpc import Channel, GrpcFailure
from mamekube.kubelet.runtime import (
    CONTAINER_HASH,
    CONTAINER_NAME,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    RESTART_COUNT,
    Container,
    ContainerState,
    ExecResult,
    Image,
    PodRecord,
    RuntimeCondition,
    RuntimeFailure,
    RuntimeVersion,
    Sandbox,
    TaskEvent,
)

CALL_TIMEOUT_S = 120.0
"""Any call but a pull and a stop, which take the time they need. Upstream: --runtime-request-timeout."""
RELIST_PERIOD_S = 1.0
RECONNECT_DELAY_S = 0.2
STATES: tuple[ContainerState, ...] = ("created", "running", "exited", "unknown")
TASK_TOPICS = ("/tasks/exit", "/tasks/delete", "/tasks/oom")
TASK_EVENTS = {"/tasks/exit": "TaskExit", "/tasks/delete": "TaskDelete", "/tasks/oom": "TaskOOM"}
EVENT_NAMESPACE = "k8s.io"
NANOSECONDS = 1_000_000_000


class CriRuntime:
    """A client of one runtime's socket; it reconnects by itself."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path.removeprefix("unix://")
        self._channel: Channel | None = None
        # What a dead container says never changes: it is asked once.
        self._dead: dict[str, Container] = {}
        # Pods whose sandboxes and containers are all known, because they were listed or made here. What else
        # happens to them comes as an event; once events may have been missed, nothing is known.
        self._known: dict[str, PodRecord] = {}
        self._all_known = False
        # Sandboxes and containers that have ended, or are about to: what is known of them does not count.
        self._ending: set[str] = set()

    async def open(self) -> None:
        self._channel = Channel(path=self._socket_path)

    async def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def version(self) -> RuntimeVersion:
        answer = await self._call("Version", {"version": "v1"}, timeout_s=5.0)
        return RuntimeVersion(name=answer["runtime_name"], version=answer["runtime_version"])

    async def conditions(self) -> list[RuntimeCondition]:
        answer = await self._call("Status", {}, timeout_s=10.0)
        return [RuntimeCondition(**condition) for condition in answer["status"]["conditions"]]

    async def list_pods(self) -> dict[str, PodRecord]:
        records = await self._records({})
        for uid, record in records.items():
            self._ending |= _ended_unheard(self._known.get(uid), record)
        self._known = {**records, **{uid: self._known[uid] for uid in records if uid in self._known}}
        self._all_known = True
        return records

    async def pod(self, uid: str) -> PodRecord:
        record = self._known.get(uid)
        if record is None and not self._all_known:
            record = (await self._records({POD_UID: uid})).get(uid)
        complete = await self._complete(record or PodRecord(uid=uid))
        if record is not None:
            self._known[uid] = complete
        return complete

    async def _complete(self, record: PodRecord) -> PodRecord:
        """With the present state of everything that can still change."""
        sandboxes, containers = await asyncio.gather(
            asyncio.gather(*map(self._sandbox_status, record.sandboxes)),
            asyncio.gather(*map(self._container_status, record.containers)),
        )
        return replace(
            record,
            sandboxes=tuple(sandbox for sandbox in sandboxes if sandbox),
            containers=tuple(container for container in containers if container),
        )

    async def _records(self, selector: dict[str, str]) -> dict[str, PodRecord]:
        query = {"filter": {"label_selector": selector}}
        sandboxes, containers = await asyncio.gather(
            self._call("ListPodSandbox", query), self._call("ListContainers", query)
        )
        return assemble(sandboxes["items"], containers["containers"])

    async def _sandbox_status(self, sandbox: Sandbox) -> Sandbox | None:
        if not sandbox.ready or (sandbox.ips and sandbox.id not in self._ending):
            return sandbox
        try:
            answer = await self._call("PodSandboxStatus", {"pod_sandbox_id": sandbox.id})
        except RuntimeFailure as failure:
            if failure.code == "NotFound":
                return None
            raise
        status = answer["status"]
        network = status.get("network") or {"ip": "", "additional_ips": []}
        ips = (network["ip"], *(extra["ip"] for extra in network["additional_ips"]))
        return Sandbox(
            id=sandbox.id,
            attempt=sandbox.attempt,
            ready=status["state"] == cri.SANDBOX_READY,
            created_s=sandbox.created_s,
            ips=tuple(ip for ip in ips if ip),
        )

    async def _container_status(self, container: Container) -> Container | None:
        if container.state == "exited" and container.id in self._dead:
            return self._dead[container.id]
        if container.running and container.started_s and container.id not in self._ending:
            return container
        try:
            answer = await self._call("ContainerStatus", {"container_id": container.id})
        except RuntimeFailure as failure:
            if failure.code == "NotFound":
                return None
            raise
        full = container_from_status(answer["status"], container)
        if full.state == "exited":
            self._dead[container.id] = full
            self._ending.discard(container.id)
        return full

    async def events(self) -> AsyncIterator[TaskEvent]:
        while True:
            try:
                async for event in self._task_events():
                    yield event
            except RuntimeFailure as failure:
                self._forget()
                if failure.code == "Unimplemented":
                    yield TaskEvent()
                    await asyncio.sleep(RELIST_PERIOD_S)
            self._forget()
            await asyncio.sleep(RECONNECT_DELAY_S)

    async def _task_events(self) -> AsyncIterator[TaskEvent]:
        filters = [f'namespace=={EVENT_NAMESPACE},topic=="{topic}"' for topic in TASK_TOPICS]
        async for envelope in self._stream("Subscribe", {"filters": filters}):
            if envelope is None:
                # From here on nothing is missed; what happened before has to be looked for.
                self._forget()
                yield TaskEvent()
                continue
            event = cri.SCHEMA.decode(TASK_EVENTS[envelope["topic"]], envelope["event"]["value"])
            task_id = event["container_id"]
            if event.get("id", task_id) not in ("", task_id):
                continue  # a process that somebody started inside by exec
            uid = _owner(self._known, task_id) or _owner(await self.list_pods(), task_id)
            if uid:
                self._ending.add(task_id)
                yield TaskEvent(uid, task_id)

    def _forget(self) -> None:
        """Events may have been missed."""
        self._known.clear()
        self._ending.clear()
        self._all_known = False

    def _doubt(self, uid: str) -> None:
        """A call for this pod has failed half-way: list what is there at the next look."""
        self._known.pop(uid, None)
        self._all_known = False

    async def run_sandbox(self, config: dict[str, Any]) -> str:
        metadata = config["metadata"]
        uid = metadata["uid"]
        try:
            answer = await self._call("RunPodSandbox", {"config": config})
        except BaseException:
            self._doubt(uid)
            raise
        made = Sandbox(id=answer["pod_sandbox_id"], attempt=metadata["attempt"], ready=True, created_s=0.0)
        known = self._known.get(uid)
        if known is not None or self._all_known:
            known = known or PodRecord(uid=uid, name=metadata["name"], namespace=metadata["namespace"])
            self._known[uid] = replace(known, sandboxes=(made, *known.sandboxes))
        return made.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        self._ending.add(sandbox_id)
        await self._call("StopPodSandbox", {"pod_sandbox_id": sandbox_id})

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._call("RemovePodSandbox", {"pod_sandbox_id": sandbox_id})
        self._ending.discard(sandbox_id)
        self._dead = {key: one for key, one in self._dead.items() if one.sandbox_id != sandbox_id}
        uid = _owner(self._known, sandbox_id)
        if uid:
            record = self._known.pop(uid)
            self._ending -= {one.id for one in record.containers if one.sandbox_id == sandbox_id}
            left = tuple(sandbox for sandbox in record.sandboxes if sandbox.id != sandbox_id)
            kept = tuple(one for one in record.containers if one.sandbox_id != sandbox_id)
            if left or kept:
                self._known[uid] = replace(record, sandboxes=left, containers=kept)

    async def create_container(
        self, sandbox_id: str, config: dict[str, Any], sandbox_config: dict[str, Any]
    ) -> str:
        request = {"pod_sandbox_id": sandbox_id, "config": config, "sandbox_config": sandbox_config}
        uid = config["labels"].get(POD_UID, "")
        try:
            container_id = str((await self._call("CreateContainer", request))["container_id"])
        except BaseException:
            self._doubt(uid)
            raise
        known = self._known.get(uid)
        if known is not None:
            listed = {**config, "id": container_id, "pod_sandbox_id": sandbox_id}
            made = container_from_list(
                {**listed, "state": cri.CONTAINER_CREATED, "created_at": 0, "image_ref": ""}
            )
            self._known[uid] = replace(known, containers=(made, *known.containers))
        return container_id

    async def start_container(self, container_id: str) -> None:
        await self._call("StartContainer", {"container_id": container_id})

    async def stop_container(self, container_id: str, *, grace_s: int) -> None:
        self._ending.add(container_id)
        request = {"container_id": container_id, "timeout": grace_s}
        await self._call("StopContainer", request, timeout_s=grace_s + CALL_TIMEOUT_S)

    async def remove_container(self, container_id: str) -> None:
        await self._call("RemoveContainer", {"container_id": container_id})
        self._dead.pop(container_id, None)
        self._ending.discard(container_id)
        uid = _owner(self._known, container_id)
        if uid:
            kept = tuple(one for one in self._known[uid].containers if one.id != container_id)
            self._known[uid] = replace(self._known[uid], containers=kept)

    async def reopen_log(self, container_id: str) -> None:
        await self._call("ReopenContainerLog", {"container_id": container_id})

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout_s: int) -> ExecResult:
        request = {"container_id": container_id, "cmd": list(command), "timeout": timeout_s}
        limit_s = timeout_s + CALL_TIMEOUT_S if timeout_s else None
        answer = await self._call("ExecSync", request, timeout_s=limit_s)
        return ExecResult(exit_code=answer["exit_code"], stdout=answer["stdout"], stderr=answer["stderr"])

    async def image(self, reference: str) -> Image | None:
        answer = await self._call("ImageStatus", {"image": {"image": reference}})
        return image_from_wire(answer["image"]) if "image" in answer else None

    async def images(self) -> list[Image]:
        return [image_from_wire(image) for image in (await self._call("ListImages", {}))["images"]]

    async def pull_image(self, reference: str, *, auth: dict[str, str], config: dict[str, Any]) -> str:
        request = {"image": {"image": reference}, "auth": auth or None, "sandbox_config": config}
        return str((await self._call("PullImage", request, timeout_s=None))["image_ref"])

    async def remove_image(self, reference: str) -> None:
        await self._call("RemoveImage", {"image": {"image": reference}})

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, streams: Sequence[str], tty: bool
    ) -> str:
        wanted = dict.fromkeys(streams, True)
        request = {"container_id": container_id, "cmd": list(command), "tty": tty, **wanted}
        return str((await self._call("Exec", request))["url"])

    async def attach_url(self, container_id: str, *, streams: Sequence[str], tty: bool) -> str:
        request = {"container_id": container_id, "tty": tty, **dict.fromkeys(streams, True)}
        return str((await self._call("Attach", request))["url"])

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        request = {"pod_sandbox_id": sandbox_id, "port": list(ports)}
        return str((await self._call("PortForward", request))["url"])

    async def stats(self) -> list[dict[str, Any]]:
        return list((await self._call("ListContainerStats", {}))["stats"])

    async def _call(
        self, method: str, request: dict[str, Any], *, timeout_s: float | None = CALL_TIMEOUT_S
    ) -> dict[str, Any]:
        path, request_type, answer_type = cri.METHODS[method]
        message = cri.SCHEMA.encode(request_type, request)
        with _failures():
            answer = await self._open_channel().call(path, message, timeout_s=timeout_s)
        return cri.SCHEMA.decode(answer_type, answer)

    async def _stream(self, method: str, request: dict[str, Any]) -> AsyncIterator[dict[str, Any] | None]:
        """The messages of a stream, after one None that says that the server listens."""
        path, request_type, answer_type = cri.METHODS[method]
        message = cri.SCHEMA.encode(request_type, request)
        with _failures():
            async for answer in self._open_channel().stream(path, message):
                if answer is None:
                    # The server does not tell when it has subscribed; it has when it answers a later call.
                    await self.version()
                    yield None
                else:
                    yield cri.SCHEMA.decode(answer_type, answer)

    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise RuntimeFailure("the connection to the runtime is closed", code="Unavailable")
        return self._channel


@contextlib.contextmanager
def _failures() -> Any:
    try:
        yield
    except GrpcFailure as failure:
        raise RuntimeFailure(failure.message, code=failure.code) from failure


def _owner(records: Mapping[str, PodRecord], task_id: str) -> str:
    """The pod that a sandbox or container belongs to; `""` where none has it."""
    for uid, record in records.items():
        sandboxes = (sandbox.id for sandbox in record.sandboxes)
        containers = (container.id for container in record.containers)
        if task_id in sandboxes or task_id in containers:
            return uid
    return ""


def _ended_unheard(known: PodRecord | None, listed: PodRecord) -> set[str]:
    """What is known to run, and is listed as ended: its event was missed."""
    if known is None:
        return set()
    alive = {sandbox.id for sandbox in known.sandboxes if sandbox.ready} | {one.id for one in known.running}
    ended = {sandbox.id for sandbox in listed.sandboxes if not sandbox.ready}
    ended |= {one.id for one in listed.containers if not one.running}
    return alive & ended


def assemble(sandboxes: list[dict[str, Any]], containers: list[dict[str, Any]]) -> dict[str, PodRecord]:
    """Pods by uid out of CRI's two lists; what carries no pod's labels is not the kubelet's."""
    by_pod: dict[str, tuple[list[Sandbox], list[Container]]] = {}
    names: dict[str, dict[str, str]] = {}
    for item in sandboxes:
        if POD_UID in item["labels"]:
            uid = item["labels"][POD_UID]
            names[uid] = item["labels"]
            by_pod.setdefault(uid, ([], []))[0].append(sandbox_from_list(item))
    for item in containers:
        if POD_UID in item["labels"]:
            uid = item["labels"][POD_UID]
            names.setdefault(uid, item["labels"])
            by_pod.setdefault(uid, ([], []))[1].append(container_from_list(item))
    return {
        uid: PodRecord(
            uid=uid,
            name=names[uid].get(POD_NAME, ""),
            namespace=names[uid].get(POD_NAMESPACE, ""),
            sandboxes=tuple(sorted(found, key=lambda sandbox: (-sandbox.attempt, -sandbox.created_s))),
            containers=tuple(sorted(of_pod, key=lambda one: (-one.attempt, -one.created_s))),
        )
        for uid, (found, of_pod) in by_pod.items()
    }


def sandbox_from_list(item: dict[str, Any]) -> Sandbox:
    return Sandbox(
        id=item["id"],
        attempt=item["metadata"]["attempt"],
        ready=item["state"] == cri.SANDBOX_READY,
        created_s=item["created_at"] / NANOSECONDS,
    )


def container_from_list(item: dict[str, Any]) -> Container:
    annotations = item["annotations"]
    return Container(
        id=item["id"],
        name=item["labels"].get(CONTAINER_NAME, ""),
        sandbox_id=item["pod_sandbox_id"],
        state=STATES[item["state"]],
        attempt=int(annotations.get(RESTART_COUNT, item["metadata"]["attempt"])),
        hash=annotations.get(CONTAINER_HASH, ""),
        created_s=item["created_at"] / NANOSECONDS,
        image=item.get("image", {}).get("image", ""),
        image_ref=item["image_ref"],
        labels=item["labels"],
        annotations=annotations,
    )


def container_from_status(status: dict[str, Any], listed: Container) -> Container:
    return Container(
        id=listed.id,
        name=listed.name,
        sandbox_id=listed.sandbox_id,
        state=STATES[status["state"]],
        attempt=listed.attempt,
        hash=listed.hash,
        created_s=status["created_at"] / NANOSECONDS,
        started_s=status["started_at"] / NANOSECONDS,
        finished_s=status["finished_at"] / NANOSECONDS,
        exit_code=status["exit_code"],
        reason=status["reason"],
        message=status["message"],
        image=status.get("image", {}).get("image", "") or listed.image,
        image_ref=status["image_ref"],
        log_path=status["log_path"],
        labels=listed.labels,
        annotations=listed.annotations,
    )


def image_from_wire(image: dict[str, Any]) -> Image:
    uid = image.get("uid")
    return Image(
        id=image["id"],
        tags=tuple(image["repo_tags"]),
        digests=tuple(image["repo_digests"]),
        size_bytes=image["size"],
        user=str(uid["value"]) if uid is not None else image["username"],
    )
