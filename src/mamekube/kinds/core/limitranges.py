"""`LimitRange` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec.defaults import canonicalize
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
)
