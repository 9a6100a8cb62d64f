"""What the kubelet needs of a container runtime: CRI's verbs with CRI's configurations as plain dicts.

A pod's state in the runtime is a `PodRecord`, rebuilt from labels and annotations alone, so that neither a
restart of the kubelet nor of the runtime loses anything. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
CONTAINER_HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_POLICY = "io.kubernetes.container.terminationMessagePolicy"
PRE_STOP = "io.kubernetes.container.preStopHandler"
POD_GRACE = "io.kubernetes.pod.terminationGracePeriod"

ContainerState = Literal["created", "running", "exited", "unknown"]


class RuntimeFailure(Exception):
    """The runtime refused or failed a call. `code` is gRPC's name of the status, such as `NotFound`."""

    def __init__(self, message: str, *, code: str = "Unknown") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    @property
    def wire(self) -> str:
        """As the gRPC library of upstream's kubelet writes it into events."""
        return f"rpc error: code = {self.code} desc = {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    id: str
    attempt: int
    ready: bool
    created_s: float
    ips: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container, alive or dead. A name has several: the one with the highest `attempt` is current."""

    id: str
    name: str
    sandbox_id: str
    state: ContainerState
    attempt: int
    hash: str = ""
    created_s: float = 0.0
    started_s: float = 0.0
    finished_s: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    log_path: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRecord:
    """What the runtime holds of one pod; sandboxes and containers newest first."""

    uid: str
    name: str = ""
    namespace: str = ""
    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()

    def current(self, name: str) -> Container | None:
        """The newest container of that name."""
        return next((container for container in self.containers if container.name == name), None)

    def previous(self, name: str) -> Container | None:
        """The newest but one: what `lastState` and `kubectl logs --previous` show."""
        same = [container for container in self.containers if container.name == name]
        return same[1] if len(same) > 1 else None

    @property
    def running(self) -> list[Container]:
        return [container for container in self.containers if container.running]

    @property
    def ready_sandbox(self) -> Sandbox | None:
        return next((sandbox for sandbox in self.sandboxes if sandbox.ready), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeVersion:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeCondition:
    """`RuntimeReady` or `NetworkReady`."""

    type: str
    status: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size_bytes: int
    user: str = ""
    """`""` (root), a user's name or a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """The process of a container or a sandbox has ended by itself.

    An empty `pod_uid` says that anything may have happened: it comes first, and after every break of the stream.
    """

    pod_uid: str = ""
    task_id: str = ""


class Runtime(Protocol):
    """Every method raises `RuntimeFailure`; a runtime that does not answer is one with code `Unavailable`."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def version(self) -> RuntimeVersion: ...

    async def conditions(self) -> list[RuntimeCondition]: ...

    async def list_pods(self) -> dict[str, PodRecord]:
        """Every pod by uid, without what only a status call tells (times, exit codes, addresses)."""
        ...

    async def pod(self, uid: str) -> PodRecord:
        """One pod with everything; a pod the runtime does not know is an empty record."""
        ...

    def events(self) -> AsyncIterator[TaskEvent]: ...

    async def run_sandbox(self, config: dict[str, Any]) -> str: ...

    async def stop_sandbox(self, sandbox_id: str) -> None: ...

    async def remove_sandbox(self, sandbox_id: str) -> None: ...

    async def create_container(
        self, sandbox_id: str, config: dict[str, Any], sandbox_config: dict[str, Any]
    ) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, *, grace_s: int) -> None:
        """Ask the process to end, and end it after `grace_s`. Returns when it has ended."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def reopen_log(self, container_id: str) -> None: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout_s: int) -> ExecResult:
        """Raises RuntimeFailure `DeadlineExceeded` after `timeout_s`."""
        ...

    async def image(self, reference: str) -> Image | None: ...

    async def images(self) -> list[Image]: ...

    async def pull_image(self, reference: str, *, auth: dict[str, str], config: dict[str, Any]) -> str:
        """The reference of what was pulled."""
        ...

    async def remove_image(self, reference: str) -> None: ...

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, streams: Sequence[str], tty: bool
    ) -> str:
        """Where the runtime's streaming server waits; `streams` out of stdin, stdout, stderr."""
        ...

    async def attach_url(self, container_id: str, *, streams: Sequence[str], tty: bool) -> str: ...

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str: ...

    async def stats(self) -> list[dict[str, Any]]:
        """CRI's ContainerStats of every running container."""
        ...
