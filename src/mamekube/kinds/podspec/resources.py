"""Requests and limits of containers and of whole pods, and the devices that containers claim."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mamekube.foundation.remembering import short_texts
from mamekube.kinds.fields import Found, check, check_quantity
from mamekube.objects import names, quantity
from mamekube.objects.fielderrors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)

CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
COUNTED_RESOURCES = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
"""Of which there are only whole ones, like those of extended resources."""
QUOTA_RESOURCES = (
    COUNTED_RESOURCES
    | CONTAINER_RESOURCES
    | {f"requests.{name}" for name in (*CONTAINER_RESOURCES, "storage")}
    | {f"limits.{name}" for name in CONTAINER_RESOURCES}
)
STANDARD_RESOURCES = QUOTA_RESOURCES | {"storage"}
HUGE_PAGES = "hugepages-"
QUOTA_HUGE_PAGES = "requests.hugepages-"
POD_RESOURCES = frozenset(("cpu", "memory", HUGE_PAGES))
NATIVE_DOMAIN = "kubernetes.io/"


def validate(
    resources: Mapping[str, Any] | None, path: str, found: Found, *, claims: Collection[str] = ()
) -> None:
    """Of one container; `claims` are the names of those of its pod."""
    if not resources:
        return
    _validate_amounts(resources, path, found, _container_messages)
    if resources.get("claims"):
        _validate_claims(resources["claims"], claims, f"{path}.claims", found)


def validate_pod(spec: Mapping[str, Any], path: str, found: Found) -> None:
    """Of the pod whose spec is at `path`, all its containers together."""
    resources = spec.get("resources")
    if not resources:
        return
    path = f"{path}.resources"
    if (spec.get("os") or {}).get("name") == "windows":
        found.append(forbidden(path, "may not be set for a windows pod"))
        return
    if resources.get("claims") is not None:
        found.append(forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
    before = len(found)
    _validate_amounts(resources, path, found, _standard_messages, supported=POD_RESOURCES)
    if len(found) == before:
        _validate_enough(spec, resources, path, found)


def _validate_amounts(
    resources: Mapping[str, Any],
    path: str,
    found: Found,
    messages_of: Any,
    *,
    supported: frozenset[str] = frozenset(),
) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    amounts: dict[str, Any] = {}
    for field, values in (("limits", limits), ("requests", requests)):
        for name, value in values.items():
            value_path = f"{path}.{field}[{name}]"
            messages = messages_of(name)
            if messages:
                found.extend(invalid(value_path, name, message) for message in messages)
            elif supported and not (name in supported or name.startswith(HUGE_PAGES)):
                found.append(not_supported(value_path, name, supported))
            amount = check_quantity(value, value_path, found, integer=is_whole(name))
            if field == "limits":
                amounts[name] = amount
            else:
                _compare(name, value, amount, limits, amounts, path, found)
            if name.startswith(HUGE_PAGES) and amount is not None and not _is_of_pages(name, amount):
                detail = f"{value} is not positive integer multiple of {name}"
                found.append(invalid(value_path, str(value), detail))
    if not any(name in ("cpu", "memory") for values in (limits, requests) for name in values) and any(
        name.startswith(HUGE_PAGES) for values in (limits, requests) for name in values
    ):
        found.append(forbidden(path, "HugePages require cpu or memory"))


def _compare(
    name: str,
    value: Any,
    request: Any,
    limits: Mapping[str, Any],
    amounts: Mapping[str, Any],
    path: str,
    found: Found,
) -> None:
    limit = amounts.get(name)
    if name not in limits:
        if not overcommits(name):
            found.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
    elif request is None or limit is None:
        return
    elif request != limit and not overcommits(name):
        detail = f"must be equal to {name} limit of {limits[name]}"
        found.append(invalid(f"{path}.requests", str(value), detail))
    elif request > limit:
        detail = f"must be less than or equal to {name} limit of {limits[name]}"
        found.append(invalid(f"{path}.requests", str(value), detail))


def _is_of_pages(name: str, amount: Any) -> bool:
    """Whether an amount of huge pages is that of whole pages of their size."""
    try:
        size = quantity.parse(name.removeprefix(HUGE_PAGES))
    except ValueError:
        return False
    return size > 0 and size % 1 == 0 and amount % size == 0


def _validate_enough(spec: Mapping[str, Any], resources: Mapping[str, Any], path: str, found: Found) -> None:
    """What containers ask for together must fit what the pod asks for, and each limit that of the pod."""
    for name, wanted in _aggregated(spec, "requests").items():
        given = (resources.get("requests") or {}).get(name)
        if given is not None and quantity.compare(wanted, given) > 0:
            detail = f"must be greater than or equal to aggregate container requests of {wanted}"
            found.append(invalid(f"{path}.requests[{name}]", given, detail))
    limits = resources.get("limits") or {}
    for name, wanted in _aggregated(spec, "limits").items():
        if name.startswith(HUGE_PAGES) and name in limits and quantity.compare(wanted, limits[name]) > 0:
            detail = f"must be greater than or equal to aggregate container limits of {wanted}"
            found.append(invalid(f"{path}.limits[{name}]", limits[name], detail))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and quantity.compare(limit, limits[name]) > 0:
                detail = f"must be less than or equal to pod limits of {limits[name]}"
                found.append(invalid(f"{path}.containers[{index}][{name}].limits", limit, detail))


def _aggregated(spec: Mapping[str, Any], field: str) -> dict[str, str]:
    """The most that runs at once: the containers with their sidecars, or an init container before them."""
    total: dict[str, str] = {}
    most: dict[str, str] = {}
    try:
        for container in spec.get("initContainers") or ():
            values = (container.get("resources") or {}).get(field) or {}
            if container.get("restartPolicy") == "Always":
                _add(total, values)
            step = dict(total)
            if container.get("restartPolicy") != "Always":
                _add(step, values)
            _raise_to(most, step)
        for container in spec.get("containers") or ():
            _add(total, (container.get("resources") or {}).get(field) or {})
    except ValueError:
        # Another check has said which amount is none.
        return {}
    _raise_to(most, total)
    return most


def _add(total: dict[str, str], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        total[name] = quantity.add(total.get(name, "0"), value)


def _raise_to(most: dict[str, str], values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if name not in most or quantity.compare(value, most[name]) > 0:
            most[name] = value


def _validate_claims(
    claims: Sequence[Mapping[str, Any]], known: Collection[str], path: str, found: Found
) -> None:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        claim_path, name, request = f"{path}[{index}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            found.append(required(claim_path))
            continue
        key = f"{name}/{request}" if request else name
        if name in seen:
            found.append(duplicate(claim_path, name))
        else:
            if request:
                check(request, f"{claim_path}.request", names.dns1123_label, found)
            if key in seen:
                found.append(duplicate(claim_path, key))
            elif not request:
                found.extend(duplicate(claim_path, name) for other in seen if other.startswith(f"{name}/"))
            seen.add(key)
        if name not in known:
            plain = not_found(claim_path, name)
            names_known = f": {', '.join(sorted(known))}" if known else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{names_known}"
            found.append(FieldError(plain.reason, plain.field, f"{plain.message}: {detail}"))


@short_texts(maxsize=1024)
def _standard_messages(name: str) -> tuple[str, ...]:
    messages = names.qualified_name(name)
    if not messages and "/" not in name and not _is_standard(name):
        messages = ["must be a standard resource type or fully qualified"]
    return tuple(messages)


@short_texts(maxsize=1024)
def _container_messages(name: str) -> tuple[str, ...]:
    messages = _standard_messages(name)
    if "/" not in name:
        if name not in CONTAINER_RESOURCES and not name.startswith(HUGE_PAGES):
            return (*messages, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        return (*messages, "doesn't follow extended resource name standard")
    return messages


def _is_standard(name: str) -> bool:
    return name in STANDARD_RESOURCES or name.startswith((HUGE_PAGES, QUOTA_HUGE_PAGES))


@short_texts(maxsize=1024)
def overcommits(name: str) -> bool:
    """Whether more of it may be promised than there is."""
    return is_native(name) and not name.startswith(HUGE_PAGES)


def is_native(name: str) -> bool:
    return "/" not in name or NATIVE_DOMAIN in name


def is_extended(name: str) -> bool:
    """A resource that somebody else counts, in whole pieces: `example.com/gpu`."""
    return not is_native(name) and not name.startswith("requests.")


@short_texts(maxsize=1024)
def is_whole(name: str) -> bool:
    return name in COUNTED_RESOURCES or is_extended(name)


def is_of_quotas(name: str) -> bool:
    """Whether it is a resource that quotas know by name."""
    return name in QUOTA_RESOURCES or name.startswith((HUGE_PAGES, QUOTA_HUGE_PAGES))


def validate_quota_name(name: str, path: str, found: Found) -> None:
    """A resource of a quota."""
    found.extend(invalid(path, name, message) for message in _standard_messages(name))
    if "/" not in name and not is_of_quotas(name):
        found.append(invalid(path, name, "must be a standard resource for quota"))


def validate_limit_name(name: str, path: str, found: Found, *, of_containers: bool) -> None:
    """A resource of a range of limits."""
    messages = _container_messages(name) if of_containers else _standard_messages(name)
    found.extend(invalid(path, name, message) for message in messages)
