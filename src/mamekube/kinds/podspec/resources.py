"""Requests and limits of containers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mamekube.kinds.fields import Found, check, check_quantity
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, required

CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
STANDARD_RESOURCES = CONTAINER_RESOURCES | {
    "storage",
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
}
HUGE_PAGES = "hugepages-"
NATIVE_DOMAIN = "kubernetes.io/"


def validate(resources: dict[str, Any] | None, path: str, found: Found) -> None:
    if not resources:
        return
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    amounts: dict[str, Any] = {}
    for name, value in limits.items():
        amounts[name] = _validate_amount(name, value, f"{path}.limits", found)
    for name, value in requests.items():
        request = _validate_amount(name, value, f"{path}.requests", found)
        limit = amounts.get(name)
        if name in limits:
            if request is None or limit is None:
                continue
            if request != limit and not overcommits(name):
                detail = f"must be equal to {name} limit of {limits[name]}"
                found.append(invalid(f"{path}.requests", str(value), detail))
            elif request > limit:
                detail = f"must be less than or equal to {name} limit of {limits[name]}"
                found.append(invalid(f"{path}.requests", str(value), detail))
        elif not overcommits(name):
            found.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))


def _validate_amount(name: str, value: Any, path: str, found: Found) -> Any:
    messages = _name_messages(name)
    if messages:
        found.extend(invalid(f"{path}[{name}]", name, message) for message in messages)
    return check_quantity(value, f"{path}[{name}]", found, integer=is_extended(name))


@lru_cache(maxsize=1024)
def _name_messages(name: str) -> tuple[str, ...]:
    messages = names.qualified_name(name)
    if "/" not in name:
        huge = name.startswith(HUGE_PAGES)
        if name not in STANDARD_RESOURCES and not huge:
            messages.append("must be a standard resource type or fully qualified")
        if name not in CONTAINER_RESOURCES and not huge:
            messages.append("must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        messages.append("doesn't follow extended resource name standard")
    return tuple(messages)


@lru_cache(maxsize=1024)
def overcommits(name: str) -> bool:
    """Whether more of it may be promised than there is."""
    return is_native(name) and not name.startswith(HUGE_PAGES)


def is_native(name: str) -> bool:
    return "/" not in name or NATIVE_DOMAIN in name


def is_extended(name: str) -> bool:
    """A resource that somebody else counts, in whole pieces: `example.com/gpu`."""
    return not is_native(name) and not name.startswith("requests.")


def validate_name(name: str, path: str, found: Found) -> None:
    """A resource of a quota or a range of limits."""
    check(name, path, names.qualified_name, found)
    if "/" not in name and name not in STANDARD_RESOURCES and not name.startswith(HUGE_PAGES):
        found.append(invalid(path, name, "must be a standard resource type or fully qualified"))
