"""Where a StorageClass lets volumes be made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mamekube.kinds.fields import Found, check, repeated
from mamekube.kinds.podspec.warnings import DEPRECATED_LABELS
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, required

SAME_TERMS_TOLD_MAX = 10
"""For each term. Upstream tells of all that are like it."""


def validate(terms: Sequence[dict[str, Any]], path: str, found: Found) -> None:
    # As upstream has it, there is one empty term for each that is given before any was looked at.
    seen = Counter({frozenset[Any](): len(terms)})
    for index, term in enumerate(terms):
        at = f"{path}[{index}].matchLabelExpressions"
        wanted = frozenset((key, frozenset(values)) for key, values in _check_term(term, at, found).items())
        found += [duplicate(at, "")] * min(seen[wanted], SAME_TERMS_TOLD_MAX)
        seen[wanted] += 1


def _check_term(term: dict[str, Any], path: str, found: Found) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for index, expression in enumerate(term.get("matchLabelExpressions") or ()):
        at, key, values = f"{path}[{index}]", expression.get("key") or "", expression.get("values") or []
        if not values:
            found.append(required(f"{at}.values"))
        found += [duplicate(f"{at}.values[{place}]", values[place]) for place in sorted(repeated(values))]
        check(key, f"{at}.key", names.qualified_name, found)
        if key in wanted:
            found.append(duplicate(f"{at}.key", key))
        wanted[key] = set(values)
    return wanted


def warnings(terms: Sequence[dict[str, Any]], path: str) -> list[str]:
    return [
        f"{path}[{index}].matchLabelExpressions[{place}].key: {DEPRECATED_LABELS[expression['key']]}"
        for index, term in enumerate(terms)
        for place, expression in enumerate(term.get("matchLabelExpressions") or ())
        if expression.get("key") in DEPRECATED_LABELS
    ]


def selector_warnings(selector: dict[str, Any] | None, path: str) -> list[str]:
    """Of a LabelSelector that selects nodes."""
    selector = selector or {}
    return [
        f"{path}.matchExpressions[{index}].key: {expression['key']} is {DEPRECATED_LABELS[expression['key']]}"
        for index, expression in enumerate(selector.get("matchExpressions") or ())
        if expression.get("key") in DEPRECATED_LABELS
    ] + [
        f"{path}.matchLabels.{label}: {DEPRECATED_LABELS[label]}"
        for label in selector.get("matchLabels") or ()
        if label in DEPRECATED_LABELS
    ]
