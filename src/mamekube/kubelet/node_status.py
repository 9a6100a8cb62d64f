"""The Node object as a pure function of what the machine and the runtime say.

Reasons and messages of conditions are upstream's (`pkg/kubelet/nodestatus/setters.go`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.foundation.clock import format_time
from mamekube.kubelet.runtime import Image, RuntimeCondition, RuntimeVersion
from mamekube.objects.meta import Object

VERSION = "v1.36.2"
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
IMAGES_MAX = 50
IMAGE_NAMES_MAX = 5

PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the kernel tells of the node."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    architecture: str
    kernel: str
    os_image: str
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    name: str
    ip: str
    machine: Machine
    version: RuntimeVersion
    port: int
    max_pods: int
    pod_cidr: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()


def node_object(facts: NodeFacts) -> Object:
    """The object to register with; its status comes from `node_status`."""
    architecture = architecture_of(facts.machine)
    node: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": facts.name,
            "labels": {
                "beta.kubernetes.io/arch": architecture,
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture,
                "kubernetes.io/hostname": facts.name,
                "kubernetes.io/os": "linux",
                **facts.labels,
            },
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {},
    }
    if facts.pod_cidr:
        node["spec"] |= {"podCIDR": facts.pod_cidr, "podCIDRs": [facts.pod_cidr]}
    if facts.taints:
        node["spec"]["taints"] = [dict(taint) for taint in facts.taints]
    return node


def node_status(
    facts: NodeFacts,
    *,
    conditions: Sequence[RuntimeCondition] | str,
    images: Sequence[Image],
    old: Mapping[str, Any],
    now_s: float,
) -> dict[str, Any]:
    """NodeStatus; `conditions` is the error's text where the runtime does not answer."""
    capacity = capacity_of(facts)
    return {
        "capacity": capacity,
        "allocatable": dict(capacity),
        "conditions": _conditions(conditions, old, now_s),
        "addresses": [
            {"type": "InternalIP", "address": facts.ip},
            {"type": "Hostname", "address": facts.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.port}},
        "nodeInfo": {
            "machineID": facts.machine.machine_id,
            "systemUUID": facts.machine.system_uuid,
            "bootID": facts.machine.boot_id,
            "kernelVersion": facts.machine.kernel,
            "osImage": facts.machine.os_image,
            "containerRuntimeVersion": f"{facts.version.name}://{facts.version.version}",
            "kubeletVersion": VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": architecture_of(facts.machine),
        },
        "images": image_list(images),
    }


def capacity_of(facts: NodeFacts) -> dict[str, str]:
    machine = facts.machine
    return {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "pods": str(facts.max_pods),
    }


def architecture_of(machine: Machine) -> str:
    return ARCHITECTURES.get(machine.architecture, machine.architecture)


def image_list(images: Sequence[Image]) -> list[dict[str, Any]]:
    """The biggest images, with the names they are known by."""
    ordered = sorted(images, key=lambda image: -image.size_bytes)[:IMAGES_MAX]
    return [
        {"names": [*image.digests, *image.tags][:IMAGE_NAMES_MAX], "sizeBytes": image.size_bytes}
        for image in ordered
        if image.digests or image.tags
    ]


def ready_verdict(conditions: Sequence[RuntimeCondition] | str) -> tuple[bool, str]:
    """Whether the node is ready, and the message that says so or why not."""
    if isinstance(conditions, str):
        return False, f"container runtime is down: {conditions}"
    wrong = []
    by_type = {condition.type: condition for condition in conditions}
    runtime, network = by_type.get("RuntimeReady"), by_type.get("NetworkReady")
    if runtime is None or not runtime.status:
        details = f": {runtime.reason} {runtime.message}" if runtime else ""
        wrong.append(f"container runtime not ready: RuntimeReady=false reason{details}")
    if network is None or not network.status:
        reason, message = (network.reason, network.message) if network else ("", "")
        wrong.append(
            f"container runtime network not ready: NetworkReady=false reason:{reason} message:{message}"
        )
    return (False, ", ".join(wrong)) if wrong else (True, "kubelet is posting ready status")


def _conditions(
    conditions: Sequence[RuntimeCondition] | str, old: Mapping[str, Any], now_s: float
) -> list[dict[str, Any]]:
    ready, message = ready_verdict(conditions)
    now = format_time(now_s)
    before = {item["type"]: item for item in old.get("conditions") or []}
    wanted = [(kind, "False", reason, text) for kind, reason, text in PRESSURES]
    wanted.append(
        ("Ready", "True" if ready else "False", "KubeletReady" if ready else "KubeletNotReady", message)
    )
    result = []
    for kind, status, reason, text in wanted:
        previous = before.pop(kind, {})
        same = previous.get("status") == status
        result.append(
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": previous.get("lastTransitionTime", now) if same else now,
                "reason": reason,
                "message": text,
            }
        )
    return result + list(before.values())
