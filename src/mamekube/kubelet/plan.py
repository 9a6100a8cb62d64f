"""What to do next for one pod: a pure decision over the pod, the runtime's record of it and what is remembered.

Invariants:
* A container is started only in the pod's one ready sandbox, and an init container only after all before it.
* A running container is left alone unless its definition changed or a probe condemned it.
* Nothing is started for a pod that ends: by deletion, by deadline, or because its work is done.

It must not know how anything is done, nor read a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mamekube.kubelet.container_config import container_hash
from mamekube.kubelet.runtime import Container, PodRecord, Sandbox
from mamekube.objects.meta import Object, being_deleted, metadata, name_of, namespace_of, uid_of

CRASH_BACKOFF_INITIAL_S = 10.0
CRASH_BACKOFF_LIMIT_S = 300.0
CRASH_FORGET_S = 600.0
"""A container that ran this long since its last back-off starts again with the first one. Upstream: 2 × limit."""
GRACE_DEFAULT_S = 30
DEAD_KEPT_PER_CONTAINER = 1
DEADLINE_REASON = "DeadlineExceeded"
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


@dataclass(frozen=True, slots=True)
class CrashDelay:
    """The back-off that followed a container's last crash."""

    delay_s: float
    noted_s: float


@dataclass(slots=True)
class Health:
    """What the probes found of one container (by id)."""

    started: bool = False
    """The startup probe has passed, or there is none; and the postStart hook has returned."""
    ready: bool = False
    condemned: str = ""
    """Why a probe wants it restarted: the message of the Killing event."""
    grace_s: int | None = None
    """The probe's own terminationGracePeriodSeconds."""


@dataclass(slots=True)
class Memory:
    """What a pod's worker knows beyond the API object and the runtime. All of it may be lost in a restart."""

    start_s: float = 0.0
    """When the kubelet saw the pod first: its status' startTime."""
    health: dict[str, Health] = field(default_factory=dict)
    crashes: dict[str, CrashDelay] = field(default_factory=dict)
    waiting: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Why a container could not be started at the last try: (reason, message)."""
    retry_at_s: dict[str, float] = field(default_factory=dict)
    """When a container that could not be started is tried again."""
    ended: tuple[str, str] | None = None
    """The pod was ended by the kubelet: (reason, message) of its status."""
    removed: bool = False
    """The API object is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    container: Mapping[str, Any]
    attempt: int
    init: bool = False
    crash: CrashDelay | None = None
    """To be remembered if the start is the restart of a crashed container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    container: Container
    message: str = ""
    grace_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End every container and the sandbox."""

    grace_s: int
    final: bool
    """The pod is deleted: remove everything, then the API object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    end: End | None = None
    create_sandbox: int | None = None
    """The attempt of the sandbox to create; what runs in older ones is ended first."""
    kill: tuple[Kill, ...] = ()
    start: tuple[Start, ...] = ()
    remove_containers: tuple[str, ...] = ()
    remove_sandboxes: tuple[str, ...] = ()
    backing_off: Mapping[str, float] = field(default_factory=dict)
    """Crashed containers that wait: by name, the length of the back-off in seconds."""
    ended: tuple[str, str] | None = None
    """The pod ends now for this (reason, message)."""
    wake_at_s: float | None = None

    @property
    def idle(self) -> bool:
        """There is nothing to do until something happens."""
        return not (self.end or self.kill or self.start or self.create_sandbox is not None)


@dataclass(slots=True)
class _Draft:
    kill: list[Kill] = field(default_factory=list)
    start: list[Start] = field(default_factory=list)
    backing_off: dict[str, float] = field(default_factory=dict)
    wakes: list[float] = field(default_factory=list)


def plan(pod: Object, record: PodRecord, memory: Memory, now_s: float) -> Plan:
    if being_deleted(pod) or memory.removed:
        return Plan(end=End(grace_s=grace_of(pod), final=True))
    deadline_s = _deadline(pod, memory)
    if memory.ended is None and deadline_s is not None and now_s >= deadline_s and not is_terminal(pod):
        ended = (DEADLINE_REASON, DEADLINE_MESSAGE)
        return Plan(ended=ended, end=End(grace_s=grace_of(pod), final=False))
    if memory.ended or is_terminal(pod) or work_is_done(pod, record):
        alive = record.running or record.ready_sandbox
        return Plan(end=End(grace_s=grace_of(pod), final=False) if alive else None)
    return _plan_running(pod, record, memory, now_s, deadline_s)


def _plan_running(
    pod: Object, record: PodRecord, memory: Memory, now_s: float, deadline_s: float | None
) -> Plan:
    sandbox = record.sandboxes[0] if record.sandboxes and record.sandboxes[0].ready else None
    draft = _Draft()
    if sandbox is None:
        attempt = record.sandboxes[0].attempt + 1 if record.sandboxes else 0
        draft.kill += [Kill(container=container) for container in record.running]
        due_s = memory.retry_at_s.get("")
        if due_s is not None and due_s > now_s:
            return Plan(wake_at_s=due_s)
        return Plan(create_sandbox=attempt, kill=tuple(draft.kill))
    if _plan_init(pod, record, memory, sandbox, draft, now_s):
        for container in containers_of(pod):
            _plan_container(pod, container, record, memory, sandbox, draft, now_s)
    for container in (pod.get("spec") or {}).get("ephemeralContainers") or []:
        if record.current(container["name"]) is None:
            _start(container, None, memory, draft, now_s)
    if deadline_s is not None:
        draft.wakes.append(deadline_s)
    dead_containers, dead_sandboxes = garbage(record)
    return Plan(
        kill=tuple(draft.kill),
        start=tuple(draft.start),
        backing_off=draft.backing_off,
        remove_containers=dead_containers,
        remove_sandboxes=dead_sandboxes,
        wake_at_s=min(draft.wakes, default=None),
    )


def _plan_init(
    pod: Object, record: PodRecord, memory: Memory, sandbox: Sandbox, draft: _Draft, now_s: float
) -> bool:
    """Plan for the init containers; answers whether the regular containers' turn has come."""
    initialized = any(_in_sandbox(record, one["name"], sandbox) for one in containers_of(pod))
    for container in init_containers_of(pod):
        current = _in_sandbox(record, container["name"], sandbox)
        sidecar = is_sidecar(container)
        if initialized and not sidecar:
            continue
        if current is not None and current.state == "exited" and not sidecar and current.exit_code == 0:
            continue
        if current is not None and current.running:
            if sidecar and _condemn(container, current, memory, draft):
                continue
            if sidecar and (initialized or memory.health.get(current.id, Health()).started):
                continue
            return initialized
        _start(container, record.current(container["name"]), memory, draft, now_s, init=True)
        if not initialized:
            return False
    return True


