"""A runtime without containers, for fake nodes: it answers at once, and everything it starts runs until ended.

A pod may say by annotation how it behaves, for tests: `fake.mamekube.dev/exit-after` (seconds) and
`fake.mamekube.dev/exit-code`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from mamekube.foundation.clock import Clock
from mamekube.kubelet.runtime import (
    CONTAINER_HASH,
    CONTAINER_NAME,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    Container,
    ExecResult,
    Image,
    PodRecord,
    RuntimeCondition,
    RuntimeFailure,
    RuntimeVersion,
    Sandbox,
    TaskEvent,
)

EXIT_AFTER = "fake.mamekube.dev/exit-after"
EXIT_CODE = "fake.mamekube.dev/exit-code"
KILLED_EXIT_CODE = 137


class FakeRuntime:
    """In memory; pods get addresses of `network` (its first two numbers) one after the other."""

    def __init__(self, *, network: str = "10.250", clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._network = network
        self._numbers = itertools.count(1)
        self._pods: dict[str, PodRecord] = {}
        self._owners: dict[str, str] = {}
        self._annotations: dict[str, dict[str, str]] = {}
        self._changes: asyncio.Queue[TaskEvent] = asyncio.Queue()
        self._timers: set[asyncio.TimerHandle] = set()
        self.pulled: list[str] = []

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()

    async def version(self) -> RuntimeVersion:
        return RuntimeVersion(name="fake", version="1.0.0")

    async def conditions(self) -> list[RuntimeCondition]:
        return [RuntimeCondition(type=kind, status=True) for kind in ("RuntimeReady", "NetworkReady")]

    async def list_pods(self) -> dict[str, PodRecord]:
        return dict(self._pods)

    async def pod(self, uid: str) -> PodRecord:
        return self._pods.get(uid) or PodRecord(uid=uid)

    async def events(self) -> AsyncIterator[TaskEvent]:
        yield TaskEvent()
        while True:
            yield await self._changes.get()

    async def run_sandbox(self, config: dict[str, Any]) -> str:
        number = next(self._numbers)
        labels = config["labels"]
        uid, sandbox_id = labels[POD_UID], f"{number:064x}"
        sandbox = Sandbox(
            id=sandbox_id,
            attempt=config["metadata"]["attempt"],
            ready=True,
            created_s=self._clock.now(),
            ips=(f"{self._network}.{number // 254 % 256}.{number % 254 + 1}",),
        )
        record = self._pods.get(uid) or PodRecord(
            uid=uid, name=labels[POD_NAME], namespace=labels[POD_NAMESPACE]
        )
        self._pods[uid] = replace(record, sandboxes=(sandbox, *record.sandboxes))
        self._owners[sandbox_id] = uid
        self._annotations[sandbox_id] = config["annotations"]
        return sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        record = self._record_of(sandbox_id)
        for container in record.running:
            if container.sandbox_id == sandbox_id:
                self._exit(container.id, KILLED_EXIT_CODE)
        record = self._record_of(sandbox_id)
        sandboxes = tuple(
            replace(one, ready=False) if one.id == sandbox_id else one for one in record.sandboxes
        )
        self._pods[record.uid] = replace(record, sandboxes=sandboxes)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id not in self._owners:
            return
        record = self._record_of(sandbox_id)
        sandboxes = tuple(one for one in record.sandboxes if one.id != sandbox_id)
        containers = tuple(one for one in record.containers if one.sandbox_id != sandbox_id)
        for gone in (sandbox_id, *(one.id for one in record.containers if one.sandbox_id == sandbox_id)):
            self._owners.pop(gone, None)
        self._annotations.pop(sandbox_id, None)
        if sandboxes or containers:
            self._pods[record.uid] = replace(record, sandboxes=sandboxes, containers=containers)
        else:
            del self._pods[record.uid]

    async def create_container(
        self, sandbox_id: str, config: dict[str, Any], sandbox_config: dict[str, Any]
    ) -> str:
        record = self._record_of(sandbox_id)
        container_id = f"{next(self._numbers):064x}"
        container = Container(
            id=container_id,
            name=config["labels"][CONTAINER_NAME],
            sandbox_id=sandbox_id,
            state="created",
            attempt=config["metadata"]["attempt"],
            hash=config["annotations"][CONTAINER_HASH],
            created_s=self._clock.now(),
            image=config["image"]["user_specified_image"],
            image_ref=config["image"]["image"],
            annotations=config["annotations"],
        )
        self._pods[record.uid] = replace(record, containers=(container, *record.containers))
        self._owners[container_id] = record.uid
        return container_id

    async def start_container(self, container_id: str) -> None:
        now_s = self._clock.now()
        container = self._change(container_id, state="running", started_s=now_s)
        annotations = self._annotations.get(container.sandbox_id, {})
        if EXIT_AFTER in annotations:
            code = int(annotations.get(EXIT_CODE, "0"))
            delay_s = float(annotations[EXIT_AFTER])
            self._timers.add(asyncio.get_running_loop().call_later(delay_s, self.crash, container_id, code))

    async def stop_container(self, container_id: str, *, grace_s: int) -> None:
        self._exit(container_id, KILLED_EXIT_CODE)

    async def remove_container(self, container_id: str) -> None:
        record = self._record_of(container_id)
        containers = tuple(one for one in record.containers if one.id != container_id)
        self._pods[record.uid] = replace(record, containers=containers)
        self._owners.pop(container_id)

    async def reopen_log(self, container_id: str) -> None:
        self._record_of(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout_s: int) -> ExecResult:
        self._record_of(container_id)
        return ExecResult(exit_code=0, stdout=b"", stderr=b"")

    async def image(self, reference: str) -> Image | None:
        return Image(id=f"sha256:{reference}", tags=(reference,), digests=(), size_bytes=0)

    async def images(self) -> list[Image]:
        return []

    async def pull_image(self, reference: str, *, auth: dict[str, str], config: dict[str, Any]) -> str:
        self.pulled.append(reference)
        return f"sha256:{reference}"

    async def remove_image(self, reference: str) -> None:
        pass

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, streams: Sequence[str], tty: bool
    ) -> str:
        raise RuntimeFailure("a fake node runs no commands", code="Unimplemented")

    async def attach_url(self, container_id: str, *, streams: Sequence[str], tty: bool) -> str:
        raise RuntimeFailure("a fake node has no streams", code="Unimplemented")

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        raise RuntimeFailure("a fake node has no ports", code="Unimplemented")

    async def stats(self) -> list[dict[str, Any]]:
        return []

    def crash(self, container_id: str, exit_code: int) -> None:
        """End a container from outside, as a crash of its process would."""
        if container_id in self._owners:
            self._exit(container_id, exit_code)

    def _exit(self, container_id: str, exit_code: int) -> None:
        container = self._find(container_id)
        if not container.running:
            return
        self._change(
            container_id,
            state="exited",
            exit_code=exit_code,
            finished_s=self._clock.now(),
            reason="Completed" if exit_code == 0 else "Error",
        )
        self._changes.put_nowait(TaskEvent(self._owners[container_id], container_id))

    def _change(self, container_id: str, **changes: Any) -> Container:
        record = self._record_of(container_id)
        changed = replace(self._find(container_id), **changes)
        containers = tuple(changed if one.id == container_id else one for one in record.containers)
        self._pods[record.uid] = replace(record, containers=containers)
        return changed

    def _find(self, container_id: str) -> Container:
        return next(one for one in self._record_of(container_id).containers if one.id == container_id)

    def _record_of(self, any_id: str) -> PodRecord:
        if any_id not in self._owners:
            raise RuntimeFailure(f"{any_id} is not there", code="NotFound")
        return self._pods[self._owners[any_id]]
