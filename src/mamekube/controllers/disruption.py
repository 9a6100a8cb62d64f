"""PodDisruptionBudgets: how many pods may be evicted right now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.deletables import custom_resource
from mamekube.controllers.deployment.sizes import desired_replicas, scaled_value
from mamekube.controllers.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from mamekube.controllers.runtime import Controller, Watch, itself, nobody
from mamekube.foundation.clock import parse_time
from mamekube.objects import conditions
from mamekube.objects.meta import (
    Object,
    being_deleted,
    key_of,
    labels_of,
    make_key,
    metadata,
    name_of,
    namespace_of,
)
from mamekube.objects.owners import controller_of
from mamekube.objects.resource import Resource
from mamekube.objects.selectors import from_label_selector
from mamekube.objects.status import StatusError, is_reason

DELETION_TIMEOUT_S = 120.0
"""An eviction that was allowed this long ago and has not happened does not count any more."""

SCALED_BY_SPEC: dict[str, Resource] = {
    "ReplicaSet": REPLICA_SETS,
    "ReplicationController": REPLICATION_CONTROLLERS,
    "StatefulSet": STATEFUL_SETS,
    "Deployment": DEPLOYMENTS,
}


class CannotExpect(Exception):
    """The number of pods that should exist cannot be told."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many pods there should be, and how many of them must be healthy."""

    pods: int
    healthy: int


def expected(budget: Object, pods: Sequence[Object], *, scale: int | None) -> Expected:
    """`scale` is the sum of the replicas of the pods' controllers, where it is known."""
    spec = budget["spec"]
    if spec.get("maxUnavailable") is not None:
        total = _known(scale)
        return Expected(total, max(0, total - scaled_value(spec["maxUnavailable"], total, round_up=True)))
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return Expected(len(pods), least)
    total = _known(scale)
    return Expected(total, scaled_value(least, total, round_up=True))


def _known(scale: int | None) -> int:
    if scale is None:
        raise CannotExpect("found no controllers for pods")
    return scale


def disrupted(budget: Object, pods: Sequence[Object], *, now_s: float) -> dict[str, str]:
    """The evictions that were allowed and are still to happen: pod name -> when."""
    present = {name_of(pod): pod for pod in pods}
    known = (budget.get("status") or {}).get("disruptedPods") or {}
    return {
        name: moment
        for name, moment in known.items()
        if name in present
        and not being_deleted(present[name])
        and parse_time(moment) + DELETION_TIMEOUT_S > now_s
    }


def plan(
    budget: Object, pods: Sequence[Object], wanted: Expected, *, now_s: float, now: str
) -> dict[str, Any]:
    """The status. A pod whose eviction was allowed does not count as healthy any more."""
    leaving = disrupted(budget, pods, now_s=now_s)
    healthy = sum(
        podfacts.is_ready(pod) and not being_deleted(pod) and name_of(pod) not in leaving for pod in pods
    )
    allowed = max(0, healthy - wanted.healthy) if wanted.pods > 0 else 0
    status: dict[str, Any] = {
        "currentHealthy": healthy,
        "desiredHealthy": wanted.healthy,
        "disruptionsAllowed": allowed,
        "expectedPods": wanted.pods,
        "observedGeneration": metadata(budget).get("generation", 0),
        "conditions": _with_condition(budget, allowed > 0, "SufficientPods", "InsufficientPods", now=now),
    }
    if leaving:
        status["disruptedPods"] = leaving
    return status


def _with_condition(
    budget: Object, good: bool, good_reason: str, bad_reason: str, *, now: str, message: str = ""
) -> list[dict[str, Any]]:
    entry = {
        "type": "DisruptionAllowed",
        "status": "True" if good else "False",
        "reason": good_reason if good else bad_reason,
        "message": message,
        "observedGeneration": metadata(budget).get("generation", 0),
    }
    return conditions.replaced(conditions.conditions_of(budget), entry, now=now)


def _budgets(controller: Controller, pod: Object) -> Iterable[str]:
    labels = labels_of(pod)
    for budget in controller.cache(POD_DISRUPTION_BUDGETS).list(namespace=namespace_of(pod)):
        if from_label_selector(budget["spec"].get("selector")).matches(labels):
            yield key_of(budget)


def _pod_matters(old: Object, new: Object) -> bool:
    return (
        podfacts.is_ready(old) != podfacts.is_ready(new)
        or being_deleted(old) != being_deleted(new)
        or podfacts.phase_of(old) != podfacts.phase_of(new)
        or labels_of(old) != labels_of(new)
    )


def _unmanaged(budget: Object) -> str:
    selector = from_label_selector(budget["spec"].get("selector"))
    return (
        f"Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, "
        "the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for "
        'these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
    )


def _all_in_namespace(controller: Controller, scaled: Object) -> Iterable[str]:
    budgets = controller.cache(POD_DISRUPTION_BUDGETS).list(namespace=namespace_of(scaled))
    return [key_of(budget) for budget in budgets]


