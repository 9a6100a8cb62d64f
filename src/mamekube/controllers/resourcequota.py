"""ResourceQuotas: how much of what they limit is in use.

Admission charges a quota before an object is stored; this controller counts again when something is gone, and when a
quota is new or says something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mamekube.controllers.deletables import Deletables
from mamekube.controllers.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects import quantity
from mamekube.objects.meta import Object, key_of, namespace_of
from mamekube.objects.quota import NEVER_S, counted_names, matches, usage_of
from mamekube.objects.resource import Resource

RESYNC_S = 300.0
"""Upstream: --resource-quota-sync-period. Mends what admission charged for objects that were never stored."""

CHANGING = frozenset((PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS))
"""What may count otherwise without having gone."""

RECOUNT_S = 1.0
"""After a count that changed something. Admission charges before an object is stored, so a count that comes in
between misses the object, and nothing else would tell of it."""


def plan(
    quota: Object, objects: Iterable[tuple[Resource, Object]], *, now_s: float = NEVER_S
) -> dict[str, Any]:
    """The status of a quota in whose namespace these objects are."""
    hard = quota["spec"].get("hard") or {}
    used: dict[str, str] = dict.fromkeys(hard, "0")
    for resource, obj in objects:
        if not matches(quota, resource, obj):
            continue
        for name, amount in usage_of(resource, obj, now_s=now_s).items():
            if name in used:
                used[name] = quantity.add(used[name], amount)
    return {"hard": dict(hard), "used": used}


def limited_resources(quota: Object, known: Iterable[Resource]) -> list[Resource]:
    """The resources whose objects count for any of the quota's limits."""
    names = quota["spec"].get("hard") or {}
    return [resource for resource in known if resource.namespaced and counted_names(resource, names)]


class ResourceQuotaController(Controller):
    """Duty: the status of each ResourceQuota tells its limits and what is used of them.

    Woken by quotas whose limits change, by everything that goes from their namespace or counts otherwise, and every
    five minutes.
    Invariant: a count is written only over the version of the quota that the count began with, so that it never
    undoes what admission has charged meanwhile.
    """

    name = "resourcequota-controller"
    account = "resourcequota-controller"
    watches = (
        Watch(
            resource=RESOURCE_QUOTAS,
            keys=itself,
            matters=lambda old, new: old.get("spec") != new.get("spec"),
        ),
    )
    spacing_s = 0.2

    def __init__(self, context: Context, *, deletables: Deletables | None = None) -> None:
        super().__init__(context)
        self.deletables = deletables or Deletables()

    def attach(self) -> None:
        super().attach()
        for resource in self.deletables:
            if resource.namespaced and resource != RESOURCE_QUOTAS:
                self.context.informers.informer(resource).subscribe(self._freed(resource))

    def _freed(self, resource: Resource) -> Callable[[str, Object | None, Object | None], None]:
        def handle(event: str, old: Object | None, new: Object | None) -> None:
            obj = new or old
            assert obj is not None, "an event without any state"
            if event == "ADDED" or (event == "MODIFIED" and resource not in CHANGING):
                return
            for quota in self.cache(RESOURCE_QUOTAS).list(namespace=namespace_of(obj)):
                if event == "DELETED" or _counts_otherwise(quota, resource, old or {}, obj):
                    self.enqueue(key_of(quota))

        return handle

    async def reconcile(self, key: str) -> float | None:
        quota = self.cache(RESOURCE_QUOTAS).get(key)
        if quota is None:
            return None
        status = plan(quota, self._objects(quota), now_s=self.clock.now())
        if status != (quota.get("status") or {}):
            # Admission may have charged it since the cache heard of it: then this is refused, and tried again.
            await self.client.update(RESOURCE_QUOTAS, {**quota, "status": status}, subresource="status")
            return RECOUNT_S
        return RESYNC_S

    def _objects(self, quota: Object) -> Sequence[tuple[Resource, Object]]:
        found = []
        for resource in limited_resources(quota, self.deletables):
            cache = self.context.informers.informer(resource).cache
            found += [(resource, obj) for obj in cache.list(namespace=namespace_of(quota))]
        return found


def _counts_otherwise(quota: Object, resource: Resource, old: Object, new: Object) -> bool:
    """Whether a change made a difference to the quota: a pod ended, a resize is done, a scope was entered or left."""
    return matches(quota, resource, old) != matches(quota, resource, new) or usage_of(
        resource, old
    ) != usage_of(resource, new)
