"""Requests and limits as cgroup values, QoS classes and OOM scores. Pure.

Formulas are upstream's (`kubelet/cm/helpers_linux.go`, `kubelet/qos/policy.go`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.objects.meta import Object
from mamekube.objects.quantity import milli_value as milli
from mamekube.objects.quantity import value as whole

SHARES_PER_CPU = 1024
SHARES_MIN = 2
SHARES_MAX = 262144
QUOTA_PERIOD_US = 100_000
QUOTA_MIN_US = 1_000

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
OOM_GUARANTEED, OOM_BEST_EFFORT = -997, 1000


def requests_of(container: Mapping[str, Any]) -> dict[str, Any]:
    """Requests, where a limit without a request counts as one."""
    declared = container.get("resources") or {}
    return {**(declared.get("limits") or {}), **(declared.get("requests") or {})}


def limits_of(container: Mapping[str, Any]) -> dict[str, Any]:
    return (container.get("resources") or {}).get("limits") or {}


def cpu_shares(milli_cpu: int) -> int:
    """Shares for a request; a container without one gets the least there is."""
    return min(SHARES_MAX, max(SHARES_MIN, milli_cpu * SHARES_PER_CPU // 1000))


def cpu_quota_us(milli_cpu: int) -> int:
    """Microseconds of CPU in a period; 0 is unlimited."""
    return max(QUOTA_MIN_US, milli_cpu * QUOTA_PERIOD_US // 1000) if milli_cpu else 0


def qos_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort, by cpu and memory of all containers, init containers included."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    guaranteed = True
    anything = False
    for container in containers:
        requests = _positive(requests_of(container))
        limits = _positive(limits_of(container))
        anything = anything or bool(requests or limits)
        guaranteed = guaranteed and set(limits) == {"cpu", "memory"} and requests == limits
    if not anything:
        return BEST_EFFORT
    return GUARANTEED if guaranteed else BURSTABLE


def _positive(amounts: Mapping[str, Any]) -> dict[str, int]:
    values = {name: milli(amounts[name]) for name in ("cpu", "memory") if name in amounts}
    return {name: value for name, value in values.items() if value > 0}


def oom_score_adj(pod: Object, container: Mapping[str, Any], *, node_memory_bytes: int) -> int:
    """How willingly the kernel ends this container: the more of its request it is likely to exceed, the more."""
    if (pod.get("spec") or {}).get("priorityClassName") in ("system-node-critical",):
        return OOM_GUARANTEED
    qos = qos_class(pod)
    if qos == GUARANTEED:
        return OOM_GUARANTEED
    if qos == BEST_EFFORT:
        return OOM_BEST_EFFORT
    memory = whole(requests_of(container).get("memory", 0))
    score = 1000 - 1000 * memory // max(node_memory_bytes, 1)
    # Above every guaranteed pod, below every best-effort one.
    return min(max(score, 1000 + OOM_GUARANTEED), OOM_BEST_EFFORT - 1)


def container_resources(
    pod: Object, container: Mapping[str, Any], *, node_memory_bytes: int
) -> dict[str, Any]:
    """CRI's LinuxContainerResources."""
    requests, limits = requests_of(container), limits_of(container)
    result = {
        "cpu_shares": cpu_shares(milli(requests.get("cpu", 0))),
        "memory_limit_in_bytes": whole(limits.get("memory", 0)),
        "oom_score_adj": oom_score_adj(pod, container, node_memory_bytes=node_memory_bytes),
    }
    quota_us = cpu_quota_us(milli(limits.get("cpu", 0)))
    if quota_us:
        result |= {"cpu_quota": quota_us, "cpu_period": QUOTA_PERIOD_US}
    return result


def cpu_weight(shares: int) -> int:
    """Shares of cgroup v1 as a weight of v2."""
    return 1 + (shares - SHARES_MIN) * 9999 // (SHARES_MAX - SHARES_MIN)


@dataclass(frozen=True, slots=True)
class PodLimits:
    """0 is unlimited."""

    cpu_shares: int
    cpu_quota_us: int
    memory_bytes: int


def pod_limits(pod: Object) -> PodLimits:
    """The sum over containers and sidecars, or the greatest init container if that asks for more.

    A pod is limited only where each of its containers is.
    """
    spec = pod.get("spec") or {}
    inits = spec.get("initContainers") or []
    sidecars = [one for one in inits if one.get("restartPolicy") == "Always"]
    beside = [*(spec.get("containers") or []), *sidecars]
    before = [one for one in inits if one.get("restartPolicy") != "Always"]

    def total(amounts: Callable[[Mapping[str, Any]], dict[str, Any]], name: str) -> int:
        measure = milli if name == "cpu" else whole
        together = sum(measure(amounts(one).get(name, 0)) for one in beside)
        return max([together, *(measure(amounts(one).get(name, 0)) for one in before)])

    def limit(name: str) -> int:
        limited = all(name in limits_of(one) for one in [*beside, *before])
        return total(limits_of, name) if limited else 0

    return PodLimits(cpu_shares(total(requests_of, "cpu")), cpu_quota_us(limit("cpu")), limit("memory"))
