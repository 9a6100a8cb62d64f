"""The table of a built-in kind: its columns, and the row of an object as if it were three hours and six minutes old."""

from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import builtin_registry

BORN = "2026-01-01T00:00:00Z"
NOW_S = parse_time(BORN) + 3 * 3600 + 360
AGE = "3h6m"


def kind_of(resource: str) -> Kind:
    """By `apps/v1/deployments`, or `v1/pods`."""
    group_version, _, plural = resource.rpartition("/")
    group, _, version = group_version.rpartition("/")
    kind = builtin_registry().find(group, version, plural)
    assert kind is not None
    return kind


def row_of(resource: str, obj: dict[str, Any]) -> list[Any]:
    kind = kind_of(resource)
    assert kind.row is not None
    metadata = {"name": "x", "creationTimestamp": BORN, **obj.get("metadata", {})}
    return list(kind.row({**obj, "metadata": metadata}, NOW_S))
