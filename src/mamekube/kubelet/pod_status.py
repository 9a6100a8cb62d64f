"""PodStatus as a pure function of the pod, the runtime's record and what the worker remembers.

Phases, reasons and messages are upstream's (`kubelet_pods.go`, `status/generate.go`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mamekube.foundation import clock
from mamekube.kubelet.plan import (
    Health,
    Memory,
    containers_of,
    init_containers_of,
    init_failed,
    is_sidecar,
    pod_title,
    restart_policy,
)
from mamekube.kubelet.resources import qos_class
from mamekube.kubelet.runtime import Container, PodRecord
from mamekube.objects.meta import Object, metadata

CONDITION_ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")

_format_seconds = lru_cache(maxsize=1024)(clock.format_time)

LOST = {
    "exitCode": 137,
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
}
"""How upstream tells of a container whose end nobody saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the status tells, beside the pod itself."""

    record: PodRecord
    memory: Memory
    now_s: float
    host_ips: Sequence[str] = ()
    backing_off: Mapping[str, float] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    """Termination messages by container id."""
    runtime_name: str = "containerd"
    over: bool = False
    """Every container has ended for good: the pod is deleted, or ended by the kubelet."""


def build(pod: Object, seen: Observed) -> dict[str, Any]:
    old = pod.get("status") or {}
    inits = [_container_status(pod, one, seen, init=True) for one in init_containers_of(pod)]
    mains = [_container_status(pod, one, seen) for one in containers_of(pod)]
    ephemeral = [
        _container_status(pod, one, seen) for one in (pod.get("spec") or {}).get("ephemeralContainers") or []
    ]
    phase = _phase(pod, seen, inits, mains)
    status: dict[str, Any] = {"phase": phase}
    generation = metadata(pod).get("generation")
    if generation:
        status["observedGeneration"] = generation
    if seen.memory.ended:
        status["reason"], status["message"] = seen.memory.ended
    status["conditions"] = _conditions(pod, seen, phase=phase, inits=inits, mains=mains)
    ips = _pod_ips(pod, seen)
    if seen.host_ips:
        status["hostIP"] = seen.host_ips[0]
        status["hostIPs"] = [{"ip": ip} for ip in seen.host_ips]
    if ips:
        status["podIP"] = ips[0]
        status["podIPs"] = [{"ip": ip} for ip in ips]
    status["startTime"] = old.get("startTime") or format_time(seen.memory.start_s)
    for name, statuses in (
        ("initContainerStatuses", inits),
        ("containerStatuses", mains),
        ("ephemeralContainerStatuses", ephemeral),
    ):
        if statuses:
            status[name] = statuses
    status["qosClass"] = old.get("qosClass") or qos_class(pod)
    return status


def _pod_ips(pod: Object, seen: Observed) -> list[str]:
    if (pod.get("spec") or {}).get("hostNetwork"):
        return list(seen.host_ips) if seen.record.sandboxes else []
    sandbox = seen.record.ready_sandbox
    if sandbox is not None:
        return list(sandbox.ips)
    # The address is kept as long as the pod is seen, although the sandbox has gone.
    return [entry["ip"] for entry in (pod.get("status") or {}).get("podIPs") or []]


def _container_status(
    pod: Object, container: Mapping[str, Any], seen: Observed, *, init: bool = False
) -> dict[str, Any]:
    name = container["name"]
    current, previous = seen.record.current(name), seen.record.previous(name)
    if current is None and seen.over:
        known = _told_before(pod, name)
        if known is not None:
            return known  # the runtime has forgotten the container
    waiting = _waiting(pod, container, seen, current, init=init)
    state = waiting if waiting is not None else _state(current, seen)
    last: dict[str, Any] = {}
    if current is not None and waiting is not None and current.state == "exited":
        last = _state(current, seen)
    elif previous is not None:
        last = _state(previous, seen)
    started, ready = _readiness(container, current, seen, init=init)
    status: dict[str, Any] = {
        "name": name,
        "state": state,
        "lastState": last,
        "ready": ready,
        "restartCount": current.attempt if current is not None else 0,
        "image": (current.image if current else "") or container.get("image", ""),
        "imageID": current.image_ref if current else "",
        "started": started,
    }
    if current is not None:
        status["containerID"] = f"{seen.runtime_name}://{current.id}"
    declared = container.get("resources") or {}
    if current is not None and current.running:
        if declared.get("requests"):
            status["allocatedResources"] = declared["requests"]
        status["resources"] = declared
    mounts = [_mount_status(mount) for mount in container.get("volumeMounts") or []]
    if mounts:
        status["volumeMounts"] = mounts
    return status


def _told_before(pod: Object, name: str) -> dict[str, Any] | None:
    """The container's status as the API server has it."""
    old = pod.get("status") or {}
    for key in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for status in old.get(key) or []:
            if status["name"] == name and status.get("containerID"):
                return dict(status)
    return None


