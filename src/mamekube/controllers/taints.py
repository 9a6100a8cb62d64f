"""Taints of nodes and tolerations of pods: what keeps a pod off a node, or drives it away. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.objects.meta import Object

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure"
DISK_PRESSURE = "node.kubernetes.io/disk-pressure"
PID_PRESSURE = "node.kubernetes.io/pid-pressure"
NETWORK_UNAVAILABLE = "node.kubernetes.io/network-unavailable"

NO_SCHEDULE = "NoSchedule"
NO_EXECUTE = "NoExecute"

Taint = Mapping[str, Any]


def taints_of(node: Object, *effects: str) -> list[dict[str, Any]]:
    """The node's taints, those of these effects if any are named."""
    taints = (node.get("spec") or {}).get("taints") or []
    return [taint for taint in taints if not effects or taint.get("effect") in effects]


def tolerations_of(pod: Object) -> list[dict[str, Any]]:
    return (pod.get("spec") or {}).get("tolerations") or []


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    value, own = taint.get("value") or "", toleration.get("value") or ""
    if operator in ("Lt", "Gt"):
        try:
            return int(value) < int(own) if operator == "Lt" else int(value) > int(own)
        except ValueError:
            return False
    return operator == "Equal" and bool(value == own)


def untolerated(taints: Sequence[Taint], tolerations: Sequence[Mapping[str, Any]]) -> Taint | None:
    """The first taint that none of the tolerations tolerates."""
    for taint in taints:
        if not any(tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None


def stays_for_s(taints: Sequence[Taint], tolerations: Sequence[Mapping[str, Any]]) -> float | None:
    """How long a pod may stay under these NoExecute taints; None: for ever, 0: not at all."""
    used = []
    for taint in taints:
        matching = [toleration for toleration in tolerations if tolerates(toleration, taint)]
        if not matching:
            return 0.0
        # Of several tolerations of one taint the first counts, as upstream.
        used.append(matching[0])
    limits = [toleration["tolerationSeconds"] for toleration in used if "tolerationSeconds" in toleration]
    return float(max(0, min(limits))) if limits else None
