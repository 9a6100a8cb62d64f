"""PodTopologyLabels: a pod says in which zone and region it runs, as soon as it has a node."""

from __future__ import annotations

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import Plugin
from mamekube.apiserver.writes import Reader, Write
from mamekube.objects.meta import labels_of

COPIED = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(Plugin):
    name = "PodTopologyLabels"
    resources = frozenset({"pods", "pods/binding"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        obj = write.object or {}
        if write.subresource:
            target = obj.get("target") or {}
            node_name = target.get("name") if target.get("kind") == "Node" else ""
        else:
            node_name = (obj.get("spec") or {}).get("nodeName")
        if not node_name:
            return
        node = await self._reader.get(builtin.NODES, node_name)
        copied = {key: value for key, value in labels_of(node).items() if key in COPIED} if node else {}
        if copied:
            # The labels of a Binding become its pod's.
            metadata = obj.setdefault("metadata", {})
            metadata["labels"] = {**(metadata.get("labels") or {}), **copied}
