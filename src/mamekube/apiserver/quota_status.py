"""The status of every ResourceQuota: what its limits are, and how much of them is in use.

Admission charges the status before an object is stored (`admission/resource_quota.py`); this component counts
what is really there, whenever something in a namespace with a quota comes, changes or goes. So what was deleted
is free again, and what a failed write left charged does not stay. A count may miss a write that is charged and
not stored yet; its own storing wakes the next count. A charge wakes one, too, in case its write failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mamekube.apiserver import builtin
from mamekube.apiserver.admission import quota_usage
from mamekube.apiserver.mirror import Mirror
from mamekube.apiserver.writes import Reader, key_for
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects import quantity
from mamekube.objects.meta import Object, edited, name_of, namespace_of
from mamekube.store.backend import Compacted, KeyMissing, RevisionMismatch, WatchLost
from mamekube.store.store import Store, StoreEvent

SPACING_S = 0.1
"""Before a count: what happens together is counted together, and what was charged gets stored."""
REST_FACTOR = 20
"""Counting takes at most a twentieth of the time, however much there is to count."""
REGISTRY_PREFIX = "/registry/"


class QuotaStatus(Component):
    """Costs nothing while there is no quota."""

    def __init__(self, store: Store, reader: Reader, registry: Registry) -> None:
        super().__init__()
        self._store = store
        self._reader = reader
        self._registry = registry
        self._quotas: dict[str, set[str]] = {}
        """Names of the quotas by namespace."""
        self._dirty: set[str] = set()
        self._wakeup = asyncio.Event()
        self._mirror: Mirror[tuple[str, str]] = Mirror(
            store, builtin.RESOURCE_QUOTAS, digest=_name_only, handler=self._quotas_changed
        )

    async def start(self) -> None:
        await self._mirror.__aenter__()
        self.spawn(self._count(), name="quota status")
        self.spawn(self._follow(), name="quota changes")

    async def stop(self) -> None:
        await self._mirror.__aexit__(None, None, None)

    # What to count --------------------------------------------------------------------------------------

    def _quotas_changed(self, old: tuple[str, str] | None, new: tuple[str, str] | None) -> None:
        if old is not None and new is None:
            names = self._quotas[old[0]]
            names.discard(old[1])
            if not names:
                del self._quotas[old[0]]
        elif new is not None:
            self._quotas.setdefault(new[0], set()).add(new[1])
            self._mark(new[0])

    def _mark(self, namespace: str) -> None:
        self._dirty.add(namespace)
        self._wakeup.set()

    async def _follow(self) -> None:
        while True:
            while not self._quotas:
                self._wakeup.clear()
                await self._wakeup.wait()
            for namespace in self._quotas:
                self._mark(namespace)
            try:
                async with self._store.watch(prefix=REGISTRY_PREFIX, after=self._store.revision) as batches:
                    async for batch in batches:
                        self._note(batch)
                        if not self._quotas:
                            break
            except (WatchLost, Compacted):
                continue

    def _note(self, batch: Iterable[StoreEvent]) -> None:
        for event in batch:
            parts = event.item.key.split("/")
            if len(parts) == 6 and parts[4] in self._quotas:
                self._mark(parts[4])

    # Counting -------------------------------------------------------------------------------------------

    async def _count(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._dirty:
                self._wakeup.clear()
                await self._wakeup.wait()
                continue
            await asyncio.sleep(SPACING_S)
            started_s = loop.time()
            dirty, self._dirty = self._dirty, set()
            for namespace in dirty:
                for quota in await self._reader.list(builtin.RESOURCE_QUOTAS, namespace=namespace):
                    await self._update(quota)
            await asyncio.sleep(REST_FACTOR * (loop.time() - started_s))

    async def _update(self, quota: Object) -> None:
        hard = (quota.get("spec") or {}).get("hard") or {}
        status = {"hard": hard, "used": await self._usage(quota, hard)}
        if quota.get("status") == status:
            return
        key = key_for(builtin.RESOURCE_QUOTAS, namespace=namespace_of(quota), name=name_of(quota))
        item = await self._store.get(key=key)
        if (
            item is None
            or item.object["metadata"].get("resourceVersion") != quota["metadata"]["resourceVersion"]
        ):
            self._mark(namespace_of(quota))
            return
        counted = edited(edited(quota, ("status",), status), ("metadata", "resourceVersion"), None)
        try:
            await self._store.update(key=key, obj=counted, expected=item.revision)
        except (RevisionMismatch, KeyMissing):
            self._mark(namespace_of(quota))

    async def _usage(self, quota: Object, hard: Object) -> dict[str, str]:
        used = dict.fromkeys(hard, "0")
        for kind in kinds_counted(hard, self._registry):
            for obj in await self._reader.list(kind, namespace=namespace_of(quota)):
                if not quota_usage.matches(quota, kind, obj):
                    continue
                for name, amount in quota_usage.usage_of(kind, obj).items():
                    if name in used:
                        used[name] = quantity.add(used[name], amount)
        return used


def kinds_counted(names: Iterable[str], registry: Registry) -> list[Kind]:
    """The kinds that a quota with these names is about."""
    found: dict[str, Kind] = {}
    for name in names:
        plural, _, group = resource_of(name).partition(".")
        versions = next((versions for known, versions in registry.group_versions() if known == group), [])
        for version in versions:
            kind = registry.find(group, version, plural)
            if kind is not None and kind.namespaced:
                found.setdefault(kind.group_resource, kind)
                break
    return list(found.values())


def resource_of(name: str) -> str:
    """The resource that one name in a quota counts: `pods` for `requests.cpu`, `deployments.apps` for
    `count/deployments.apps`."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name.startswith("services."):
        return "services"
    if name == "requests.storage" or ".storageclass.storage.k8s.io/" in name:
        return "persistentvolumeclaims"
    return name if name in quota_usage.COUNTED_BY_NAME else "pods"


def _name_only(quota: Object, old: tuple[str, str] | None) -> tuple[str, str]:
    return old or (namespace_of(quota), name_of(quota))
