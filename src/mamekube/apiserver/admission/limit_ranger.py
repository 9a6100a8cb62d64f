"""LimitRanger: fills in what containers request, and keeps pods and claims within a namespace's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin, forbidden
from mamekube.apiserver.writes import UPDATE, Reader, Write
from mamekube.objects import quantity
from mamekube.objects.meta import Object, being_deleted
from mamekube.objects.quota import pod_total

ANNOTATION = "kubernetes.io/limit-ranger"

Resources = Mapping[str, Any]
"""Quantities by the name of the resource."""


class LimitRanger(Plugin):
    name = "LimitRanger"
    operations = CREATE_AND_UPDATE
    resources = frozenset({"pods", "persistentvolumeclaims"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        if write.operation == UPDATE:
            return
        for limits in await self._limits(write):
            if write.kind.plural == "pods" and write.object is not None:
                set_defaults(write.object, limits)

    async def validate(self, write: Write) -> None:
        if write.operation == UPDATE and (write.kind.plural == "pods" or being_deleted(write.old or {})):
            return  # what a pod requests is fixed
        errors: list[str] = []
        for limits in await self._limits(write):
            if write.kind.plural == "pods":
                errors += pod_errors(write.object or {}, limits)
            else:
                errors += claim_errors(write.object or {}, limits)
        if errors:
            errors = list(dict.fromkeys(errors))
            raise forbidden(write, errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")

    async def _limits(self, write: Write) -> list[Sequence[Mapping[str, Any]]]:
        ranges = await self._reader.list(builtin.LIMIT_RANGES, namespace=write.namespace)
        return [(obj.get("spec") or {}).get("limits") or () for obj in ranges]


def set_defaults(pod: Object, limits: Iterable[Mapping[str, Any]]) -> None:
    """Give containers the default requests and limits they lack, and note in the pod which."""
    noted: list[str] = []
    for limit in limits:
        if limit.get("type") != "Container":
            continue
        spec = pod.get("spec") or {}
        for title, field in (("container", "containers"), ("init container", "initContainers")):
            for container in spec.get(field) or ():
                noted += _set_container(container, limit, title)
    if noted:
        annotations = pod.setdefault("metadata", {}).setdefault("annotations", {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(noted)


def _set_container(container: dict[str, Any], limit: Mapping[str, Any], title: str) -> list[str]:
    noted: list[str] = []
    resources = container.get("resources") or {}
    given_limits = dict(resources.get("limits") or {})
    for word, field, default in (("request", "requests", "defaultRequest"), ("limit", "limits", "default")):
        values = dict(resources.get(field) or {})
        missing = [name for name in sorted(limit.get(default) or {}) if name not in values]
        if field == "requests":
            # A limit that the client chose is its request too, which the API server filled in before.
            missing = [name for name in missing if name not in given_limits]
        for name in missing:
            values[name] = limit[default][name]
        if missing:
            resources = {**resources, field: values}
            noted.append(f"{', '.join(missing)} {word} for {title} {container.get('name', '')}")
    if noted:
        container["resources"] = resources
    return noted


def pod_errors(pod: Object, limits: Iterable[Mapping[str, Any]]) -> list[str]:
    spec = pod.get("spec") or {}
    asked = {"spec": spec}
    errors: list[str] = []
    for limit in limits:
        if limit.get("type") == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                errors += range_errors(limit, resources.get("requests") or {}, resources.get("limits") or {})
        elif limit.get("type") == "Pod":
            errors += range_errors(limit, pod_total(asked, "requests"), pod_total(asked, "limits"))
    return errors


def claim_errors(claim: Object, limits: Iterable[Mapping[str, Any]]) -> list[str]:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    errors: list[str] = []
    for limit in limits:
        if limit.get("type") == "PersistentVolumeClaim":
            for name, least in sorted((limit.get("min") or {}).items()):
                errors += _min_errors(limit["type"], name, least, requests.get(name), None)
            for name, most in sorted((limit.get("max") or {}).items()):
                errors += _max_request_errors(limit["type"], name, most, requests.get(name))
    return errors


def range_errors(limit: Mapping[str, Any], requests: Resources, limits: Resources) -> list[str]:
    """What of `min`, `max` and `maxLimitRequestRatio` is not kept."""
    errors: list[str] = []
    kind = limit["type"]
    for name, least in sorted((limit.get("min") or {}).items()):
        errors += _min_errors(kind, name, least, requests.get(name), limits.get(name))
    for name, most in sorted((limit.get("max") or {}).items()):
        errors += _max_errors(kind, name, most, requests.get(name), limits.get(name))
    for name, ratio in sorted((limit.get("maxLimitRequestRatio") or {}).items()):
        errors += _ratio_errors(kind, name, ratio, requests.get(name), limits.get(name))
    return errors


def _min_errors(kind: str, name: str, least: Any, request: Any, limit: Any) -> list[str]:
    start = f"minimum {name} usage per {kind} is {quantity.canonical(str(least))}"
    if request is None:
        return [f"{start}.  No request is specified"]
    if quantity.compare(request, least) < 0:
        return [f"{start}, but request is {quantity.canonical(str(request))}"]
    if limit is not None and quantity.compare(limit, least) < 0:
        return [f"{start}, but limit is {quantity.canonical(str(limit))}"]
    return []


def _max_errors(kind: str, name: str, most: Any, request: Any, limit: Any) -> list[str]:
    start = f"maximum {name} usage per {kind} is {quantity.canonical(str(most))}"
    if limit is None:
        return [f"{start}.  No limit is specified"]
    if quantity.compare(limit, most) > 0:
        return [f"{start}, but limit is {quantity.canonical(str(limit))}"]
    if request is not None and quantity.compare(request, most) > 0:
        return [f"{start}, but request is {quantity.canonical(str(request))}"]
    return []


def _max_request_errors(kind: str, name: str, most: Any, request: Any) -> list[str]:
    start = f"maximum {name} usage per {kind} is {quantity.canonical(str(most))}"
    if request is None:
        return [f"{start}.  No request is specified"]
    if quantity.compare(request, most) > 0:
        return [f"{start}, but request is {quantity.canonical(str(request))}"]
    return []


def _ratio_errors(kind: str, name: str, ratio: Any, request: Any, limit: Any) -> list[str]:
    start = f"{name} max limit to request ratio per {kind} is {quantity.canonical(str(ratio))}"
    asked = quantity.parse_any(request) if request is not None else Decimal(0)
    allowed = quantity.parse_any(limit) if limit is not None else Decimal(0)
    if not asked:
        return [f"{start}, but no request is specified or request is 0"]
    if not allowed:
        return [f"{start}, but no limit is specified or limit is 0"]
    if allowed / asked > quantity.parse_any(ratio):
        return [f"{start}, but provided ratio is {float(allowed / asked):.6f}"]
    return []
