"""DELETE: what becomes of an object, decided purely, and then done.

An object goes at once, or it is marked (deletionTimestamp) and goes when its grace period is over and its last
finalizer removed. Orphaning and foreground deletion are finalizers too; the garbage collector acts on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mamekube.apiserver import races
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.documents import Answer, Document, Made
from mamekube.apiserver.listing import list_items
from mamekube.apiserver.objectmeta import FOREGROUND, ORPHAN
from mamekube.apiserver.options import DeleteOptions, ListOptions
from mamekube.apiserver.request import Request
from mamekube.apiserver.resources import fresh
from mamekube.apiserver.versions import shown, storage_key, stored
from mamekube.apiserver.writes import DELETE, Write
from mamekube.foundation.clock import Clock, format_time
from mamekube.kinds.kind import Kind
from mamekube.objects import status
from mamekube.objects.meta import Object, metadata, name_of, uid_of
from mamekube.store.backend import KeyMissing, RevisionMismatch
from mamekube.store.store import Item, Store

ORPHANS_BY_DEFAULT = frozenset({"jobs.batch", "replicationcontrollers"})
"""Kinds so old that a delete without a policy keeps their pods. Upstream: DefaultGarbageCollectionPolicy."""

OWN_NOTHING = frozenset({"events", "events.events.k8s.io"})
"""Kinds made by the thousand that nothing belongs to: their deletes wait for no dependents, whatever the policy.
Upstream: GarbageCollectionUnsupported."""

ANSWERED_WITH_OBJECT = frozenset(
    {
        "namespaces",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    }
)
"""Kinds whose delete answers the object that is gone, and no Status. Upstream: ReturnDeletedObject."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a delete does: `remove` it, `mark` it and wait, or nothing (`pending`) since all is under way."""

    action: Literal["remove", "mark", "pending"]
    object: Object
    """As it shall be: stored when marked, told to the watchers when removed. A copy."""


def plan_delete(kind: Kind, old: Object, options: DeleteOptions, *, now_s: float) -> Plan:
    """Decide, as upstream's BeforeDelete and its finalizer rules do."""
    obj = fresh(old)
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp"):
        kind.prepare_delete(obj, now_s)
    graceful, pending, grace_s = _grace(kind, obj, options, now_s=now_s)
    if pending:
        return Plan("pending", obj)
    finalizers = finalizers_for(kind, meta, options)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    waits = bool(finalizers) or _kept_by_spec(kind, obj)
    if graceful:
        return Plan("mark" if waits or grace_s > 0 else "remove", obj)
    if not waits:
        return Plan("remove", obj)
    _mark_without_grace(meta, now_s)
    return Plan("mark" if obj != old else "pending", obj)


def _grace(kind: Kind, obj: Object, options: DeleteOptions, *, now_s: float) -> tuple[bool, bool, int]:
    """`(graceful, pending, seconds)`; a graceful deletion is written into `obj`."""
    meta = obj["metadata"]
    if kind.grace_period_s is None:
        return False, False, 0
    if meta.get("deletionTimestamp"):
        running_s = meta.get("deletionGracePeriodSeconds")
        if running_s is None:
            return False, False, 0
        if options.grace_period_s is None or options.grace_period_s >= running_s:
            return False, True, running_s
        meta["deletionTimestamp"] = format_time(now_s + options.grace_period_s)
        meta["deletionGracePeriodSeconds"] = options.grace_period_s
        return True, False, options.grace_period_s
    grace_s = kind.grace_period_s(obj, options.grace_period_s)
    meta["deletionTimestamp"] = format_time(now_s + grace_s)
    meta["deletionGracePeriodSeconds"] = grace_s
    if meta.get("generation"):
        meta["generation"] += 1
    return True, False, grace_s


def _mark_without_grace(meta: dict[str, Any], now_s: float) -> None:
    if meta.get("deletionGracePeriodSeconds") is None and meta.get("generation"):
        meta["generation"] += 1
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = format_time(now_s)
    meta["deletionGracePeriodSeconds"] = 0


def finalizers_for(kind: Kind, meta: dict[str, Any], options: DeleteOptions) -> list[str]:
    """The object's finalizers with `orphan` and `foregroundDeletion` as the policy wants them."""
    present = list(meta.get("finalizers") or ())
    policy = options.propagation
    if not policy:
        if ORPHAN in present:
            policy = "Orphan"
        elif FOREGROUND in present:
            policy = "Foreground"
        elif kind.group_resource in ORPHANS_BY_DEFAULT:
            policy = "Orphan"
    kept = [name for name in present if name not in (ORPHAN, FOREGROUND)]
    if kind.group_resource in OWN_NOTHING:
        return kept
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    return kept


