"""ResourceQuotas: how much of what they limit is in use.

Admission charges a quota before an object is stored; this controller counts again when something is gone, and when a
quota is new or says something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.deletables import Deletables
from mamekube.controllers.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects import quantity
from mamekube.objects.meta import Object, key_of, name_of, namespace_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

RESYNC_S = 300.0
"""Upstream: --resource-quota-sync-period. Mends what admission charged for objects that were never stored."""

Usage = dict[str, str]


def usage_of(resource: Resource, obj: Object) -> Usage:
    """What one object counts for, by the names that quotas use."""
    usage = {f"count/{resource.group_resource}": "1"}
    if resource.group:
        return usage
    if resource == PODS:
        return usage if podfacts.is_terminal(obj) else usage | {"pods": "1"} | _compute(obj["spec"])
    usage[resource.plural] = "1"
    if resource == SERVICES:
        usage |= _service(obj.get("spec") or {})
    elif resource == PERSISTENT_VOLUME_CLAIMS:
        usage |= _claim(obj.get("spec") or {})
    return usage


def _service(spec: Mapping[str, Any]) -> Usage:
    usage: Usage = {}
    ports = spec.get("ports") or ()
    if spec.get("type") == "LoadBalancer":
        usage["services.loadbalancers"] = "1"
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        usage["services.nodeports"] = str(len(ports))
    return usage


def _claim(spec: Mapping[str, Any]) -> Usage:
    storage = str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))
    usage = {"requests.storage": storage}
    if spec.get("storageClassName"):
        prefix = f"{spec['storageClassName']}.storageclass.storage.k8s.io"
        usage |= {f"{prefix}/persistentvolumeclaims": "1", f"{prefix}/requests.storage": storage}
    return usage


def _compute(spec: Mapping[str, Any]) -> Usage:
    """Requests and limits. `cpu` is another name of `requests.cpu`; limits have no such other name."""
    usage: Usage = {}
    for field in ("requests", "limits"):
        for name, amount in pod_total(spec, field).items():
            usage[f"{field}.{name}"] = amount
            if field == "requests":
                usage[name] = amount
    return usage


def pod_total(spec: Mapping[str, Any], field: str) -> Usage:
    """A pod's need: all that run together, or, where that is more, what one init container needs beside the
    sidecars that were started before it; and the overhead.
    """
    together: Usage = {}
    for container in spec.get("containers") or ():
        together = add(together, _resources(container, field))
    sidecars: Usage = {}
    peak: Usage = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, _resources(container, field))
            peak = _larger(peak, sidecars)
        else:
            peak = _larger(peak, add(sidecars, _resources(container, field)))
    total = _larger(add(together, sidecars), peak)
    overhead = spec.get("overhead") or {}
    return add(
        total, {name: str(overhead[name]) for name in overhead if field == "requests" or name in total}
    )


def _resources(container: Mapping[str, Any], field: str) -> Usage:
    return {
        name: str(amount) for name, amount in ((container.get("resources") or {}).get(field) or {}).items()
    }


def add(first: Usage, second: Usage) -> Usage:
    return first | {
        name: quantity.add(first[name], amount) if name in first else amount
        for name, amount in second.items()
    }


def _larger(first: Usage, second: Usage) -> Usage:
    return first | {
        name: amount
        for name, amount in second.items()
        if name not in first or quantity.compare(amount, first[name]) > 0
    }


# Scopes -----------------------------------------------------------------------------------------------


def in_scope(quota: Object, resource: Resource, obj: Object) -> bool:
    """Whether all of the quota's scopes are about the object; scopes are about pods only."""
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not scopes or (resource == PODS and all(_matches(scope, obj["spec"]) for scope in scopes))


def _matches(scope: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    name = scope["scopeName"]
    if name in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) == (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        needs = [
            total.get(resource, "0")
            for total in (pod_total(spec, "requests"), pod_total(spec, "limits"))
            for resource in ("cpu", "memory")
        ]
        return all(quantity.compare(need, "0") == 0 for need in needs) == (name == "BestEffort")
    if name == "PriorityClass":
        known, values = spec.get("priorityClassName") or "", scope.get("values") or ()
        operator = scope.get("operator")
        if operator in ("In", "NotIn"):
            return (known in values) == (operator == "In")
        return bool(known) == (operator == "Exists")
    return name == "CrossNamespacePodAffinity" and _crosses_namespaces(spec)


def _crosses_namespaces(spec: Mapping[str, Any]) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = (spec.get("affinity") or {}).get(kind) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [term.get("podAffinityTerm") or {} for term in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


# The controller ---------------------------------------------------------------------------------------


def plan(quota: Object, objects: Iterable[tuple[Resource, Object]]) -> dict[str, Any]:
    """The status of a quota in whose namespace these objects are."""
    hard = quota["spec"].get("hard") or {}
    used: Usage = dict.fromkeys(hard, "0")
    for resource, obj in objects:
        if not in_scope(quota, resource, obj):
            continue
        for name, amount in usage_of(resource, obj).items():
            if name in used:
                used[name] = quantity.add(used[name], amount)
    return {"hard": dict(hard), "used": used}


def limited_resources(quota: Object, known: Iterable[Resource]) -> list[Resource]:
    """The resources whose objects count for any of the quota's limits."""
    names = set(quota["spec"].get("hard") or {})
    return [resource for resource in known if resource.namespaced and _counts(resource, names)]


def _counts(resource: Resource, names: set[str]) -> bool:
    if f"count/{resource.group_resource}" in names:
        return True
    if resource.group:
        return False
    if resource == PODS:
        # Whatever is not a number of objects is something that containers ask for.
        return any(name == "pods" or not name.startswith("count/") for name in names)
    if resource == SERVICES:
        return any(name.startswith("services") for name in names)
    if resource == PERSISTENT_VOLUME_CLAIMS:
        return any(name.endswith(("persistentvolumeclaims", "requests.storage")) for name in names)
    return resource.plural in names


class ResourceQuotaController(Controller):
    """Duty: the status of each ResourceQuota tells its limits and what is used of them.

    Woken by quotas whose limits change, by everything that goes from their namespace, by pods that end, and every
    five minutes.
    Invariant: a count is written only over the version of the quota that was read before counting, so that it never
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
            if event == "ADDED" or (event == "MODIFIED" and not _ended(resource, old, obj)):
                return
            for quota in self.cache(RESOURCE_QUOTAS).list(namespace=namespace_of(obj)):
                self.enqueue(key_of(quota))

        return handle

    async def reconcile(self, key: str) -> float | None:
        cached = self.cache(RESOURCE_QUOTAS).get(key)
        if cached is None:
            return None
        try:
            quota = await self.client.get(RESOURCE_QUOTAS, name_of(cached), namespace=namespace_of(cached))
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return None
            raise
        status = plan(quota, self._objects(quota))
        if status != (quota.get("status") or {}):
            await self.client.update(RESOURCE_QUOTAS, {**quota, "status": status}, subresource="status")
        return RESYNC_S

    def _objects(self, quota: Object) -> Sequence[tuple[Resource, Object]]:
        found = []
        for resource in limited_resources(quota, self.deletables):
            cache = self.context.informers.informer(resource).cache
            found += [(resource, obj) for obj in cache.list(namespace=namespace_of(quota))]
        return found


def _ended(resource: Resource, old: Object | None, new: Object) -> bool:
    return (
        resource == PODS and old is not None and not podfacts.is_terminal(old) and podfacts.is_terminal(new)
    )