def _mount_status(mount: Mapping[str, Any]) -> dict[str, Any]:
    status = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        status |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return status


def _waiting(
    pod: Object, container: Mapping[str, Any], seen: Observed, current: Container | None, *, init: bool
) -> dict[str, Any] | None:
    """The `waiting` state, or None where the container runs or ended for good."""
    name = container["name"]
    if current is not None and current.running:
        return None
    if not seen.over:
        if name in seen.memory.waiting:
            reason, message = seen.memory.waiting[name]
            return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        if name in seen.backing_off:
            delay = duration(seen.backing_off[name])
            message = f"back-off {delay} restarting failed container={name} pod={pod_title(pod)}"
            return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    if current is not None and current.state != "created":
        return None
    if (init_containers_of(pod) and not init) or (init and current is None):
        return {"waiting": {"reason": "PodInitializing"}}
    return {"waiting": {"reason": "ContainerCreating"}}


def _state(container: Container | None, seen: Observed) -> dict[str, Any]:
    assert container is not None, "a container without a record waits"
    if container.running:
        return {"running": {"startedAt": format_time(container.started_s)}}
    if container.state == "unknown":
        return {"terminated": dict(LOST)}
    terminated: dict[str, Any] = {
        "exitCode": container.exit_code,
        "reason": container.reason or ("Completed" if container.exit_code == 0 else "Error"),
    }
    message = seen.messages.get(container.id) or container.message
    if message:
        terminated["message"] = message
    terminated["startedAt"] = format_time(container.started_s)
    terminated["finishedAt"] = format_time(container.finished_s)
    terminated["containerID"] = f"{seen.runtime_name}://{container.id}"
    return {"terminated": terminated}


def _readiness(
    container: Mapping[str, Any], current: Container | None, seen: Observed, *, init: bool
) -> tuple[bool, bool]:
    """(started, ready)."""
    if current is None or current.state == "created":
        return False, False
    if init and not is_sidecar(container):
        return False, current.state == "exited" and current.exit_code == 0
    if not current.running:
        return False, False
    health = seen.memory.health.get(current.id, Health())
    return health.started, health.started and health.ready


def _phase(
    pod: Object, seen: Observed, inits: Sequence[Mapping[str, Any]], mains: Sequence[Mapping[str, Any]]
) -> str:
    old = (pod.get("status") or {}).get("phase", "")
    if old in ("Succeeded", "Failed"):
        return str(old)
    if seen.memory.ended:
        return "Failed"
    for container in init_containers_of(pod):
        current = seen.record.current(container["name"])
        if current is not None and not is_sidecar(container) and init_failed(pod, container, current):
            return "Failed"
    if not seen.over and not _initialized(pod, inits, mains):
        return "Pending"
    return _phase_of_containers(pod, mains, over=seen.over)


def _phase_of_containers(pod: Object, mains: Sequence[Mapping[str, Any]], *, over: bool) -> str:
    running = waiting = stopped = succeeded = 0
    for status in mains:
        state, last = status["state"], status["lastState"]
        ended = state.get("terminated") or ("waiting" in state and last.get("terminated"))
        if "running" in state:
            running += 1
        elif ended:
            stopped += 1
            succeeded += "terminated" in state and ended["exitCode"] == 0
        else:
            waiting += 1
    if over:
        return "Succeeded" if stopped and stopped == succeeded == len(mains) else "Failed"
    if waiting:
        return "Pending"
    if running or not stopped:
        return "Running"
    policies = {restart_policy(pod, container) for container in containers_of(pod)}
    if "Always" in policies:
        return "Running"
    if stopped == succeeded:
        return "Succeeded"
    return "Failed" if policies == {"Never"} else "Running"


