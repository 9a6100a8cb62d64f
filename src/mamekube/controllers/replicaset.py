"""ReplicaSets and ReplicationControllers: as many active pods as `spec.replicas` says.

Both kinds share this code: they differ in how their selector is written and in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import claim_objects, typed_reference
from mamekube.controllers.podcontrol import PodController, pod_from_template
from mamekube.controllers.resources import PODS, REPLICA_SETS, REPLICATION_CONTROLLERS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.foundation.limits import CREATE_BURST_MAX
from mamekube.objects import conditions
from mamekube.objects.meta import Object, being_deleted, key_of, labels_of, make_key, namespace_of, uid_of
from mamekube.objects.owners import controller_of
from mamekube.objects.resource import Resource
from mamekube.objects.selectors import Selector, from_label_selector, from_labels

FAILURE = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Actions:
    """How many pods to create, and which to delete; never both."""

    create: int = 0
    delete: tuple[Object, ...] = ()


def plan(
    replica_set: Object, active: Sequence[Object], *, siblings_on_node: Mapping[str, int], now_s: float
) -> Actions:
    """What brings the number of active pods to the number of replicas, at most a burst of it."""
    wanted = replicas_of(replica_set)
    surplus = len(active) - wanted
    if surplus < 0:
        return Actions(create=min(-surplus, CREATE_BURST_MAX))
    if surplus == 0:
        return Actions()
    ordered: Iterable[Object] = active
    if surplus < len(active):
        ordered = podfacts.deletion_order(active, siblings_on_node=siblings_on_node, now_s=now_s)
    return Actions(delete=tuple(ordered)[: min(surplus, CREATE_BURST_MAX)])


def status(
    replica_set: Object,
    active: Sequence[Object],
    *,
    terminating: int,
    failure: tuple[str, str] | None,
    now_s: float,
    now: str,
) -> dict[str, Any]:
    """The status that these pods add up to. `failure` is (reason, message) of what could not be done."""
    spec = replica_set.get("spec") or {}
    min_ready_s = spec.get("minReadySeconds") or 0
    template_labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    ready = [pod for pod in active if podfacts.is_ready(pod)]
    known = conditions.conditions_of(replica_set)
    if failure is None:
        known = conditions.removed(known, FAILURE)
    elif conditions.find(known, FAILURE) is None:
        reason, message = failure
        entry = {"type": FAILURE, "status": "True", "reason": reason, "message": message}
        known = conditions.replaced(known, entry, now=now)
    counts = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(
            template_labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in active
        ),
        "readyReplicas": len(ready),
        "availableReplicas": sum(
            podfacts.is_available(pod, min_ready_s=min_ready_s, now_s=now_s) for pod in ready
        ),
        "terminatingReplicas": terminating,
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    # Zero is written for the fields whose absence means "not counted", and left out for the others, as upstream does.
    always = ("replicas", "terminatingReplicas")
    result: dict[str, Any] = {key: value for key, value in counts.items() if value or key in always}
    if known:
        result["conditions"] = list(known)
    return result


def replicas_of(obj: Object) -> int:
    replicas = (obj.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


# What wakes them --------------------------------------------------------------------------------------


def _owner_or_selector(controller: Controller, pod: Object) -> Iterable[str]:
    """The pod's owner; of an orphan every one in the namespace that selects it, since it may adopt."""
    assert isinstance(controller, ReplicaSetController)
    reference = controller_of(pod)
    namespace = namespace_of(pod)
    if reference is not None:
        if reference.get("kind") == controller.resource.kind:
            yield make_key(namespace, reference["name"])
        return
    if being_deleted(pod):
        return
    labels = labels_of(pod)
    for candidate in controller.cache(controller.resource).list(namespace=namespace):
        if labels and controller.selector(candidate).matches(labels):
            yield key_of(candidate)


def _pod_matters(old: Object, new: Object) -> bool:
    """Everything counted or ranked is in these; a kubelet's other status changes are none of our business."""
    return (
        podfacts.phase_of(old) != podfacts.phase_of(new)
        or podfacts.is_ready(old) != podfacts.is_ready(new)
        or being_deleted(old) != being_deleted(new)
        or labels_of(old) != labels_of(new)
        or old["metadata"].get("ownerReferences") != new["metadata"].get("ownerReferences")
    )