def _kept_by_spec(kind: Kind, obj: Object) -> bool:
    """A namespace has finalizers in its spec too."""
    return kind.group_resource == "namespaces" and bool((obj.get("spec") or {}).get("finalizers"))


class Deletion:
    """Does what `plan_delete` decides."""

    def __init__(self, store: Store, admission: Admission, clock: Clock) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock

    async def delete(self, request: Request, kind: Kind, options: DeleteOptions) -> Answer:
        """Raises 404, and 409 where a precondition fails."""
        key = storage_key(kind, request.namespace, request.name)
        for _ in range(races.TRIES_MAX):
            item = await self._store.get(key=key)
            if item is None:
                break
            try:
                return await self._delete(request, kind, item, options)
            except RevisionMismatch as lost:
                await races.settled(self._store, lost)
            except KeyMissing:
                break
        else:
            raise status.conflict(kind, request.name)
        raise status.not_found(kind, request.name)

    async def _delete(self, request: Request, kind: Kind, item: Item, options: DeleteOptions) -> Answer:
        old = (await shown(kind, item)).object
        _check_preconditions(kind, old, options)
        await self._admit(request, kind, old, options)
        _warn(request, kind, options)
        plan = plan_delete(kind, old, options, now_s=self._clock.now())
        if kind.group_resource == "namespaces" and plan.action != "pending":
            plan.object["status"] = {**(plan.object.get("status") or {}), "phase": "Terminating"}
        if plan.action == "pending":
            return Answer(await shown(kind, item), 202 if options.cascading else 200, kind)
        if options.dry_run:
            return _answer(kind, plan, Made(plan.object), options)
        last = await stored(kind, plan.object)
        if plan.action == "remove":
            return _answer(
                kind,
                plan,
                await shown(kind, await self._store.delete(key=item.key, expected=item.revision, last=last)),
                options,
            )
        marked = await self._store.update(key=item.key, obj=last, expected=item.revision)
        return _answer(kind, plan, await shown(kind, marked), options)

    async def _admit(self, request: Request, kind: Kind, old: Object, options: DeleteOptions) -> None:
        write = Write(
            operation=DELETE,
            kind=kind,
            namespace=metadata(old).get("namespace", ""),
            name=name_of(old),
            old=old,
            user=request.user,
            dry_run=options.dry_run,
            options={"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"},
            warnings=request.warnings,
            waits=request.waits,
        )
        await self._admission.mutate(write)
        await self._admission.validate(write)

    async def delete_collection(
        self, request: Request, kind: Kind, selected: ListOptions, options: DeleteOptions
    ) -> list[Document]:
        """Delete all that is selected; answer what it was. What is gone already counts as deleted."""
        listing = await list_items(self._store, kind, namespace=request.namespace, options=selected)
        for document in listing.items:
            meta = metadata(document.object)
            request.namespace, request.name = meta.get("namespace", ""), meta["name"]
            try:
                await self.delete(request, kind, options)
            except status.StatusError as error:
                if error.code != 404:
                    raise
        return list(listing.items)


def _check_preconditions(kind: Kind, old: Object, options: DeleteOptions) -> None:
    meta = metadata(old)
    checks = (("UID", options.uid, "uid"), ("ResourceVersion", options.revision, "resourceVersion"))
    for what, wanted, field in checks:
        if wanted and wanted != meta.get(field):
            why = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {meta.get(field, '')}"
            raise status.conflict(kind, name_of(old), why)


def _warn(request: Request, kind: Kind, options: DeleteOptions) -> None:
    if kind.group_resource == "jobs.batch" and not options.propagation:
        request.warnings.append(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
            "them or set propagationPolicy=Orphan to suppress this warning"
        )


def _answer(kind: Kind, plan: Plan, document: Document, options: DeleteOptions) -> Answer:
    if plan.action == "mark" or kind.group_resource in ANSWERED_WITH_OBJECT:
        return Answer(document, 202 if plan.action == "mark" and options.cascading else 200, kind)
    details = status.named(kind, name_of(plan.object))
    details["uid"] = uid_of(plan.object)
    return Answer(Made(status.success(details)), 200)
