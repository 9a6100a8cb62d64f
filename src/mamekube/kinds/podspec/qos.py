"""The quality-of-service class of a pod: what the node gives up first when memory is short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mamekube.objects import quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: dict[str, Any]) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`, also before requests are filled in from limits."""
    named = guaranteed = False
    for resources in _counted_resources(spec):
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        equal = True
        for name in _COUNTED:
            limit = _amount(limits.get(name))
            request = _amount(requests.get(name, limits.get(name)))
            named = named or bool(limit or request)
            equal = equal and bool(limit) and request == limit
        if not equal:
            return "Burstable" if named or _names_any(spec) else "BestEffort"
        guaranteed = True
    return "Guaranteed" if guaranteed else "BestEffort"


def _counted_resources(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # Resources of the whole pod stand above those of its containers.
    if spec.get("resources"):
        yield spec["resources"]
        return
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            yield container.get("resources") or {}


def _names_any(spec: dict[str, Any]) -> bool:
    return any(
        _amount((resources.get(kind) or {}).get(name))
        for resources in _counted_resources(spec)
        for kind in ("limits", "requests")
        for name in _COUNTED
    )


def _amount(text: Any) -> Any:
    if text is None:
        return 0
    try:
        return quantity.parse_any(text)
    except ValueError:
        return 0