def _rescaled(old: Object, new: Object) -> bool:
    return desired_replicas(old) != desired_replicas(new)


class DisruptionController(Controller):
    """Duty: tell of each PodDisruptionBudget how many evictions it allows; the eviction itself counts down.

    Woken by budgets, by pods they select, and by a change of the size of what controls those pods.
    Invariant: where the number of pods that should exist cannot be told, nothing may be evicted.
    """

    name = "controllermanager"
    account = "disruption-controller"
    watches = (
        Watch(resource=POD_DISRUPTION_BUDGETS, keys=itself),
        Watch(resource=PODS, keys=_budgets, matters=_pod_matters, indexes=podfacts.POD_INDEXES),
        Watch(resource=REPLICA_SETS, keys=nobody, indexes=podfacts.OWNED_INDEXES),
        Watch(resource=REPLICATION_CONTROLLERS, keys=_all_in_namespace, matters=_rescaled),
        Watch(resource=STATEFUL_SETS, keys=_all_in_namespace, matters=_rescaled),
        Watch(resource=DEPLOYMENTS, keys=_all_in_namespace, matters=_rescaled),
        Watch(resource=CUSTOM_RESOURCE_DEFINITIONS, keys=nobody),
    )
    spacing_s = 0.05

    async def reconcile(self, key: str) -> float | None:
        budget = self.cache(POD_DISRUPTION_BUDGETS).get(key)
        if budget is None or being_deleted(budget):
            return None
        matches = from_label_selector(budget["spec"].get("selector")).matches
        pods = [
            pod
            for pod in self.cache(PODS).list(namespace=namespace_of(budget))
            if matches(labels_of(pod)) and not podfacts.is_terminal(pod)
        ]
        now_s, now = self.clock.now(), self.clock.timestamp()
        try:
            wanted = expected(budget, pods, scale=await self._scale(budget, pods))
        except CannotExpect as error:
            message = f"Failed to calculate the number of expected pods: {error}"
            self.record(budget, "CalculateExpectedPodCountFailed", message, warning=True)
            status = {
                **(budget.get("status") or {}),
                "disruptionsAllowed": 0,
                "observedGeneration": metadata(budget).get("generation", 0),
                "conditions": _with_condition(budget, False, "", "SyncFailed", now=now, message=str(error)),
            }
        else:
            status = plan(budget, pods, wanted, now_s=now_s, now=now)
        if status != budget.get("status"):
            await self.client.update(
                POD_DISRUPTION_BUDGETS, {**budget, "status": status}, subresource="status"
            )
        return DELETION_TIMEOUT_S if status.get("disruptedPods") else None

    async def _scale(self, budget: Object, pods: Sequence[Object]) -> int | None:
        """The replicas of all controllers of these pods, each once; None where nobody asks.

        Pods that nobody controls are none that should exist. Raises CannotExpect for one whose controller is not known.
        """
        spec = budget["spec"]
        if spec.get("maxUnavailable") is None and isinstance(spec.get("minAvailable", 1), int):
            return None
        scales: dict[str, int] = {}
        for pod in pods:
            reference = controller_of(pod)
            if reference is None:
                self.record(budget, "UnmanagedPods", _unmanaged(budget), warning=True)
                continue
            if reference["uid"] in scales:
                continue
            found = self._controller(pod)
            if found is not None:
                scales[metadata(found)["uid"]] = desired_replicas(found)
            else:
                scales[reference["uid"]] = await self._custom_scale(pod, reference)
        return sum(scales.values())

    async def _custom_scale(self, pod: Object, reference: Mapping[str, Any]) -> int:
        """Of whatever else has a scale: custom resources."""
        group = reference["apiVersion"].rpartition("/")[0]
        for definition in self.cache(CUSTOM_RESOURCE_DEFINITIONS).list():
            spec = definition["spec"]
            resource = custom_resource(definition)
            if resource is None or (spec["group"], spec["names"]["kind"]) != (group, reference["kind"]):
                continue
            try:
                scale = await self.client.get(
                    resource, reference["name"], namespace=namespace_of(pod), subresource="scale"
                )
            except StatusError as error:
                if not is_reason(error, "NotFound"):
                    raise
            else:
                if metadata(scale).get("uid") == reference["uid"]:
                    return int((scale.get("spec") or {}).get("replicas", 0))
        raise CannotExpect(f'found no controllers for pod "{name_of(pod)}"')

    def _controller(self, obj: Object) -> Object | None:
        """The topmost controller: a ReplicaSet's Deployment stands for it."""
        reference = controller_of(obj)
        resource = SCALED_BY_SPEC.get(reference["kind"]) if reference is not None else None
        if reference is None or resource is None:
            return None
        found = self.cache(resource).get(make_key(namespace_of(obj), reference["name"]))
        if found is None or metadata(found)["uid"] != reference["uid"]:
            return None
        return self._controller(found) or found
