"""Checks that the kinds of `apps` share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.fields import IMMUTABLE, Found, check_not_negative, shown_pointer
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object


def validate_selector(
    spec: dict[str, Any], found: Found, *, empty: str, malformed: str = "invalid label selector"
) -> bool:
    """`spec.selector`, which must be there and say something; `empty` is upstream's word for the kind.

    Answers whether it is well formed: where it is not, `malformed` says so, and nobody asks what it selects.
    """
    selector = spec.get("selector")
    if selector is None:
        found.append(required("spec.selector"))
        return True
    wrong: Found = []
    selectors.validate(selector, "spec.selector", wrong)
    found += wrong
    if selectors.is_empty(selector):
        found.append(invalid("spec.selector", selector, f"empty selector is invalid for {empty}"))
    if wrong:
        found.append(invalid("spec.selector", selector, malformed))
    return not wrong


def validate_selector_update(new: Object, old: Object) -> Found:
    selector = cells.spec_of(new).get("selector")
    if selector == cells.spec_of(old).get("selector"):
        return []
    return [invalid("spec.selector", shown_pointer(selector), IMMUTABLE)]


def validate_counts(status: dict[str, Any], fields: Iterable[str]) -> Found:
    found: Found = []
    for field in fields:
        check_not_negative(status, field, "status", found)
    return found


def validate_at_most(
    status: dict[str, Any], pairs: Iterable[tuple[str, str]], found: Found, *, prefix: str = ""
) -> None:
    """`(field, bound)`: the number in the first may not exceed the one in the second.

    Upstream names the bound by its path where that is `replicas`, others after `prefix`.
    """
    for field, bound in pairs:
        value = status.get(field) or 0
        if value > (status.get(bound) or 0):
            detail = f"cannot be greater than {'status.' if bound == 'replicas' else prefix}{bound}"
            found.append(invalid(f"status.{field}", value, detail))


def validate_collisions(new: Object, old: Object, found: Found) -> None:
    """How often a name was taken already is counted up only."""
    count, before = (cells.status_of(obj).get("collisionCount") for obj in (new, old))
    if before is not None and (count is None or count < before):
        found.append(invalid("status.collisionCount", count or 0, "cannot be decremented"))
