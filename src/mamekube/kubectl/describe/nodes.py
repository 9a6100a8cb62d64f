"""Descriptions of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.kubectl.describe.writer import Writer, when
from mamekube.objects import quantity
from mamekube.objects.ages import since
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of, namespace_of

ROLE = "node-role.kubernetes.io/"
INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)


def describe_node(
    writer: Writer, node: Object, pods: Sequence[Object], lease: Object | None, *, now_s: float
) -> None:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    writer.line(0, f"Name:\t{name_of(node)}")
    roles = sorted(label.removeprefix(ROLE) for label in labels_of(node) if label.startswith(ROLE))
    writer.line(0, f"Roles:\t{','.join(roles) or '<none>'}")
    writer.mapping("Labels", labels_of(node))
    writer.annotations("Annotations", annotations_of(node))
    writer.line(0, f"CreationTimestamp:\t{when(metadata(node).get('creationTimestamp'))}")
    writer.block("Taints", [_taint_text(taint) for taint in spec.get("taints") or ()])
    writer.line(0, f"Unschedulable:\t{'true' if spec.get('unschedulable') else 'false'}")
    _lease(writer, lease)
    if status.get("conditions"):
        writer.line(0, "Conditions:")
        writer.line(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage")
        writer.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
        for condition in status["conditions"]:
            heartbeat, transition = condition.get("lastHeartbeatTime"), condition.get("lastTransitionTime")
            writer.line(
                1,
                f"{condition['type']} \t{condition['status']} \t{when(heartbeat)} \t{when(transition)} \t"
                f"{condition.get('reason', '')} \t{condition.get('message', '')}",
            )
    writer.line(0, "Addresses:")
    for address in status.get("addresses") or ():
        writer.line(1, f"{address['type']}:\t{address['address']}")
    for label in ("Capacity", "Allocatable"):
        writer.line(0, f"{label}:")
        for name, amount in sorted((status.get(label.lower()) or {}).items()):
            writer.line(1, f"{name}:\t{amount}")
    writer.line(0, "System Info:")
    for label, field in INFO:
        writer.line(1, f"{label}:\t{(status.get('nodeInfo') or {}).get(field, '')}")
    for label, field in (("PodCIDR", "podCIDR"), ("ProviderID", "providerID")):
        if spec.get(field):
            writer.line(0, f"{label}:\t{spec[field]}")
    if spec.get("podCIDRs"):
        writer.line(0, f"PodCIDRs:\t{','.join(spec['podCIDRs'])}")
    _pods(writer, pods, status.get("allocatable") or {}, now_s)


def _taint_text(taint: dict[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _lease(writer: Writer, lease: Object | None) -> None:
    writer.line(0, "Lease:")
    spec = (lease or {}).get("spec") or {}
    writer.line(1, f"HolderIdentity:\t{spec.get('holderIdentity', '<unset>')}")
    writer.line(1, f"AcquireTime:\t{when(spec.get('acquireTime'))}")
    writer.line(1, f"RenewTime:\t{when(spec.get('renewTime'))}")


def _pods(writer: Writer, pods: Sequence[Object], allocatable: dict[str, str], now_s: float) -> None:
    alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    writer.line(0, f"Non-terminated Pods:\t({len(alive)} in total)")
    writer.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge")
    writer.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---")
    for pod in alive:
        cells = [_share(_pod_amount(pod, part, name), name, allocatable) for name, part in COLUMNS]
        age = since(metadata(pod).get("creationTimestamp"), now_s)
        writer.line(1, f"{namespace_of(pod)}\t{name_of(pod)}\t\t" + "\t".join(cells) + f"\t{age}")
    writer.line(0, "Allocated resources:")
    writer.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)")
    writer.line(1, "Resource\tRequests\tLimits")
    writer.line(1, "--------\t--------\t------")
    for name in (
        "cpu",
        "memory",
        "ephemeral-storage",
        *sorted(key for key in allocatable if "hugepages-" in key),
    ):
        cells = [_share(_total(alive, part, name), name, allocatable) for part in ("requests", "limits")]
        writer.line(1, f"{name}\t" + "\t".join(cells))


COLUMNS = [(name, part) for name in ("cpu", "memory") for part in ("requests", "limits")]


def _share(amount: str, name: str, allocatable: dict[str, str]) -> str:
    """`100m (5%)` of what the node has."""
    return f"{amount} ({_percent(amount, allocatable.get(name, '0'))}%)"


def _total(pods: Sequence[Object], part: str, name: str) -> str:
    total = "0"
    for pod in pods:
        total = quantity.add(total, _pod_amount(pod, part, name))
    return total


def _pod_amount(pod: Object, part: str, name: str) -> str:
    total = "0"
    for container in pod["spec"]["containers"]:
        amount = ((container.get("resources") or {}).get(part) or {}).get(name)
        total = quantity.add(total, amount) if amount else total
    return total


def _percent(amount: str, whole: str) -> int:
    total = quantity.milli_value(whole)
    return int(quantity.milli_value(amount) * 100 / total) if total else 0
