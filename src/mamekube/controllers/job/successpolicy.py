"""What a Job's `successPolicy` says of the indexes that have succeeded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.controllers.job import indexes


def met(policy: Mapping[str, Any] | None, succeeded: set[int], *, completions: int) -> str:
    """The message of the first rule that is met; empty where none is."""
    if not succeeded:
        return ""
    for position, rule in enumerate((policy or {}).get("rules") or ()):
        if _is_met(rule, succeeded, completions=completions):
            return f"Matched rules at index {position}"
    return ""


def _is_met(rule: Mapping[str, Any], succeeded: set[int], *, completions: int) -> bool:
    count = rule.get("succeededCount")
    if rule.get("succeededIndexes") is None:
        return count is not None and len(succeeded) >= count
    named = indexes.parse(rule["succeededIndexes"], completions=completions)
    if not named:
        return False
    return named <= succeeded or (count is not None and len(named & succeeded) >= count)