def _initialized(pod: Object, inits: Sequence[Mapping[str, Any]], mains: Sequence[Mapping[str, Any]]) -> bool:
    return not _incomplete(pod, inits, mains)


def _incomplete(
    pod: Object, inits: Sequence[Mapping[str, Any]], mains: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Names of the init containers that the regular ones still wait for."""
    if any("running" in status["state"] or status["lastState"] for status in mains):
        return []
    sidecars = {container["name"] for container in init_containers_of(pod) if is_sidecar(container)}
    return [
        status["name"]
        for status in inits
        if not (status["started"] if status["name"] in sidecars else status["ready"])
    ]


def _conditions(
    pod: Object,
    seen: Observed,
    *,
    phase: str,
    inits: Sequence[Mapping[str, Any]],
    mains: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    sidecars = {one["name"] for one in init_containers_of(pod) if is_sidecar(one)}
    restartable = [status for status in inits if status["name"] in sidecars]
    containers_ready = _containers_ready(phase, [*restartable, *mains])
    has_network = bool(seen.record.ready_sandbox)
    new = {
        "PodReadyToStartContainers": (has_network, "", ""),
        "Initialized": _initialized_condition(pod, phase, inits, mains),
        "Ready": _ready_condition(pod, containers_ready),
        "ContainersReady": containers_ready,
        "PodScheduled": (True, "", ""),
    }
    old = {item["type"]: item for item in (pod.get("status") or {}).get("conditions") or []}
    generation = metadata(pod).get("generation")
    now = format_time(seen.now_s)
    conditions = []
    for kind in CONDITION_ORDER:
        truth, reason, message = new[kind]
        text = "True" if truth else "False"
        before = old.pop(kind, {})
        condition: dict[str, Any] = {"type": kind}
        if generation:
            condition["observedGeneration"] = generation
        condition["status"] = text
        unchanged = before.get("status") == text
        condition["lastTransitionTime"] = before.get("lastTransitionTime", now) if unchanged else now
        if reason:
            condition["reason"] = reason
        if message:
            condition["message"] = message
        conditions.append(condition)
    # Conditions of others (readiness gates, DisruptionTarget) are not the kubelet's to change.
    return conditions + list(old.values())


def format_time(seconds: float) -> str:
    return _format_seconds(int(seconds))


Verdict = tuple[bool, str, str]


def _containers_ready(phase: str, statuses: Sequence[Mapping[str, Any]]) -> Verdict:
    if phase == "Succeeded":
        return False, "PodCompleted", ""
    if phase == "Failed":
        return False, "PodFailed", ""
    unready = [status["name"] for status in statuses if not status["ready"]]
    if unready:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return True, "", ""


def _ready_condition(pod: Object, containers_ready: Verdict) -> Verdict:
    if not containers_ready[0]:
        return containers_ready
    found = {item["type"]: item for item in (pod.get("status") or {}).get("conditions") or []}
    messages = []
    for gate in (pod.get("spec") or {}).get("readinessGates") or []:
        kind = gate["conditionType"]
        if kind not in found:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif found[kind].get("status") != "True":
            messages.append(
                f'the status of pod readiness gate "{kind}" is not "True", but {found[kind]["status"]}'
            )
    return (False, "ReadinessGatesNotReady", ", ".join(messages)) if messages else (True, "", "")


def _initialized_condition(
    pod: Object, phase: str, inits: Sequence[Mapping[str, Any]], mains: Sequence[Mapping[str, Any]]
) -> Verdict:
    if phase == "Succeeded":
        return True, "PodCompleted" if inits else "", ""
    incomplete = _incomplete(pod, inits, mains)
    if incomplete:
        return (
            False,
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(incomplete)}]",
        )
    return True, "", ""


def duration(seconds: float) -> str:
    """As Go prints a duration of whole seconds: `10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
