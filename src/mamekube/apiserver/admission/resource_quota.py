"""ResourceQuota: nothing is made beyond what a namespace may use.

Usage is charged to the quota's status before the object is stored, by a write conditional on the revision that
was judged; so two writers never share the last free place. The writes of one namespace take turns here, which
spares them each other's conflicts. The quota controller corrects what a failed write left charged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

from mamekube.apiserver import builtin, races
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin, forbidden
from mamekube.apiserver.writes import UPDATE, Reader, Write, key_for
from mamekube.objects import quantity, status
from mamekube.objects import quota as quota_usage
from mamekube.objects.meta import Object, edited, name_of, revision_of
from mamekube.objects.quota import Usage
from mamekube.objects.resource import Resource
from mamekube.store.store import Store

RETRIES_MAX = 20
RESIZE = "resize"


class ResourceQuota(Plugin):
    name = "ResourceQuota"
    operations = CREATE_AND_UPDATE

    def __init__(self, reader: Reader, store: Store) -> None:
        self._reader = reader
        self._store = store
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def validate(self, write: Write) -> None:
        if not write.namespace or not _handles(write):
            return
        quotas = await self._quotas(write)
        if not quotas:
            return
        whole = quota_usage.usage_of(write.kind, write.object or {})
        known = write.old if write.operation == UPDATE else None
        added = quota_usage.increase(whole, quota_usage.usage_of(write.kind, known) if known else {})
        if not added and not (known and any(map(quota_usage.scopes_of, quotas))):
            return
        turn = self._turns.setdefault(write.namespace, asyncio.Lock())
        async with turn:
            await self._charge(write, Charges(added, whole, known))

    async def _charge(self, write: Write, charges: Charges) -> None:
        """Charge every quota that the object counts in, or none where one of them is used up."""
        done: set[str] = set()
        for _ in range(RETRIES_MAX):
            quotas = [quota for quota in await self._quotas(write) if name_of(quota) not in done]
            plan = plan_charges(write, quotas, charges)
            if write.dry_run:
                return
            try:
                for quota, used in plan:
                    await self._store_used(quota, used)
                    done.add(name_of(quota))
                return
            except races.LOST as lost:
                await races.settled(self._store, lost)
        raise status.conflict(
            write.kind, write.name, "the quota of the namespace changes too fast; please try again"
        )

    async def _store_used(self, quota: Object, used: Usage) -> None:
        key = key_for(builtin.RESOURCE_QUOTAS, namespace=quota["metadata"]["namespace"], name=name_of(quota))
        charged = edited(quota, ("status", "used"), {**(quota["status"].get("used") or {}), **used})
        charged = edited(charged, ("metadata", "resourceVersion"), None)
        await self._store.update(key=key, obj=charged, expected=int(revision_of(quota)))

    async def _quotas(self, write: Write) -> list[Object]:
        return list(await self._reader.list(builtin.RESOURCE_QUOTAS, namespace=write.namespace))


class Charges(NamedTuple):
    """What a write asks of quotas: of one that counted the object before, what is `added`; else the `whole`."""

    added: Usage
    whole: Usage
    known: Object | None = None
    """The object before, if there was one."""

    def to(self, quota: Object, kind: Resource) -> Usage:
        counted = self.known is None or quota_usage.matches(quota, kind, self.known)
        return self.added if counted else self.whole


def _handles(write: Write) -> bool:
    """Whether what is written can ask for more."""
    of_core = "" if write.kind.group else write.kind.plural
    if write.subresource:
        return (of_core, write.subresource) in (("pods", RESIZE), ("persistentvolumeclaims", "status"))
    if of_core == "pods" and write.operation == UPDATE:
        return _deadline(write.object) != _deadline(write.old)
    return True


def _deadline(pod: Object | None) -> bool:
    return ((pod or {}).get("spec") or {}).get("activeDeadlineSeconds") is not None


def plan_charges(write: Write, quotas: Sequence[Object], charges: Charges) -> list[tuple[Object, Usage]]:
    """Each quota that counts any of it, with its new `used` of those. Raises 403."""
    concerned = [quota for quota in quotas if quota_usage.matches(quota, write.kind, write.object or {})]
    for quota in concerned:
        _check_constraints(write, quota)
    plan: list[tuple[Object, Usage]] = []
    for quota in concerned:
        hard, used = _limits_of(quota)
        counted = {name: amount for name, amount in charges.to(quota, write.kind).items() if name in hard}
        if not counted:
            continue
        total = {name: quantity.add(used[name], amount) for name, amount in counted.items()}
        exceeded = [name for name, amount in total.items() if quantity.compare(amount, hard[name]) > 0]
        if exceeded and write.subresource != "status":
            shown = (quota_usage.text(usage, exceeded) for usage in (counted, used, hard))
            requested, in_use, limited = shown
            raise forbidden(
                write,
                f"exceeded quota: {name_of(quota)}, requested: {requested}, used: {in_use}, limited: {limited}",
            )
        plan.append((quota, total))
    return plan


def _limits_of(quota: Object) -> tuple[Usage, Usage]:
    """`(hard, used)` as its status tells them."""
    told = quota.get("status") or {}
    return told.get("hard") or {}, told.get("used") or {}


def _check_constraints(write: Write, quota: Object) -> None:
    """Refuse an object that does not say what the quota limits, or that a quota would count that has yet to count."""
    hard, used = _limits_of(quota)
    limited = quota_usage.counted_names(write.kind, hard)
    if write.kind.plural == "pods" and not write.kind.group:
        missing = quota_usage.missing_constraints(write.object or {}, limited)
        if missing:
            raise forbidden(write, f"failed quota: {name_of(quota)}: {missing}")
    if any(name not in used for name in limited):
        why = f"status unknown for quota: {name_of(quota)}, resources: {','.join(sorted(limited))}"
        raise forbidden(write, why)
