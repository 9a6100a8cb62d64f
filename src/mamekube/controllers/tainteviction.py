"""Pods driven away by NoExecute taints, after as long as they tolerate them."""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.controllers import pods as podfacts
from mamekube.controllers import taints
from mamekube.controllers.podcontrol import mark_disrupted
from mamekube.controllers.resources import NODES, PODS
from mamekube.controllers.runtime import Context, Controller, Watch
from mamekube.objects.meta import Object, being_deleted, key_of, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError, is_reason


def _threatened(controller: Controller, pod: Object) -> Iterable[str]:
    """The pod, if its node has such a taint or its eviction is due: in most clusters, nobody."""
    assert isinstance(controller, TaintEvictionController)
    node = controller.cache(NODES).get(podfacts.node_of(pod))
    if key_of(pod) in controller.since_s or (node is not None and taints.taints_of(node, taints.NO_EXECUTE)):
        yield key_of(pod)


def _pods_on(controller: Controller, node: Object) -> Iterable[str]:
    for pod in controller.cache(PODS).by_index(podfacts.NODE, name_of(node)):
        yield key_of(pod)


def _pod_matters(old: Object, new: Object) -> bool:
    return (
        podfacts.node_of(old) != podfacts.node_of(new)
        or taints.tolerations_of(old) != taints.tolerations_of(new)
        or being_deleted(old) != being_deleted(new)
    )


def _node_matters(old: Object, new: Object) -> bool:
    return taints.taints_of(old, taints.NO_EXECUTE) != taints.taints_of(new, taints.NO_EXECUTE)


class TaintEvictionController(Controller):
    """Duty: delete pods from nodes whose NoExecute taints they do not, or no longer, tolerate.

    Woken by NoExecute taints coming and going, and by pods on nodes that have one.
    Invariant: a pod that tolerates all taints without a limit is never touched.
    """

    name = "taint-eviction-controller"
    account = "node-controller"
    watches = (
        Watch(resource=PODS, keys=_threatened, matters=_pod_matters, indexes=podfacts.POD_INDEXES),
        Watch(resource=NODES, keys=_pods_on, matters=_node_matters),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.since_s: dict[str, float] = {}
        """By pod key: since when the pod has been under taints that it tolerates for a limited time."""

    async def reconcile(self, key: str) -> float | None:
        pod = self.cache(PODS).get(key)
        if pod is None or being_deleted(pod):
            self.since_s.pop(key, None)
            return None
        node = self.cache(NODES).get(podfacts.node_of(pod))
        active = taints.taints_of(node, taints.NO_EXECUTE) if node is not None else []
        stays_s = taints.stays_for_s(active, taints.tolerations_of(pod)) if active else None
        if stays_s is None:
            if self.since_s.pop(key, None) is not None:
                self.record(pod, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return None
        now_s = self.clock.now()
        since_s = self.since_s.setdefault(key, now_s)
        if since_s + stays_s > now_s:
            return since_s + stays_s - now_s
        await self._evict(pod)
        self.since_s.pop(key, None)
        return None

    async def _evict(self, pod: Object) -> None:
        self.record(pod, "TaintManagerEviction", f"Marking for deletion Pod {key_of(pod)}")
        try:
            await mark_disrupted(
                self,
                pod,
                reason="DeletionByTaintManager",
                message="Taint manager: deleting due to NoExecute taint",
            )
            await self.client.delete(PODS, name_of(pod), namespace=namespace_of(pod), uid=uid_of(pod))
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
