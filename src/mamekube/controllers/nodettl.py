"""How long kubelets of other makes may keep what they read: an annotation of every node, by the size of the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from mamekube.controllers.resources import NODES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects.meta import Object, annotations_of, name_of

ANNOTATION = "node.alpha.kubernetes.io/ttl"


@dataclass(frozen=True, slots=True)
class Step:
    """A size of the cluster, in nodes. The steps overlap, so that one node that comes and goes changes nothing."""

    nodes_min: int
    nodes_max: int | None
    ttl_s: int


STEPS = (
    Step(0, 100, 0),
    Step(90, 500, 15),
    Step(450, 1000, 30),
    Step(900, 2000, 60),
    Step(1800, None, 300),
)


def next_step(step: int, nodes: int) -> int:
    """The step of a cluster of so many nodes that was at `step` before."""
    while (most := STEPS[step].nodes_max) is not None and nodes > most:
        step += 1
    while nodes < STEPS[step].nodes_min:
        step -= 1
    return step


def _annotation_matters(old: Object, new: Object) -> bool:
    return annotations_of(old).get(ANNOTATION) != annotations_of(new).get(ANNOTATION)


class NodeTtlController(Controller):
    """Duty: write on every node for how long its kubelet may keep secrets and config maps.

    Woken by nodes that come and go. Upstream: ttl-controller.
    Invariant: when the size of the cluster reaches another step, every node is looked at again.
    """

    name = "ttlcontroller"
    account = "ttl-controller"
    watches = (Watch(resource=NODES, keys=itself, matters=_annotation_matters),)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.step = 0

    async def reconcile(self, key: str) -> float | None:
        nodes = self.cache(NODES)
        known = nodes.list()
        step = next_step(self.step, len(known))
        if step != self.step:
            self.step = step
            for other in known:
                self.queue.add(name_of(other))
        node = nodes.get(key)
        wanted = str(STEPS[step].ttl_s)
        if node is not None and annotations_of(node).get(ANNOTATION) != wanted:
            await self.client.patch(NODES, key, {"metadata": {"annotations": {ANNOTATION: wanted}}})
        return None
