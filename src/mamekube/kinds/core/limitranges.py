"""`LimitRange` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.kinds.podspec.resources import overcommits, validate_limit_name
from mamekube.objects import names, quantity
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, required
from mamekube.objects.meta import Object


def default(limit_range: Object) -> None:
    for limit in cells.spec_of(limit_range).get("limits") or ():
        for field in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            canonicalize(limit.get(field))
        if limit.get("type") == "Container":
            _default_container(limit)


def _default_container(limit: dict[str, Any]) -> None:
    """The most allowed is the limit where none is said; the limit, or else the least allowed, the request."""
    limits = {**(limit.get("max") or {}), **(limit.get("default") or {})}
    requests = {**(limit.get("min") or {}), **limits, **(limit.get("defaultRequest") or {})}
    if limits:
        limit["default"] = limits
    if requests:
        limit["defaultRequest"] = requests


TYPES = frozenset(("Container", "PersistentVolumeClaim", "Pod"))
_ORDER = (
    ("min", "max", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min value {} is greater than default value {}"),
    ("default", "max", "default", "default value {} is greater than max value {}"),
)
"""What may not be greater than what, and where upstream says so."""
_SHOWN = ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min", "max")
"""Whose amount it shows there."""


def validate(limit_range: Object) -> Found:
    found: Found = []
    seen: set[str] = set()
    for index, limit in enumerate(cells.spec_of(limit_range).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type") or ""
        messages = names.qualified_name(kind)
        if not messages and "/" not in kind and kind not in TYPES:
            messages = ["must be a standard limit type or fully qualified"]
        found.extend(invalid(f"{path}.type", kind, message) for message in messages)
        if kind in seen:
            found.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        _validate_names(limit, kind, path, found)
        for name in _names(limit, kind):
            _validate_order(limit, kind, name, path, found)
            _validate_ratio(limit, name, path, found)
    return found


def _fields(kind: str) -> tuple[str, ...]:
    return ("max", "min") if kind == "Pod" else ("max", "min", "default", "defaultRequest")


def _names(limit: dict[str, Any], kind: str) -> list[str]:
    fields = (*_fields(kind), "maxLimitRequestRatio")
    return list(dict.fromkeys(name for field in fields for name in limit.get(field) or ()))


def _validate_names(limit: dict[str, Any], kind: str, path: str, found: Found) -> None:
    def check_names(field: str) -> None:
        for name in limit.get(field) or ():
            of_containers = kind in ("Container", "Pod")
            validate_limit_name(name, f"{path}.{field}[{name}]", found, of_containers=of_containers)

    for field in _fields(kind):
        check_names(field)
    if kind == "Pod":
        for field in ("default", "defaultRequest"):
            if limit.get(field):
                found.append(forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'"))
    bounds = {*(limit.get("min") or ()), *(limit.get("max") or ())}
    if kind == "PersistentVolumeClaim" and "storage" not in bounds:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        found.append(required(f"{path}.limits", detail))
    check_names("maxLimitRequestRatio")


def _validate_order(limit: dict[str, Any], kind: str, name: str, path: str, found: Found) -> None:
    for (low, high, at, text), shown in zip(_ORDER, _SHOWN, strict=True):
        amounts = {field: (limit.get(field) or {}).get(name) for field in _fields(kind)}
        least, most = amounts.get(low), amounts.get(high)
        if least is None or most is None:
            continue
        try:
            wrong = quantity.compare(least, most) > 0
        except ValueError:
            continue
        if wrong:
            found.append(invalid(f"{path}.{at}[{name}]", str(amounts[shown]), text.format(least, most)))


def _validate_ratio(limit: dict[str, Any], name: str, path: str, found: Found) -> None:
    ratio, least, most = (
        (limit.get(field) or {}).get(name) for field in ("maxLimitRequestRatio", "min", "max")
    )
    try:
        if ratio is not None:
            _compare_ratio(ratio, least, most, f"{path}.maxLimitRequestRatio[{name}]", found)
        default, request = ((limit.get(field) or {}).get(name) for field in ("default", "defaultRequest"))
        fixed = default is not None and request is not None and not overcommits(name)
        if fixed and limit.get("type") != "Pod" and quantity.compare(default, request):
            detail = f"default value {default} must equal to defaultRequest value {request} in {name}"
            found.append(invalid(f"{path}.defaultRequest[{name}]", str(request), detail))
    except ValueError:
        return


def _compare_ratio(ratio: Any, least: Any, most: Any, path: str, found: Found) -> None:
    if quantity.compare(ratio, 1) < 0:
        found.append(invalid(path, str(ratio), f"ratio {ratio} is less than 1"))
    if least is not None and most is not None and quantity.parse_any(least):
        allowed = float(quantity.parse_any(most)) / float(quantity.parse_any(least))
        if float(quantity.parse_any(ratio)) > allowed:
            detail = f"ratio {ratio} is greater than max/min = {allowed:f}"
            found.append(invalid(path, str(ratio), detail))


KIND = Kind(
    group="",
    version="v1",
    plural="limitranges",
    singular="limitrange",
    kind="LimitRange",
    short_names=("limits",),
    schema="io.k8s.api.core.v1.LimitRange",
    default=default,
    columns=cells.NAME_AND_CREATED,
    row=cells.name_and_created,
    validate=validate,
)
