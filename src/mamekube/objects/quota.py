"""What an object counts for in a ResourceQuota, and whether a quota is about it at all. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mamekube.objects import quantity
from mamekube.objects.meta import Object, annotations_of
from mamekube.objects.resource import Resource

Usage = dict[str, str]
"""Quantities by the name a quota gives them: `pods`, `requests.cpu`, `count/deployments.apps`."""

COUNTED_BY_NAME = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
COMPUTE = ("cpu", "memory", "ephemeral-storage")
POD_CONSTRAINTS = {
    **{name: ("requests", name) for name in ("cpu", "memory")},
    **{f"requests.{name}": ("requests", name) for name in ("cpu", "memory")},
    **{f"limits.{name}": ("limits", name) for name in ("cpu", "memory")},
}
"""What every container has to say where a quota limits it: (requests or limits, resource)."""


def usage_of(kind: Resource, obj: Object) -> Usage:
    usage: Usage = {f"count/{kind.group_resource}": "1"}
    if not kind.group and kind.plural in COUNTED_BY_NAME:
        usage[kind.plural] = "1"
    if kind.group:
        return usage
    if kind.plural == "pods":
        # A pod that ended takes no room; as an object it is still there.
        return usage | _compute(obj.get("spec") or {}) if not is_finished(obj) else {"count/pods": "1"}
    if kind.plural == "services":
        return usage | _service(obj.get("spec") or {})
    if kind.plural == "persistentvolumeclaims":
        return usage | _claim(obj)
    return usage


def is_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _compute(spec: Mapping[str, Any]) -> Usage:
    usage: Usage = {}
    overhead = spec.get("overhead") or {}
    for field in ("requests", "limits"):
        total = dict(pod_total(spec, field))
        for name, amount in overhead.items():
            if field == "requests" or name in total:
                total[name] = quantity.add(total.get(name, "0"), amount)
        for name, amount in total.items():
            amount = quantity.canonical(str(amount))
            if name in COMPUTE:
                usage[f"{field}.{name}"] = amount
                if field == "requests":
                    usage[name] = amount
            elif name.startswith("hugepages-") and field == "requests":
                usage[name] = usage[f"requests.{name}"] = amount
            elif "/" in name and field == "requests":
                usage[f"requests.{name}"] = amount
    return usage


def pod_total(spec: Mapping[str, Any], field: str) -> Usage:
    """What a pod's containers ask for (`field`: requests or limits), without its overhead.

    All that run together; or, where that is more, what one init container asks for beside the sidecars that were
    started before it.
    """
    together: Usage = {}
    for container in spec.get("containers") or ():
        together = add(together, _asked(container, field))
    sidecars: Usage = {}
    peak: Usage = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, _asked(container, field))
            peak = _larger(peak, sidecars)
        else:
            peak = _larger(peak, add(sidecars, _asked(container, field)))
    return _larger(add(together, sidecars), peak)


def _asked(container: Mapping[str, Any], field: str) -> Usage:
    amounts = (container.get("resources") or {}).get(field) or {}
    return {name: str(amount) for name, amount in amounts.items()}


def _service(spec: Mapping[str, Any]) -> Usage:
    ports = len(spec.get("ports") or ())
    if spec.get("type") == "NodePort":
        return {"services.nodeports": str(ports)}
    if spec.get("type") == "LoadBalancer":
        given = spec.get("allocateLoadBalancerNodePorts") is not False
        named = sum(1 for port in spec.get("ports") or () if port.get("nodePort"))
        return {"services.nodeports": str(ports if given else named), "services.loadbalancers": "1"}
    return {}


def _claim(claim: Object) -> Usage:
    spec = claim.get("spec") or {}
    storage = str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))
    usage = {"requests.storage": quantity.canonical(storage)}
    name = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class") or spec.get(
        "storageClassName"
    )
    if name:
        prefix = f"{name}.storageclass.storage.k8s.io"
        usage |= {
            f"{prefix}/persistentvolumeclaims": "1",
            f"{prefix}/requests.storage": usage["requests.storage"],
        }
    return usage


def missing_constraints(pod: Object, limited: Iterable[str]) -> str:
    """What containers fail to say though a quota limits it; `""` where nothing is missing."""
    spec = pod.get("spec") or {}
    parts: list[str] = []
    for name in sorted(limited):
        if name not in POD_CONSTRAINTS:
            continue
        field, resource = POD_CONSTRAINTS[name]
        silent = sorted(
            container.get("name", "")
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
            if resource not in ((container.get("resources") or {}).get(field) or {})
        )
        if silent:
            parts.append(f"{name} for: {','.join(silent)}")
    return f"must specify {'; '.join(parts)}" if parts else ""


# Scopes ---------------------------------------------------------------------------------------------------


def matches(quota: Object, kind: Resource, obj: Object) -> bool:
    """Whether all of the quota's scopes are about the object. Scopes select pods, so a quota with one is about
    nothing else."""
    requirements = scopes_of(quota)
    if not requirements:
        return True
    if kind.plural != "pods" or kind.group:
        return False
    return all(_in_scope(requirement, obj.get("spec") or {}) for requirement in requirements)


def scopes_of(quota: Object) -> list[Mapping[str, Any]]:
    spec = quota.get("spec") or {}
    plain = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return [*plain, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def _in_scope(requirement: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    scope = requirement["scopeName"]
    if scope == "PriorityClass":
        return _by_priority(requirement, spec.get("priorityClassName") or "")
    if scope == "Terminating":
        return spec.get("activeDeadlineSeconds") is not None
    if scope == "NotTerminating":
        return spec.get("activeDeadlineSeconds") is None
    if scope == "BestEffort":
        return _best_effort(spec)
    if scope == "NotBestEffort":
        return not _best_effort(spec)
    return scope == "CrossNamespacePodAffinity" and _crosses_namespaces(spec)


def _by_priority(requirement: Mapping[str, Any], name: str) -> bool:
    operator, values = requirement.get("operator"), requirement.get("values") or ()
    if operator == "In":
        return name in values
    if operator == "NotIn":
        return name not in values
    return bool(name) is (operator == "Exists")


def _best_effort(spec: Mapping[str, Any]) -> bool:
    """No container asks for or is limited in CPU or memory."""
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        for field in ("requests", "limits"):
            for name in ("cpu", "memory"):
                if quantity.compare((resources.get(field) or {}).get(name, "0"), "0") > 0:
                    return False
    return True


def _crosses_namespaces(spec: Mapping[str, Any]) -> bool:
    affinity = spec.get("affinity") or {}
    terms: list[Mapping[str, Any]] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms += rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [
            term.get("podAffinityTerm") or {}
            for term in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


# Arithmetic -----------------------------------------------------------------------------------------------


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


def increase(new: Usage, old: Usage) -> Usage:
    """What `new` counts for beyond `old`, without what is not more."""
    found: Usage = {}
    for name, amount in new.items():
        difference = quantity.subtract(amount, old[name]) if name in old else amount
        if quantity.compare(difference, "0") > 0:
            found[name] = difference
    return found


def text(usage: Mapping[str, Any], names: Sequence[str]) -> str:
    """`cpu=1,memory=2Gi`"""
    return ",".join(f"{name}={quantity.canonical(str(usage.get(name, '0')))}" for name in sorted(names))
