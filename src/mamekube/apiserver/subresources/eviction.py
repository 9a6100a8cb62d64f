"""`pods/eviction`: a delete that a PodDisruptionBudget may refuse, of a pod that is told why it goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mamekube.apiserver import races
from mamekube.apiserver.bodies import EVICTION, check_namespace
from mamekube.apiserver.documents import Answer, Made
from mamekube.apiserver.formats.fieldvalidation import of_another_kind
from mamekube.apiserver.options import DeleteOptions, parse_delete, parse_write
from mamekube.apiserver.request import Request
from mamekube.apiserver.versions import storage_key, storage_prefix
from mamekube.apiserver.writes import CREATE, Write
from mamekube.kinds.kind import Kind
from mamekube.objects import conditions, selectors, status
from mamekube.objects.meta import Object, being_deleted, edited, labels_of, metadata, name_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError
from mamekube.store.store import Item

if TYPE_CHECKING:
    from mamekube.apiserver.api import Api, Payload

DISRUPTED_PODS_MAX = 2000
VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
STILL_PROCESSED = "The disruption budget {} is still being processed by the server."
UNBOUND_PHASES = ("Succeeded", "Failed", "Pending")
"""Whose pods no budget counts."""
VERSIONS = ("", "policy/v1", "policy/v1beta1")
DISRUPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}
POD = Resource(group="", version="v1", plural="Pod", kind="Pod")
"""As upstream calls it where the pod is not the one that was meant."""


async def serve(api: Api, request: Request, kind: Kind, payload: Payload) -> Answer:
    """POST of an Eviction. Raises 404, and 429 where a budget forbids it."""
    options = parse_write(request, "CreateOptions")
    eviction = await api.decode(request, EVICTION, payload, options.field_validation)
    if (eviction.get("apiVersion") or "") not in VERSIONS:
        raise of_another_kind(EVICTION, eviction["apiVersion"], EVICTION.kind)
    check_namespace(request, eviction)
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
    deletion = parse_delete(request, body)
    await _evict(api, request, kind, deletion)
    return Answer(Made(status.success()), 201)


async def _evict(api: Api, request: Request, kind: Kind, deletion: DeleteOptions) -> None:
    item = await api.resources.find(kind, request.namespace, request.name)
    ignored_by = ""
    if not being_deleted(item.object) and _phase(item.object) not in UNBOUND_PHASES:
        ignored_by = await _take_from_budget(api, item.object, dry_run=deletion.dry_run)
    asked = deletion
    if ignored_by:
        # It is not counted because it is not ready: that has to be so still when it goes.
        deletion = replace(deletion, revision=deletion.revision or str(item.revision))
    try:
        if not deletion.dry_run:
            deletion = await _mark(api, request, kind, deletion)
        await api.deletion.delete(request, kind, deletion)
    except StatusError as error:
        if error.code == 409 and ignored_by and not asked.revision:
            raise _refused(STILL_PROCESSED.format(ignored_by), retry_after_s=10) from None
        raise


async def _mark(api: Api, request: Request, kind: Kind, deletion: DeleteOptions) -> DeleteOptions:
    """Note in the pod that it is evicted; the options with the revision that it has then. Raises 409."""
    for _ in range(races.TRIES_MAX):
        item = await api.resources.find(kind, request.namespace, request.name)
        _check_preconditions(item.object, deletion, revision=str(item.revision))
        known = conditions.conditions_of(item.object)
        told = {**DISRUPTED, "observedGeneration": metadata(item.object).get("generation", 0)}
        marked = conditions.replaced(known, told, now=api.clock.timestamp())
        if marked == known:
            return deletion
        obj = edited(item.object, ["status", "conditions"], marked)
        try:
            written = await api.store.update(key=item.key, obj=obj, expected=item.revision)
        except races.LOST as lost:
            await races.settled(api.store, lost)
            continue
        return replace(deletion, revision=str(written.revision)) if deletion.revision else deletion
    raise status.conflict(kind, request.name)


def _check_preconditions(pod: Object, deletion: DeleteOptions, *, revision: str) -> None:
    name, uid = name_of(pod), metadata(pod)["uid"]
    for what, wanted, found, why in (
        ("UID", deletion.uid, uid, "deleted and then recreated"),
        ("ResourceVersion", deletion.revision, revision, "modified"),
    ):
        if wanted and wanted != found:
            raise status.conflict(
                POD,
                name,
                f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
                f"The object might have been {why}",
            )


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


async def _take_from_budget(api: Api, pod: Object, *, dry_run: bool) -> str:
    """Count the eviction against the pod's budget, if it has one; the name of a budget that does not count the pod.
    Raises 429, 500, 504."""
    kind = api.registry.find("policy", "v1", "poddisruptionbudgets")
    assert kind is not None
    namespace = metadata(pod)["namespace"]
    for _ in range(races.TRIES_MAX):
        snapshot = await api.store.list(prefix=storage_prefix(kind, namespace))
        budgets = [item for item in snapshot.items if _covers(item.object, pod)]
        if not budgets:
            return ""
        if len(budgets) > 1:
            raise StatusError(500, "", SEVERAL)
        name = name_of(budgets[0].object)
        if _may_ignore(budgets[0].object, pod):
            return name
        taken = _taken(kind, budgets[0], pod, now=api.clock.timestamp())
        if dry_run:
            return ""
        try:
            await api.store.update(
                key=storage_key(kind, namespace, name), obj=taken, expected=budgets[0].revision
            )
            return ""
        except races.LOST as lost:
            await races.settled(api.store, lost)
    raise status.timeout(
        f'Timeout: couldn\'t update PodDisruptionBudget "{name}" due to conflicts', retry_after_s=10
    )


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
        raise _refused(STILL_PROCESSED.format(name), retry_after_s=10)
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
    if allowed == 1:
        used_up = {
            "type": "DisruptionAllowed",
            "status": "False",
            "reason": "InsufficientPods",
            "message": "",
            "observedGeneration": counts.get("observedGeneration", 0),
        }
        after["conditions"] = conditions.replaced(conditions.conditions_of(budget), used_up, now=now)
    return edited(budget, ["status"], after)


def _refused(message: str, *, retry_after_s: int = 0) -> StatusError:
    details: dict[str, object] = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    if retry_after_s:
        details["retryAfterSeconds"] = retry_after_s
    return StatusError(429, "TooManyRequests", VIOLATED, details=details)
