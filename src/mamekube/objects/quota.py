"""What an object counts for in a ResourceQuota, and whether a quota is about it at all. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.objects import quantity
from mamekube.objects.meta import Object, annotations_of, metadata
from mamekube.objects.podresources import larger, spec_as_held
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
OF_CLASS = ".storageclass.storage.k8s.io/"
DEVICES = ".deviceclass.resource.k8s.io/devices"
DEVICES_MAX = 32
"""As many devices one claim is given at most, however many there are."""
NEVER_S = 0.0
POD_NAMES = frozenset(
    ("pods", *COMPUTE, *(f"{field}.{name}" for field in ("requests", "limits") for name in COMPUTE))
)
SERVICE_NAMES = frozenset(("services", "services.nodeports", "services.loadbalancers"))
CLAIM_NAMES = ("persistentvolumeclaims", "requests.storage")


def counted_names(kind: Resource, names: Iterable[str]) -> list[str]:
    """Of the names that a quota limits, those that objects of a kind may count for."""
    return [name for name in names if name == f"count/{kind.group_resource}" or _concerns(kind, name)]


def _concerns(kind: Resource, name: str) -> bool:
    if kind.group_resource == "resourceclaims.resource.k8s.io":
        return name.endswith(DEVICES)
    if kind.group:
        return False
    if kind.plural == "pods":
        asked = name.removeprefix("requests.")
        return name in POD_NAMES or asked.startswith("hugepages-") or (asked != name and "/" in asked)
    if kind.plural == "services":
        return name in SERVICE_NAMES
    if kind.plural == "persistentvolumeclaims":
        return name in CLAIM_NAMES or name.endswith(tuple(OF_CLASS + one for one in CLAIM_NAMES))
    return name == kind.plural and name in COUNTED_BY_NAME


def usage_of(kind: Resource, obj: Object, *, now_s: float = NEVER_S) -> Usage:
    """`now_s` tells pods that should be long gone, which count for nothing but an object."""
    usage: Usage = {f"count/{kind.group_resource}": "1"}
    if not kind.group and kind.plural in COUNTED_BY_NAME:
        usage[kind.plural] = "1"
    if kind.plural == "resourceclaims" and kind.group == "resource.k8s.io":
        return usage | _devices(obj.get("spec") or {})
    if kind.group:
        return usage
    if kind.plural == "pods":
        # A pod that ended takes no room; as an object it is still there.
        return {"count/pods": "1"} if is_finished(obj, now_s=now_s) else usage | _compute(obj)
    if kind.plural == "services":
        return usage | _service(obj.get("spec") or {})
    if kind.plural == "persistentvolumeclaims":
        return usage | _claim(obj)
    return usage


def is_finished(pod: Object, *, now_s: float = NEVER_S) -> bool:
    """Whether it has ended, or is being deleted and its grace is over: its node may be lost."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    meta = metadata(pod)
    if not now_s or "deletionTimestamp" not in meta or "deletionGracePeriodSeconds" not in meta:
        return False
    return now_s > parse_time(meta["deletionTimestamp"]) + meta["deletionGracePeriodSeconds"]


def _compute(pod: Object) -> Usage:
    usage: Usage = {}
    overhead = (pod.get("spec") or {}).get("overhead") or {}
    for field in ("requests", "limits"):
        total = dict(pod_total(pod, field))
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


def pod_total(pod: Object, field: str) -> Usage:
    """What a pod's containers ask for (`field`: requests or limits), without its overhead.

    All that run together; or, where that is more, what one init container asks for beside the sidecars that were
    started before it. What the pod itself asks for stands in for them.
    """
    spec = spec_as_held(pod)
    together: Usage = {}
    for container in spec.get("containers") or ():
        _increase(together, _asked(container, field))
    sidecars: Usage = {}
    peak: Usage = {}
    """At no time less than what the sidecars ask for, so only what a container asks for can make it more."""
    for container in spec.get("initContainers") or ():
        asked = _asked(container, field)
        if container.get("restartPolicy") == "Always":
            _increase(sidecars, asked)
            running = {name: sidecars[name] for name in asked}
        else:
            running = add({name: sidecars[name] for name in asked if name in sidecars}, asked)
        for name, amount in running.items():
            if name not in peak or quantity.compare(amount, peak[name]) > 0:
                peak[name] = amount
    whole = {name: amount for name, amount in _asked(spec, field).items() if is_for_pods(name)}
    return larger(add(together, sidecars), peak) | whole


