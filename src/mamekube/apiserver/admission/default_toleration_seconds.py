"""DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or cannot be reached."""

from __future__ import annotations

from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin
from mamekube.apiserver.writes import Write

TOLERATION_S = 300
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    name = "DefaultTolerationSeconds"
    operations = CREATE_AND_UPDATE
    resources = frozenset({"pods"})

    async def mutate(self, write: Write) -> None:
        spec = (write.object or {}).setdefault("spec", {})
        tolerations = spec.get("tolerations") or []
        tolerated = {
            toleration.get("key") or ""
            for toleration in tolerations
            if (toleration.get("effect") or "NoExecute") == "NoExecute"
        }
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_S}
            for key in TAINTS
            if key not in tolerated and "" not in tolerated
        ]
        if added:
            spec["tolerations"] = [*tolerations, *added]
