"""`pods/eviction`: a delete that a PodDisruptionBudget may refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamekube.apiserver import races
from mamekube.apiserver.bodies import EVICTION
from mamekube.apiserver.documents import Answer, Made
from mamekube.apiserver.options import parse_delete, parse_write
from mamekube.apiserver.request import Request
from mamekube.apiserver.versions import storage_key, storage_prefix
from mamekube.apiserver.writes import CREATE, Write
from mamekube.kinds.kind import Kind
from mamekube.objects import selectors, status
from mamekube.objects.meta import Object, being_deleted, edited, labels_of, metadata, name_of
from mamekube.objects.status import StatusError
from mamekube.store.store import Item

if TYPE_CHECKING:
    from mamekube.apiserver.api import Api, Payload

DISRUPTED_PODS_MAX = 2000
VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
UNBOUND_PHASES = ("Succeeded", "Failed", "Pending")
"""Whose pods no budget counts."""


async def serve(api: Api, request: Request, kind: Kind, payload: Payload) -> Answer:
    """POST of an Eviction. Raises 404, and 429 where a budget forbids it."""
    options = parse_write(request, "CreateOptions")
    eviction = await api.decode(request, EVICTION, payload, options.field_validation)
    if metadata(eviction).get("name") != request.name:
        raise status.bad_request("name in URL does not match name in Eviction object")
    write = Write(
        operation=CREATE,
        kind=kind,
        subresource="eviction",
        namespace=request.namespace,
        name=request.name,
        object=eviction,
        user=request.user,
        dry_run=options.dry_run,
        warnings=request.warnings,
    )
    await api.admission.mutate(write)
    await api.admission.validate(write)
    eviction = write.object or eviction
    body = dict(eviction.get("deleteOptions") or {})
    if options.dry_run:
        body["dryRun"] = ["All"]
    deletion = parse_delete(request, body) if body else parse_delete(request, {})
    pod = (await api.resources.find(kind, request.namespace, request.name)).object
    if not being_deleted(pod) and (pod.get("status") or {}).get("phase") not in UNBOUND_PHASES:
        await _take_from_budget(api, pod, dry_run=deletion.dry_run)
    await api.deletion.delete(request, kind, deletion)
    return Answer(Made(status.success()), 201)


async def _take_from_budget(api: Api, pod: Object, *, dry_run: bool) -> None:
    """Count the eviction against the pod's budget, if it has one. Raises 429, 500."""
    kind = api.registry.find("policy", "v1", "poddisruptionbudgets")
    assert kind is not None
    namespace = metadata(pod)["namespace"]
    for _ in range(races.TRIES_MAX):
        snapshot = await api.store.list(prefix=storage_prefix(kind, namespace))
        budgets = [item for item in snapshot.items if _covers(item.object, pod)]
        if not budgets:
            return
        if len(budgets) > 1:
            raise status.internal_error(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            )
        if _may_ignore(budgets[0].object, pod):
            return
        taken = _taken(kind, budgets[0], pod, now=api.clock.timestamp())
        if dry_run:
            return
        try:
            name = name_of(budgets[0].object)
            await api.store.update(
                key=storage_key(kind, namespace, name), obj=taken, expected=budgets[0].revision
            )
            return
        except races.LOST as lost:
            await races.settled(api.store, lost)
    raise status.conflict(kind, name_of(budgets[0].object))


def _covers(budget: Object, pod: Object) -> bool:
    selector = selectors.from_label_selector((budget.get("spec") or {}).get("selector"))
    return selector.matches(labels_of(pod))


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(known.get("type") == "Ready" and known.get("status") == "True" for known in conditions)


def _may_ignore(budget: Object, pod: Object) -> bool:
    """Whether a pod that is not ready anyway may go: spec.unhealthyPodEvictionPolicy."""
    if _is_ready(pod):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    counts = budget.get("status") or {}
    desired = counts.get("desiredHealthy", 0)
    return bool(desired > 0 and counts.get("currentHealthy", 0) >= desired)


def _taken(kind: Kind, item: Item, pod: Object, *, now: str) -> Object:
    """The budget after one more disruption. Raises 403, 429."""
    budget = item.object
    name, counts = name_of(budget), budget.get("status") or {}
    if counts.get("observedGeneration", 0) < metadata(budget).get("generation", 0):
        raise _refused(
            f"The disruption budget {name} is still being processed by the server.", retry_after_s=10
        )
    allowed, disrupted = counts.get("disruptionsAllowed", 0), counts.get("disruptedPods") or {}
    if allowed < 0:
        raise status.forbidden(kind, name, "pdb disruptions allowed is negative")
    if len(disrupted) > DISRUPTED_PODS_MAX:
        raise status.forbidden(
            kind, name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        )
    if allowed == 0:
        desired, healthy = counts.get("desiredHealthy", 0), counts.get("currentHealthy", 0)
        raise _refused(
            f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )
    after = {**counts, "disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, name_of(pod): now}}
    return edited(budget, ["status"], after)


def _refused(message: str, *, retry_after_s: int = 0) -> StatusError:
    details: dict[str, object] = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    if retry_after_s:
        details["retryAfterSeconds"] = retry_after_s
    return StatusError(429, "TooManyRequests", VIOLATED, details=details)
