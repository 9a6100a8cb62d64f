"""What apimachinery asks of a list of `metav1.Condition`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kinds.fields import Found, check
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required, too_long

STATUSES = ("False", "True", "Unknown")
REASON_BYTES_MAX = 1024
MESSAGE_BYTES_MAX = 32 * 1024

_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"


def validate(conditions: Sequence[Mapping[str, Any]], path: str) -> Found:
    found: Found = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        kind = condition.get("type") or ""
        if kind in seen:
            found.append(duplicate(f"{path}[{index}].type", kind))
        seen.add(kind)
        _validate_one(condition, f"{path}[{index}]", found)
    return found


def _validate_one(condition: Mapping[str, Any], path: str, found: Found) -> None:
    check(condition.get("type") or "", f"{path}.type", names.qualified_name, found)
    status, generation = condition.get("status") or "", condition.get("observedGeneration") or 0
    if status not in STATUSES:
        found.append(not_supported(f"{path}.status", status, STATUSES))
    if generation < 0:
        found.append(
            invalid(f"{path}.observedGeneration", generation, "must be greater than or equal to zero")
        )
    if not condition.get("lastTransitionTime"):
        found.append(required(f"{path}.lastTransitionTime", "must be set"))
    reason = condition.get("reason") or ""
    if not reason:
        found.append(required(f"{path}.reason", "must be set"))
    else:
        check(reason, f"{path}.reason", condition_reason, found)
        if len(reason.encode()) > REASON_BYTES_MAX:
            found.append(too_long(f"{path}.reason", REASON_BYTES_MAX))
    if len((condition.get("message") or "").encode()) > MESSAGE_BYTES_MAX:
        found.append(too_long(f"{path}.message", MESSAGE_BYTES_MAX))


def condition_reason(text: str) -> list[str]:
    if re.fullmatch(_REASON, text):
        return []
    message = (
        "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
        "characters or '_,:', and must end with an alphanumeric character or '_'"
    )
    return [
        names.pattern(message, _REASON, "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")
    ]