def _plan_container(
    pod: Object,
    container: Mapping[str, Any],
    record: PodRecord,
    memory: Memory,
    sandbox: Sandbox,
    draft: _Draft,
    now_s: float,
) -> None:
    current = record.current(container["name"])
    if current is not None and current.running and current.sandbox_id == sandbox.id:
        _condemn(container, current, memory, draft)
    elif current is None or should_restart(pod, container, current):
        _start(container, current, memory, draft, now_s)


def _condemn(container: Mapping[str, Any], current: Container, memory: Memory, draft: _Draft) -> bool:
    """Plan the end of a running container whose definition changed or which a probe condemned."""
    name = container["name"]
    health = memory.health.get(current.id)
    if current.hash and current.hash != container_hash(container):
        message = f"Container {name} definition changed, will be restarted"
        draft.kill.append(Kill(container=current, message=message))
        return True
    if health is not None and health.condemned:
        draft.kill.append(Kill(container=current, message=health.condemned, grace_s=health.grace_s))
        return True
    return False


def _start(
    container: Mapping[str, Any],
    last: Container | None,
    memory: Memory,
    draft: _Draft,
    now_s: float,
    *,
    init: bool = False,
) -> None:
    """Plan a start, unless the container backs off from a crash or from a failed try."""
    name = container["name"]
    retry_at_s = memory.retry_at_s.get(name, 0.0)
    if retry_at_s > now_s:
        draft.wakes.append(retry_at_s)
        return
    crash = None
    if last is not None and last.state == "exited":
        entry = memory.crashes.get(name)
        if entry is not None and backs_off(entry, last.finished_s, now_s):
            draft.backing_off[name] = entry.delay_s
            draft.wakes.append(last.finished_s + entry.delay_s)
            return
        crash = next_delay(entry, last.finished_s, now_s)
    attempt = last.attempt + 1 if last is not None else 0
    draft.start.append(Start(container=container, attempt=attempt, init=init, crash=crash))


