"""/stats/summary and /metrics: what the runtime and the kernel tell of the pods' use of the node."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from mamekube.foundation.clock import format_time
from mamekube.foundation.metrics import STABLE, Family, render
from mamekube.kubelet.runtime import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID, RuntimeFailure

if TYPE_CHECKING:
    from mamekube.kubelet.kubelet import Kubelet

NANOSECONDS = 1_000_000_000
OF_CONTAINER = ("container", "pod", "namespace")
OF_POD = ("pod", "namespace")
RESOURCES = (
    (
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the container in core-seconds",
        OF_CONTAINER,
    ),
    (
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set of the container in bytes",
        OF_CONTAINER,
    ),
    (
        "container_start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds",
        OF_CONTAINER,
    ),
    (
        "pod_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the pod in core-seconds",
        OF_POD,
    ),
    ("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", OF_POD),
    (
        "node_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the node in core-seconds",
        (),
    ),
    ("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes", ()),
    (
        "resource_scrape_error",
        "gauge",
        "1 if there was an error while getting container metrics, 0 otherwise",
        (),
    ),
)
"""Name, type, text and labels. A pod's figures are its containers' together: what its sandbox takes is not told."""

log = logging.getLogger(__name__)


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
    """What the metrics server reads of a node, under upstream's names."""
    now = format_time(kubelet.node.clock.now())
    families = {
        name: Family(name, type, text, labels=labels, stability=STABLE)
        for name, type, text, labels in RESOURCES
    }
    try:
        items = await kubelet.runtime.stats()
    except RuntimeFailure as error:
        log.warning("asking the runtime for figures of its containers: %s", error)
        families["resource_scrape_error"].add([], 1)
        return render(families.values()).decode()
    _add_containers(families, kubelet, items)
    cpu, memory = _node_cpu(now), _node_memory(now)
    families["node_cpu_usage_seconds_total"].add([], cpu["usageCoreNanoSeconds"] / NANOSECONDS)
    families["node_memory_working_set_bytes"].add([], memory["workingSetBytes"])
    families["resource_scrape_error"].add([], 0)
    return render(families.values()).decode()


def _add_containers(families: dict[str, Family], kubelet: Kubelet, items: list[dict[str, Any]]) -> None:
    """What containers use, and together pods."""
    started_s = {
        container.id: container.started_s
        for worker in kubelet.workers.values()
        for container in worker.record.running
    }
    pods: dict[tuple[str, str], list[float]] = {}
    for item in items:
        attributes = item["attributes"]
        pod = (attributes["labels"].get(POD_NAME, ""), attributes["labels"].get(POD_NAMESPACE, ""))
        names = (attributes["labels"].get(CONTAINER_NAME, ""), *pod)
        used = (
            _number(item, "cpu", "usage_core_nano_seconds") / NANOSECONDS,
            _number(item, "memory", "working_set_bytes"),
        )
        families["container_cpu_usage_seconds_total"].add(names, used[0])
        families["container_memory_working_set_bytes"].add(names, used[1])
        if attributes["id"] in started_s:
            families["container_start_time_seconds"].add(names, started_s[attributes["id"]])
        pods[pod] = [sum(pair) for pair in zip(pods.get(pod, (0, 0)), used, strict=True)]
    for pod, (seconds, size) in pods.items():
        families["pod_cpu_usage_seconds_total"].add(pod, seconds)
        families["pod_memory_working_set_bytes"].add(pod, size)


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
