"""/stats/summary and /metrics: what the runtime and the kernel tell of the pods' use of the node."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mamekube.foundation.clock import format_time
from mamekube.kubelet.runtime import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID

if TYPE_CHECKING:
    from mamekube.kubelet.kubelet import Kubelet

NANOSECONDS = 1_000_000_000


async def summary(kubelet: Kubelet) -> dict[str, Any]:
    """The Summary API (`k8s.io/kubelet/pkg/apis/stats/v1alpha1`)."""
    now = format_time(kubelet.node.clock.now())
    pods: dict[str, dict[str, Any]] = {}
    for item in await kubelet.runtime.stats():
        labels = item["attributes"]["labels"]
        uid = labels.get(POD_UID, "")
        pod = pods.setdefault(
            uid,
            {
                "podRef": {
                    "name": labels.get(POD_NAME, ""),
                    "namespace": labels.get(POD_NAMESPACE, ""),
                    "uid": uid,
                },
                "containers": [],
            },
        )
        pod["containers"].append(
            {
                "name": labels.get(CONTAINER_NAME, ""),
                "cpu": {"time": now, "usageCoreNanoSeconds": _number(item, "cpu", "usage_core_nano_seconds")},
                "memory": {"time": now, "workingSetBytes": _number(item, "memory", "working_set_bytes")},
            }
        )
    node = {"nodeName": kubelet.config.node_name, "memory": _node_memory(now), "cpu": _node_cpu(now)}
    return {"node": node, "pods": list(pods.values())}


async def metrics(kubelet: Kubelet, kind: str) -> str:
    """`""` is the kubelet's own figures, `resource` those of the pods."""
    if kind == "resource":
        return await _resource_metrics(kubelet)
    running = sum(bool(worker.record.running) for worker in kubelet.workers.values())
    containers = sum(len(worker.record.running) for worker in kubelet.workers.values())
    return (
        "# TYPE kubelet_running_pods gauge\n"
        f"kubelet_running_pods {running}\n"
        "# TYPE kubelet_running_containers gauge\n"
        f'kubelet_running_containers{{container_state="running"}} {containers}\n'
    )


async def _resource_metrics(kubelet: Kubelet) -> str:
    cpu = ["# TYPE container_cpu_usage_seconds_total counter"]
    memory = ["# TYPE container_memory_working_set_bytes gauge"]
    for item in await kubelet.runtime.stats():
        labels = item["attributes"]["labels"]
        names = (
            f'container="{labels.get(CONTAINER_NAME, "")}",namespace="{labels.get(POD_NAMESPACE, "")}",'
            f'pod="{labels.get(POD_NAME, "")}"'
        )
        seconds = _number(item, "cpu", "usage_core_nano_seconds") / NANOSECONDS
        cpu.append(f"container_cpu_usage_seconds_total{{{names}}} {seconds}")
        used = _number(item, "memory", "working_set_bytes")
        memory.append(f"container_memory_working_set_bytes{{{names}}} {used}")
    return "\n".join([*cpu, *memory]) + "\n"


def _number(item: dict[str, Any], group: str, name: str) -> int:
    value = (item.get(group) or {}).get(name) or {}
    return int(value.get("value", 0))


def _node_memory(now: str) -> dict[str, Any]:
    figures = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            figures[name] = int(rest.split()[0]) * 1024
    used = figures["MemTotal"] - figures["MemAvailable"]
    return {"time": now, "availableBytes": figures["MemAvailable"], "workingSetBytes": used}


def _node_cpu(now: str) -> dict[str, Any]:
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    return {"time": now, "usageCoreNanoSeconds": busy * NANOSECONDS // os.sysconf("SC_CLK_TCK")}