def backs_off(entry: CrashDelay, finished_s: float, now_s: float) -> bool:
    """Whether a container that ended at `finished_s` still has to wait."""
    if finished_s - entry.noted_s > CRASH_FORGET_S:
        return False
    return now_s < finished_s + entry.delay_s


def next_delay(entry: CrashDelay | None, finished_s: float, now_s: float) -> CrashDelay:
    """What the next crash will have to wait: doubled, or from the beginning after a long healthy time."""
    if entry is None or finished_s - entry.noted_s > CRASH_FORGET_S:
        return CrashDelay(CRASH_BACKOFF_INITIAL_S, now_s)
    return CrashDelay(min(entry.delay_s * 2, CRASH_BACKOFF_LIMIT_S), now_s)


def should_restart(pod: Object, container: Mapping[str, Any], current: Container) -> bool:
    """Whether a container that does not run is to run again, by restart policy and rules."""
    if current.state != "exited":
        return True
    policy = restart_policy(pod, container)
    if container.get("restartPolicy"):
        for rule in container.get("restartPolicyRules") or []:
            if _rule_matches(rule, current.exit_code):
                return rule.get("action") in ("Restart", "RestartAllContainers")
    return policy == "Always" or (policy == "OnFailure" and current.exit_code != 0)


def _rule_matches(rule: Mapping[str, Any], exit_code: int) -> bool:
    codes = rule.get("exitCodes") or {}
    listed = exit_code in (codes.get("values") or [])
    return listed if codes.get("operator") == "In" else not listed


def restart_policy(pod: Object, container: Mapping[str, Any]) -> str:
    return str(container.get("restartPolicy") or (pod.get("spec") or {}).get("restartPolicy") or "Always")


def work_is_done(pod: Object, record: PodRecord) -> bool:
    """Every container has ended for good, or an init container failed for good."""
    for container in init_containers_of(pod):
        current = record.current(container["name"])
        if current is not None and not is_sidecar(container) and init_failed(pod, container, current):
            return True
    for container in containers_of(pod):
        current = record.current(container["name"])
        if current is None or should_restart(pod, container, current):
            return False
        if current.state != "exited":
            return False
    return bool(containers_of(pod))


def init_failed(pod: Object, container: Mapping[str, Any], current: Container) -> bool:
    """An init container failed and may not be tried again."""
    failed = current.state == "exited" and current.exit_code != 0
    return failed and restart_policy(pod, container) == "Never"


def garbage(record: PodRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Dead containers beyond the one kept for `logs --previous`, and sandboxes that nothing is left of."""
    seen: dict[str, int] = {}
    dead: list[str] = []
    for container in record.containers:
        seen[container.name] = seen.get(container.name, 0) + 1
        if seen[container.name] > 1 + DEAD_KEPT_PER_CONTAINER and not container.running:
            dead.append(container.id)
    needed = {container.sandbox_id for container in record.containers if container.id not in dead}
    idle = [one.id for one in record.sandboxes[1:] if not one.ready and one.id not in needed]
    return tuple(dead), tuple(idle)


def grace_of(pod: Object) -> int:
    """Seconds between the request to end and the end by force."""
    declared = metadata(pod).get("deletionGracePeriodSeconds")
    if declared is None:
        declared = (pod.get("spec") or {}).get("terminationGracePeriodSeconds", GRACE_DEFAULT_S)
    return max(int(declared), 1)


def is_terminal(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """Of an init container: it runs beside the regular ones."""
    return container.get("restartPolicy") == "Always"


def containers_of(pod: Object) -> list[dict[str, Any]]:
    return (pod.get("spec") or {}).get("containers") or []


def init_containers_of(pod: Object) -> list[dict[str, Any]]:
    return (pod.get("spec") or {}).get("initContainers") or []


def all_containers_of(pod: Object) -> Iterable[dict[str, Any]]:
    yield from init_containers_of(pod)
    yield from containers_of(pod)
    yield from (pod.get("spec") or {}).get("ephemeralContainers") or []


def pod_title(pod: Object) -> str:
    """How upstream's messages name a pod."""
    return f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"


def _in_sandbox(record: PodRecord, name: str, sandbox: Sandbox) -> Container | None:
    current = record.current(name)
    return current if current is not None and current.sandbox_id == sandbox.id else None


def _deadline(pod: Object, memory: Memory) -> float | None:
    limit_s = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    return memory.start_s + limit_s if limit_s is not None else None
