"""The row of a pod in a table: what `kubectl get pods` says of its containers in one word."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column
from mamekube.objects.ages import since
from mamekube.objects.meta import Object

NONE = "<none>"
NODE_LOST = "NodeLost"

COLUMNS = (
    cells.NAME,
    Column(name="Ready", description="The aggregate readiness state of this pod for accepting traffic."),
    Column(name="Status", description="The aggregate status of the containers in this pod."),
    Column(
        name="Restarts",
        description="The number of times the containers in this pod have been restarted and when the last "
        "container in this pod has restarted.",
    ),
    cells.AGE,
    Column(name="IP", field="core.v1.PodStatus.podIP", priority=1),
    Column(name="Node", field="core.v1.PodSpec.nodeName", priority=1),
    Column(name="Nominated Node", field="core.v1.PodStatus.nominatedNodeName", priority=1),
    Column(name="Readiness Gates", field="core.v1.PodSpec.readinessGates", priority=1),
)


_ENDS = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def row_conditions(pod: Object) -> list[Object]:
    """That it will not run any more: clients may leave such rows out."""
    phase = (pod.get("status") or {}).get("phase") or ""
    message = _ENDS.get(phase)
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}] if message else []


def row(pod: Object, now_s: float) -> list[Any]:
    metadata, spec, status = pod.get("metadata") or {}, pod.get("spec") or {}, pod.get("status") or {}
    ready, total, reason, restarts, restarted = _containers(spec, status)
    if metadata.get("deletionTimestamp"):
        if status.get("reason") == NODE_LOST:
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    restarts_text = str(restarts)
    if restarts and restarted:
        restarts_text = f"{restarts} ({since(restarted, now_s)} ago)"
    addresses = status.get("podIPs")
    return [
        metadata.get("name") or "",
        f"{ready}/{total}",
        reason,
        restarts_text,
        since(metadata.get("creationTimestamp"), now_s),
        (addresses and addresses[0].get("ip")) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, status),
    ]


def _containers(spec: dict[str, Any], status: dict[str, Any]) -> tuple[int, int, str, int, str]:
    """`(ready, total, reason, restarts, when the last one restarted)`; times are RFC 3339, which sorts as text."""
    conditions = status.get("conditions") or ()
    reason = status.get("reason") or status.get("phase") or ""
    for condition in conditions:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    ready, total = 0, len(spec.get("containers") or ())
    restarts = sidecar_restarts = 0
    restarted = sidecar_restarted = ""
    initializing = False
    if spec.get("initContainers"):
        sidecars = {
            container.get("name")
            for container in spec["initContainers"]
            if container.get("restartPolicy") == "Always"
        }
        total += len(sidecars)
        for index, container in enumerate(status.get("initContainerStatuses") or ()):
            sidecar = container.get("name") in sidecars
            count, when = container.get("restartCount") or 0, _finished(container)
            restarts, restarted = restarts + count, max(restarted, when)
            if sidecar:
                sidecar_restarts, sidecar_restarted = sidecar_restarts + count, max(sidecar_restarted, when)
            if sidecar and container.get("started") and not _succeeded(container):
                ready += bool(container.get("ready"))
                continue
            waits = _init_reason(container, f"Init:{index}/{len(spec['initContainers'])}")
            if waits:
                reason, initializing = waits, True
                break
    if initializing and not _has(conditions, "Initialized"):
        return ready, total, reason, restarts, restarted
    restarts, restarted, running = sidecar_restarts, sidecar_restarted, 0
    for container in reversed(status.get("containerStatuses") or ()):
        restarts += container.get("restartCount") or 0
        restarted = max(restarted, _finished(container))
        state = container.get("state") or {}
        known = _state_reason(state)
        if known:
            reason = known
        elif container.get("ready") and state.get("running") is not None:
            running += 1
    if reason == "Completed" and running:
        reason = "Running" if _has(conditions, "Ready") else "NotReady"
    return ready + running, total, reason, restarts, restarted


def _init_reason(container: dict[str, Any], progress: str) -> str:
    """What an init container says while it holds up the pod; `""` once it is through."""
    state = container.get("state") or {}
    terminated, waiting = state.get("terminated"), state.get("waiting") or {}
    if terminated is not None:
        return "" if not terminated.get("exitCode") else f"Init:{_end_reason(terminated)}"
    if waiting.get("reason") and waiting["reason"] != "PodInitializing":
        return f"Init:{waiting['reason']}"
    return progress


def _state_reason(state: dict[str, Any]) -> str:
    waiting = state.get("waiting")
    if waiting is not None and waiting.get("reason"):
        return str(waiting["reason"])
    terminated = state.get("terminated")
    return "" if terminated is None else _end_reason(terminated)


def _end_reason(terminated: dict[str, Any]) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _succeeded(container: dict[str, Any]) -> bool:
    terminated = (container.get("state") or {}).get("terminated")
    return terminated is not None and not terminated.get("exitCode")


def _finished(container: dict[str, Any]) -> str:
    last = container.get("lastState")
    return ((last.get("terminated") or {}).get("finishedAt") or "") if last else ""


def _has(conditions: Any, condition_type: str) -> bool:
    for condition in conditions:
        if condition.get("type") == condition_type:
            return bool(condition.get("status") == "True")
    return False


def _readiness_gates(spec: dict[str, Any], status: dict[str, Any]) -> str:
    gates = spec.get("readinessGates")
    if not gates:
        return NONE
    conditions = status.get("conditions") or ()
    met = sum(_has(conditions, gate.get("conditionType") or "") for gate in gates)
    return f"{met}/{len(gates)}"