class ReplicaSetController(PodController):
    """Duty: keep the number of active pods of each ReplicaSet at its number of replicas, and count them.

    Woken by ReplicaSets and by their pods; an orphan wakes every ReplicaSet that selects it.
    Invariants: nothing is created or deleted while the cache lags behind what this controller asked for; a pod is
    only ever deleted if this ReplicaSet controls it; at most one burst per reconciliation.
    """

    name = "replicaset-controller"
    account = "replicaset-controller"
    resource: ClassVar[Resource] = REPLICA_SETS
    watches: ClassVar[Sequence[Watch]] = (
        Watch(resource=REPLICA_SETS, keys=itself, indexes=podfacts.OWNED_INDEXES),
        Watch(
            resource=PODS,
            keys=_owner_or_selector,
            matters=_pod_matters,
            indexes=podfacts.POD_INDEXES,
            observe=PodController.observe_pod,
        ),
    )
    spacing_s = 0.02
    selects_by_labels: ClassVar[bool] = False

    def selector(self, obj: Object) -> Selector:
        selector = (obj.get("spec") or {}).get("selector")
        return from_labels(selector) if self.selects_by_labels else from_label_selector(selector)

    async def reconcile(self, key: str) -> float | None:
        replica_set = self.cache(self.resource).get(key)
        if replica_set is None:
            self.expectations.forget(key)
            return None
        may_act = self.expectations.satisfied(key)
        selector = self.selector(replica_set)
        candidates = podfacts.owned_and_orphans(self.cache(PODS), replica_set, selector)
        terminating = sum(
            podfacts.is_terminating(pod) and selector.matches(labels_of(pod))
            for pod in candidates
            if (controller_of(pod) or {}).get("uid") == uid_of(replica_set)
        )
        active = await claim_objects(
            self.client,
            self.resource,
            replica_set,
            resource=PODS,
            selector=selector,
            candidates=[pod for pod in candidates if podfacts.is_active(pod)],
        )
        failure: BaseException | None = None
        surplus = len(active) - replicas_of(replica_set)
        if may_act and surplus and not being_deleted(replica_set):
            failure = await self._execute(key, replica_set, active)
        await self._write_status(
            replica_set, active, terminating=terminating, surplus=surplus, failure=failure
        )
        if failure is not None:
            raise failure
        min_ready_s = replica_set["spec"].get("minReadySeconds") or 0
        return podfacts.next_available_s(active, min_ready_s=min_ready_s, now_s=self.clock.now())

    async def _execute(self, key: str, replica_set: Object, active: Sequence[Object]) -> BaseException | None:
        siblings = podfacts.count_by_node(self._siblings(replica_set))
        actions = plan(replica_set, active, siblings_on_node=siblings, now_s=self.clock.now())
        if actions.create:
            reference = typed_reference(self.resource, replica_set)
            template = replica_set["spec"].get("template") or {}
            pod = pod_from_template(template, replica_set, reference)
            return await self.create_pods(key, replica_set, actions.create, lambda number: pod)
        return await self.delete_pods(key, replica_set, actions.delete)

    def _siblings(self, replica_set: Object) -> Iterable[Object]:
        """Active pods of every ReplicaSet of the same owner: two revisions of one Deployment share nodes."""
        reference = controller_of(replica_set)
        related: Sequence[Object] = [replica_set]
        if reference is not None:
            related = self.cache(self.resource).by_index(podfacts.OWNER, reference["uid"])
        pods = self.cache(PODS)
        for relative in related:
            for pod in pods.by_index(podfacts.OWNER, uid_of(relative)):
                if podfacts.is_active(pod):
                    yield pod

    async def _write_status(
        self,
        replica_set: Object,
        active: Sequence[Object],
        *,
        terminating: int,
        surplus: int,
        failure: BaseException | None,
    ) -> None:
        reason = "FailedCreate" if surplus < 0 else "FailedDelete"
        wanted = status(
            replica_set,
            active,
            terminating=terminating,
            failure=None if failure is None else (reason, str(failure)),
            now_s=self.clock.now(),
            now=self.clock.timestamp(),
        )
        if wanted == replica_set.get("status"):
            return
        await self.client.update(self.resource, {**replica_set, "status": wanted}, subresource="status")


class ReplicationControllerController(ReplicaSetController):
    """Duty, wake-ups and invariants are ReplicaSetController's, for the older kind."""

    name = "replication-controller"
    account = "replication-controller"
    resource = REPLICATION_CONTROLLERS
    watches = (
        Watch(resource=REPLICATION_CONTROLLERS, keys=itself, indexes=podfacts.OWNED_INDEXES),
        *ReplicaSetController.watches[1:],
    )
    selects_by_labels = True
