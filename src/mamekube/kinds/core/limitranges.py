"""`LimitRange` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.objects import quantity
from mamekube.objects.fielderrors import duplicate, invalid, required
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


_ORDER = (
    ("min", "max"),
    ("min", "default"),
    ("min", "defaultRequest"),
    ("default", "max"),
    ("defaultRequest", "max"),
    ("defaultRequest", "default"),
)
_SHOWN = {"min": "min", "max": "max", "default": "default", "defaultRequest": "default request"}


def validate(limit_range: Object) -> Found:
    found: Found = []
    seen: set[str] = set()
    for index, limit in enumerate(cells.spec_of(limit_range).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type") or ""
        if not kind:
            found.append(required(f"{path}.type"))
        if kind in seen:
            found.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        for low, high in _ORDER:
            _validate_order(limit, low, high, path, found)
    return found


def _validate_order(limit: dict[str, Any], low: str, high: str, path: str, found: Found) -> None:
    for name, amount in (limit.get(low) or {}).items():
        bound = (limit.get(high) or {}).get(name)
        if bound is None:
            continue
        try:
            wrong = quantity.compare(amount, bound) > 0
        except ValueError:
            continue
        if wrong:
            detail = f"{_SHOWN[low]} value {amount} is greater than {_SHOWN[high]} value {bound}"
            found.append(invalid(f"{path}.{low}[{name}]", str(amount), detail))


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
