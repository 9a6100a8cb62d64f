"""JSON merge patch: RFC 7386."""

from __future__ import annotations

from typing import Any


def apply(doc: Any, patch: Any) -> Any:
    """`doc` with `patch` merged in: null removes, objects merge, everything else replaces. Shares what stayed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = apply(result.get(key), value)
        else:
            result[key] = value
    return result
