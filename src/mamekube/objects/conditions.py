"""Status conditions: lists of {type, status, reason, message, lastTransitionTime} with one entry per type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.objects.meta import Object


def conditions_of(obj: Object) -> list[dict[str, Any]]:
    return (obj.get("status") or {}).get("conditions") or []


def find(conditions: Sequence[Mapping[str, Any]], condition_type: str) -> Mapping[str, Any] | None:
    return next((condition for condition in conditions if condition.get("type") == condition_type), None)


def is_true(obj: Object, condition_type: str) -> bool:
    """Whether the object says that this condition holds."""
    condition = find(conditions_of(obj), condition_type)
    return condition is not None and condition.get("status") == "True"


def replaced(
    conditions: Sequence[Mapping[str, Any]], condition: Mapping[str, Any], *, now: str
) -> list[dict[str, Any]]:
    """The conditions with this one in place of the one of its type.

    lastTransitionTime is `now` if the status changed, else what it was; a condition that brings its own keeps it.
    """
    old = find(conditions, condition["type"])
    entry = dict(condition)
    if "lastTransitionTime" not in entry:
        unchanged = old is not None and old.get("status") == entry.get("status")
        entry["lastTransitionTime"] = (unchanged and old and old.get("lastTransitionTime")) or now
    if old is None:
        return [*map(dict, conditions), entry]
    return [entry if known is old else dict(known) for known in conditions]


def removed(conditions: Sequence[Mapping[str, Any]], condition_type: str) -> list[dict[str, Any]]:
    return [dict(condition) for condition in conditions if condition.get("type") != condition_type]
