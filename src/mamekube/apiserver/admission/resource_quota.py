"""ResourceQuota: nothing is made beyond what a namespace may use.

Usage is charged to the quota's status before the object is stored, by a write conditional on the revision that
was judged; so two writers never share the last free place. The writes of one namespace take turns here, which
spares them each other's conflicts. The quota controller corrects what a failed write left charged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from mamekube.apiserver import builtin, races
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin, forbidden
from mamekube.apiserver.writes import UPDATE, Reader, Write, key_for
from mamekube.objects import quantity, status
from mamekube.objects import quota as quota_usage
from mamekube.objects.meta import Object, edited, name_of, revision_of
from mamekube.objects.quota import Usage
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
        if not write.namespace or (write.subresource and write.subresource != RESIZE):
            return
        if not await self._quotas(write):
            return
        new = quota_usage.usage_of(write.kind, write.object or {})
        old = quota_usage.usage_of(write.kind, write.old) if write.operation == UPDATE and write.old else {}
        added = quota_usage.increase(new, old)
        if not added:
            return
        turn = self._turns.setdefault(write.namespace, asyncio.Lock())
        async with turn:
            await self._charge(write, added)

    async def _charge(self, write: Write, added: Usage) -> None:
        """Charge every quota that the object counts in, or none where one of them is used up."""
        done: set[str] = set()
        for _ in range(RETRIES_MAX):
            quotas = [quota for quota in await self._quotas(write) if name_of(quota) not in done]
            plan = plan_charges(write, quotas, added)
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


def plan_charges(write: Write, quotas: Sequence[Object], added: Usage) -> list[tuple[Object, Usage]]:
    """Each quota that counts any of `added`, with its new `used` of those. Raises 403."""
    plan: list[tuple[Object, Usage]] = []
    for quota in quotas:
        hard, used = ((quota.get("status") or {}).get(field) or {} for field in ("hard", "used"))
        if not quota_usage.matches(quota, write.kind, write.object or {}):
            continue
        _check_constraints(write, quota, hard)
        counted = {name: amount for name, amount in added.items() if name in hard}
        if not counted:
            continue
        unknown = sorted(name for name in counted if name not in used)
        if unknown:
            why = f"status unknown for quota: {name_of(quota)}, resources: {','.join(unknown)}"
            raise forbidden(write, why)
        total = {name: quantity.add(used[name], amount) for name, amount in counted.items()}
        exceeded = [name for name, amount in total.items() if quantity.compare(amount, hard[name]) > 0]
        if exceeded:
            shown = (quota_usage.text(usage, exceeded) for usage in (counted, used, hard))
            requested, in_use, limited = shown
            raise forbidden(
                write,
                f"exceeded quota: {name_of(quota)}, requested: {requested}, used: {in_use}, limited: {limited}",
            )
        plan.append((quota, total))
    return plan


def _check_constraints(write: Write, quota: Object, hard: Object) -> None:
    if write.kind.plural != "pods" or write.kind.group:
        return
    missing = quota_usage.missing_constraints(write.object or {}, hard)
    if missing:
        raise forbidden(write, f"failed quota: {name_of(quota)}: {missing}")
