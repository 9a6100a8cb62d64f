"""Checks that the kinds of `apps` share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mamekube.kinds import selectors
from mamekube.kinds.fields import Found, check_immutable, check_not_negative
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object


def validate_selector(spec: dict[str, Any], found: Found, *, empty: str) -> None:
    """`spec.selector`, which must be there and say something; `empty` is upstream's word for the kind."""
    selector = spec.get("selector")
    if selector is None:
        found.append(required("spec.selector"))
        return
    selectors.validate(selector, "spec.selector", found)
    if selectors.is_empty(selector):
        found.append(invalid("spec.selector", selector, f"empty selector is invalid for {empty}"))


def validate_selector_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new.get("spec") or {}, old.get("spec") or {}, "selector", "spec.selector", found)
    return found


def validate_counts(status: dict[str, Any], fields: Iterable[str]) -> Found:
    found: Found = []
    for field in fields:
        check_not_negative(status, field, "status", found)
    return found


def validate_at_most(
    status: dict[str, Any], pairs: Iterable[tuple[str, str]], found: Found, *, prefix: str = "status."
) -> None:
    """`(field, bound)`: the number in the first may not exceed the one in the second."""
    for field, bound in pairs:
        value = status.get(field) or 0
        if value > (status.get(bound) or 0):
            detail = f"cannot be greater than {prefix if bound == 'replicas' else ''}{bound}"
            found.append(invalid(f"status.{field}", value, detail))
