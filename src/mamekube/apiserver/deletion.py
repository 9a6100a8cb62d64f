"""DELETE: what becomes of an object, decided purely, and then done.

An object goes at once, or it is marked (deletionTimestamp) and goes when its grace period is over and its last
finalizer removed. Orphaning and foreground deletion are finalizers too; the garbage collector acts on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mamekube.apiserver import races, upstreamkeys
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.documents import Answer, Collection, Document, Made
from mamekube.apiserver.listing import list_items
from mamekube.apiserver.objectmeta import FOREGROUND, ORPHAN
from mamekube.apiserver.options import DeleteOptions, ListOptions
from mamekube.apiserver.request import Request
from mamekube.apiserver.resources import fresh
from mamekube.apiserver.versions import shown, storage_key, stored
from mamekube.apiserver.writes import DELETE, Write
from mamekube.foundation.clock import Clock, format_time, parse_time
from mamekube.kinds.kind import Kind
from mamekube.objects import status
from mamekube.objects.meta import Object, metadata, name_of, uid_of
from mamekube.objects.resource import Resource
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

DELETED_BY_THEMSELVES = frozenset({"customresourcedefinitions.apiextensions.k8s.io", "namespaces"})
"""Kinds whose storage looks at preconditions itself, and has words of its own for them."""


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
        return _shortened(meta, options.grace_period_s, now_s=now_s)
    grace_s = kind.grace_period_s(obj, options.grace_period_s)
    meta["deletionTimestamp"] = format_time(now_s + grace_s)
    meta["deletionGracePeriodSeconds"] = grace_s
    if meta.get("generation"):
        meta["generation"] += 1
    return True, False, grace_s


def _shortened(meta: dict[str, Any], wanted_s: int | None, *, now_s: float) -> tuple[bool, bool, int]:
    """The same of a deletion that is under way: it counts from when it was asked for, and never ends in the past."""
    running_s = meta.get("deletionGracePeriodSeconds")
    if not running_s:
        return False, False, 0
    if wanted_s is None or wanted_s >= running_s:
        return False, True, running_s
    ends_s = parse_time(meta["deletionTimestamp"]) - running_s + wanted_s
    if ends_s < now_s:
        # Who asked for a period is still waited for, however late it is.
        ends_s, wanted_s = now_s, min(wanted_s, 1)
    meta["deletionTimestamp"] = format_time(ends_s)
    meta["deletionGracePeriodSeconds"] = wanted_s
    return True, False, wanted_s


def _mark_without_grace(meta: dict[str, Any], now_s: float) -> None:
    marked = meta.get("deletionTimestamp")
    if not marked and meta.get("generation"):
        meta["generation"] += 1
    if not marked or parse_time(marked) > now_s:
        meta["deletionTimestamp"] = format_time(now_s)
    meta["deletionGracePeriodSeconds"] = 0


def finalizers_for(kind: Kind, meta: dict[str, Any], options: DeleteOptions) -> list[str]:
    """The object's finalizers with `orphan` and `foregroundDeletion` as the policy wants them."""
    present = list(meta.get("finalizers") or ())
    policy = options.propagation
    if not policy:
        by_finalizer = {ORPHAN: "Orphan", FOREGROUND: "Foreground"}
        default = "Orphan" if kind.group_resource in ORPHANS_BY_DEFAULT else ""
        policy = next((by_finalizer[name] for name in present if name in by_finalizer), default)
    wanted = [name for name in present if name not in (ORPHAN, FOREGROUND)]
    if kind.group_resource not in OWN_NOTHING:
        wanted += {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    return present if set(wanted) == set(present) else wanted


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
        _warn(request, kind, options)
        return await self._delete_named(request, kind, options)

    async def _delete_named(
        self, request: Request, kind: Kind, options: DeleteOptions, *, collection: bool = False
    ) -> Answer:
        key = storage_key(kind, request.namespace, request.name)
        for _ in range(races.TRIES_MAX):
            item = await self._store.get(key=key)
            if item is None:
                break
            try:
                return await self._delete(request, kind, item, options, collection=collection)
            except RevisionMismatch as lost:
                await races.settled(self._store, lost)
            except KeyMissing:
                break
        else:
            raise status.conflict(kind, request.name)
        raise status.not_found(kind, request.name)

    async def _delete(
        self, request: Request, kind: Kind, item: Item, options: DeleteOptions, *, collection: bool
    ) -> Answer:
        old = (await shown(kind, item)).object
        _check_preconditions(kind, old, options)
        plan = plan_delete(kind, old, options, now_s=self._clock.now())
        graceful = kind.grace_period_s is not None
        if plan.action != "pending" or not (graceful or kind.group_resource == "namespaces"):
            asked = dict(options.asked or {})
            if graceful and metadata(plan.object).get("deletionTimestamp"):
                asked["gracePeriodSeconds"] = metadata(plan.object)["deletionGracePeriodSeconds"]
            await self._admit(request, kind, old, asked, dry_run=options.dry_run, collection=collection)
        if plan.action == "pending":
            return Answer(await shown(kind, item), 202 if options.cascading else 200, kind)
        if kind.group_resource == "namespaces":
            plan.object["status"] = {**(plan.object.get("status") or {}), "phase": "Terminating"}
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

    async def _admit(
        self,
        request: Request,
        kind: Kind,
        old: Object,
        asked: Mapping[str, Any],
        *,
        dry_run: bool,
        collection: bool,
    ) -> None:
        """Of a collection admission is told no names, only what each object was."""
        write = Write(
            operation=DELETE,
            kind=kind,
            namespace=metadata(old).get("namespace", ""),
            name="" if collection else name_of(old),
            old=old,
            user=request.user,
            dry_run=dry_run,
            options={"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", **asked},
            warnings=request.warnings,
            waits=request.waits,
        )
        await self._admission.mutate(write)
        await self._admission.validate(write)

    async def delete_collection(
        self, request: Request, kind: Kind, selected: ListOptions, options: DeleteOptions
    ) -> Collection:
        """Delete all that is selected; answer what it was. What is gone already counts as deleted."""
        _warn(request, kind, options)
        listing = await list_items(self._store, kind, namespace=request.namespace, options=selected)
        for document in listing.items:
            meta = metadata(document.object)
            request.namespace, request.name = meta.get("namespace", ""), meta["name"]
            try:
                await self._delete_named(request, kind, options, collection=True)
            except status.StatusError as error:
                if error.code != 404:
                    raise
        return listing


def _check_preconditions(kind: Kind, old: Object, options: DeleteOptions) -> None:
    meta = metadata(old)
    for what, wanted, field, happened in (
        ("UID", options.uid, "uid", "deleted and then recreated"),
        ("ResourceVersion", options.revision, "resourceVersion", "modified"),
    ):
        found = meta.get(field, "")
        if wanted is None or wanted == found:
            continue
        if kind.group_resource in DELETED_BY_THEMSELVES:
            raise status.conflict(kind, name_of(old), upstreamkeys.mismatch(what, wanted, found))
        why = (
            f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
            f"The object might have been {happened}"
        )
        # Upstream puts the kind where the plural belongs, here alone.
        named = Resource(group=kind.group, version=kind.version, plural=kind.kind, kind=kind.kind)
        raise status.conflict(named, name_of(old), why)


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
