"""TaintNodesByCondition: a new node takes no pods until the node controller has seen it ready."""

from __future__ import annotations

from mamekube.apiserver.admission.plugin import Plugin
from mamekube.apiserver.writes import Write

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    name = "TaintNodesByCondition"
    resources = frozenset({"nodes"})

    async def mutate(self, write: Write) -> None:
        spec = (write.object or {}).setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any((t.get("key"), t.get("effect")) == tuple(NOT_READY.values()) for t in taints):
            spec["taints"] = [*taints, dict(NOT_READY)]
