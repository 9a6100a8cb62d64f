"""Pods that nobody else will ever remove."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mamekube.controllers import pods as podfacts
from mamekube.controllers.podcontrol import all_of, fail_pod, mark_disrupted
from mamekube.controllers.resources import NODES, PODS
from mamekube.controllers.runtime import Context, Controller, Watch, always
from mamekube.objects.meta import Object, being_deleted, metadata, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError, is_reason

PERIOD_S = 20.0
"""Upstream: gcCheckPeriod."""

QUARANTINE_S = 40.0
"""How long a node must be gone before its pods are removed: it may be registering again."""


@dataclass(slots=True)
class Actions:
    """Pods to remove, by why."""

    surplus: list[Object] = field(default_factory=list)
    """Finished, and too many of them are."""
    orphaned: list[Object] = field(default_factory=list)
    """Bound to a node that is gone."""
    unscheduled: list[Object] = field(default_factory=list)
    """Being deleted, and no kubelet was ever told of them."""


def plan(pods: Iterable[Object], *, gone_nodes: set[str], terminated_max: int) -> Actions:
    """`gone_nodes` have been gone for longer than the quarantine."""
    actions = Actions()
    finished = []
    for pod in pods:
        node = podfacts.node_of(pod)
        if node in gone_nodes:
            actions.orphaned.append(pod)
        elif not node and being_deleted(pod):
            actions.unscheduled.append(pod)
        elif podfacts.is_terminal(pod):
            finished.append(pod)
    surplus = len(finished) - terminated_max
    if terminated_max > 0 and surplus > 0:
        actions.surplus = sorted(finished, key=_removal_order)[:surplus]
    return actions


def _removal_order(pod: Object) -> tuple[bool, str, str]:
    """Evicted pods first, then the oldest."""
    evicted = podfacts.phase_of(pod) == "Failed" and (pod.get("status") or {}).get("reason") == "Evicted"
    return not evicted, metadata(pod).get("creationTimestamp") or "", name_of(pod)


def _pod_matters(old: Object, new: Object) -> bool:
    return being_deleted(old) != being_deleted(new) or podfacts.is_terminal(old) != podfacts.is_terminal(new)


class PodGarbageCollector(Controller):
    """Duty: remove pods of nodes that are gone, pods deleted before they were scheduled, and the oldest of too
    many finished pods.

    Woken by pods that finish or are deleted and by nodes that go, then at most every twenty seconds.
    Invariant: before pods of a missing node are removed, the API server itself has said that it is missing.
    """

    name = "pod-garbage-collector"
    account = "pod-garbage-collector"
    watches = (
        Watch(resource=PODS, keys=always(), matters=_pod_matters, indexes=podfacts.POD_INDEXES),
        Watch(resource=NODES, keys=always(), matters=lambda old, new: False),
    )
    workers = 1
    spacing_s = PERIOD_S

    def __init__(self, context: Context, *, terminated_max: int) -> None:
        super().__init__(context)
        self.terminated_max = terminated_max
        self.missing_since_s: dict[str, float] = {}

    async def reconcile(self, key: str) -> float | None:
        pods = self.cache(PODS).list()
        gone = await self._gone_nodes(pods)
        actions = plan(pods, gone_nodes=gone, terminated_max=self.terminated_max)
        failure = await all_of(
            [
                *(self._remove(pod) for pod in actions.surplus),
                *(self._remove_orphaned(pod) for pod in actions.orphaned),
                *(self._remove_unscheduled(pod) for pod in actions.unscheduled),
            ]
        )
        if failure is not None:
            raise failure
        return PERIOD_S if self.missing_since_s else None

    async def _gone_nodes(self, pods: Sequence[Object]) -> set[str]:
        nodes, now_s = self.cache(NODES), self.clock.now()
        used = set(map(podfacts.node_of, pods)) - {""}
        missing = {name for name in used if nodes.get(name) is None}
        self.missing_since_s = {name: self.missing_since_s.get(name, now_s) for name in missing}
        ripe = [name for name, since_s in self.missing_since_s.items() if now_s - since_s >= QUARANTINE_S]
        return {name for name in ripe if await self._is_gone(name)}

    async def _is_gone(self, node: str) -> bool:
        try:
            await self.client.get(NODES, node)
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return True
            raise
        return False

    async def _remove_orphaned(self, pod: Object) -> None:
        if not podfacts.is_terminal(pod):
            try:
                await mark_disrupted(
                    self, pod, reason="DeletionByPodGC", message="PodGC: node no longer exists", fail=True
                )
            except StatusError as error:
                if not is_reason(error, "NotFound"):
                    raise
        await self._remove(pod)

    async def _remove_unscheduled(self, pod: Object) -> None:
        """Whatever keeps it by a finalizer learns that nobody will ever run it."""
        if not podfacts.is_terminal(pod):
            await fail_pod(self, pod)
        await self._remove(pod)

    async def _remove(self, pod: Object) -> None:
        try:
            await self.client.delete(
                PODS, name_of(pod), namespace=namespace_of(pod), grace_period_s=0, uid=uid_of(pod)
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