def is_for_pods(name: str) -> bool:
    """Whether a pod may ask for that resource as a whole."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


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
    spec, usage = claim.get("spec") or {}, {}
    requested = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if requested is not None:
        allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage", "0")
        storage = str(allocated if quantity.compare(allocated, requested) > 0 else requested)
        usage["requests.storage"] = _in_bytes(storage)
    name = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class") or spec.get(
        "storageClassName"
    )
    if name:
        usage |= {f"{name}{OF_CLASS}{one}": amount for one, amount in usage.items()}
        usage[f"{name}{OF_CLASS}persistentvolumeclaims"] = "1"
    return usage


def _in_bytes(amount: str) -> str:
    """A part of a byte counts as a whole one."""
    whole = str(quantity.value(amount))
    return quantity.canonical(amount if quantity.compare(amount, whole) == 0 else whole)


def _devices(spec: Mapping[str, Any]) -> Usage:
    """Devices by their class; of requests that leave a choice, the worst for each class."""
    usage: Usage = {}
    for request in (spec.get("devices") or {}).get("requests") or ():
        worst: dict[str, int] = {}
        for one in request.get("firstAvailable") or (request.get("exactly") or {},):
            everything = one.get("allocationMode") == "All"
            count = DEVICES_MAX if everything else one.get("count") or 0
            name = one.get("deviceClassName", "") + DEVICES
            worst[name] = max(worst.get(name, 0), count)
        usage = add(usage, {name: str(count) for name, count in worst.items()})
    return usage


def missing_constraints(pod: Object, limited: Iterable[str]) -> str:
    """What containers fail to say though a quota limits it; `""` where nothing is missing."""
    spec = pod.get("spec") or {}
    if any(is_for_pods(name) for field in ("requests", "limits") for name in _asked(spec, field)):
        return ""
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
    """Whether all of the quota's scopes are about the object. Scopes select pods and claims of volumes, so a quota
    with one is about nothing else."""
    requirements = scopes_of(quota)
    if not requirements:
        return True
    if kind.group:
        return False
    if kind.plural == "persistentvolumeclaims":
        return all(
            requirement["scopeName"] == "VolumeAttributesClass" and _by_attributes(requirement, obj)
            for requirement in requirements
        )
    return kind.plural == "pods" and all(_in_scope(requirement, obj) for requirement in requirements)


def scopes_of(quota: Object) -> list[Mapping[str, Any]]:
    spec = quota.get("spec") or {}
    plain = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return [*plain, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def _in_scope(requirement: Mapping[str, Any], pod: Object) -> bool:
    scope, spec = requirement["scopeName"], pod.get("spec") or {}
    if scope == "PriorityClass":
        return _by_name(requirement, spec.get("priorityClassName") or "")
    if scope == "Terminating":
        return spec.get("activeDeadlineSeconds") is not None
    if scope == "NotTerminating":
        return spec.get("activeDeadlineSeconds") is None
    if scope == "BestEffort":
        return _best_effort(pod)
    if scope == "NotBestEffort":
        return not _best_effort(pod)
    return scope == "CrossNamespacePodAffinity" and _crosses_namespaces(spec)


def _by_attributes(requirement: Mapping[str, Any], claim: Object) -> bool:
    """By any class of attributes that the claim wants, has, or is on the way to."""
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    names = {
        spec.get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    } - {None, ""}
    return any(_by_name(requirement, str(name)) for name in names or {""})


def _by_name(requirement: Mapping[str, Any], name: str) -> bool:
    operator, values = requirement.get("operator"), requirement.get("values") or ()
    if operator == "In":
        return name in values
    if operator == "NotIn":
        return name not in values
    return bool(name) is (operator == "Exists")


def _best_effort(pod: Object) -> bool:
    """Neither the pod nor a container of it asks for or is limited in CPU or memory."""
    known = (pod.get("status") or {}).get("qosClass")
    if known:
        return bool(known == "BestEffort")
    spec = pod.get("spec") or {}
    for container in (spec, *(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
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


def _increase(total: Usage, more: Usage) -> None:
    """Add to `total` itself: there may be many containers, each with resources of its own."""
    for name, amount in more.items():
        total[name] = quantity.add(total[name], amount) if name in total else amount


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
