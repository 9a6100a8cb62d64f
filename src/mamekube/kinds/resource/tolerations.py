"""Taints of devices, what tolerates them, and the conditions on which a device is bound."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check, repeated
from mamekube.kinds.resource.identifiers import check_label_key
from mamekube.kinds.resource.lists import check_list
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required

EFFECTS = frozenset(("NoExecute", "NoSchedule", "None"))
OPERATORS = ("Equal", "Exists")
TAINTS_MAX = TOLERATIONS_MAX = 16
CONDITIONS_MAX = 4


def default_tolerations(holder: dict[str, Any]) -> None:
    for toleration in holder.get("tolerations") or ():
        if not toleration.get("operator"):
            toleration["operator"] = "Equal"


def check_taint(taint: dict[str, Any], path: str, found: Found) -> None:
    check_label_key(taint.get("key"), f"{path}.key", found)
    if taint.get("value"):
        check(taint["value"], f"{path}.value", names.label_value, found)
    effect = taint.get("effect") or ""
    if not effect:
        found.append(required(f"{path}.effect"))
    elif effect not in EFFECTS:
        found.append(not_supported(f"{path}.effect", effect, EFFECTS))


def check_tolerations(tolerations: list[dict[str, Any]] | None, path: str, found: Found) -> None:
    check_list(tolerations, path, found, most=TOLERATIONS_MAX, each=_check_toleration)


def _check_toleration(toleration: dict[str, Any], path: str, found: Found) -> None:
    if toleration.get("key"):
        check_label_key(toleration["key"], f"{path}.key", found)
    operator, value = toleration.get("operator") or "", toleration.get("value") or ""
    if operator == "Exists":
        if value:
            found.append(invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        check(value, f"{path}.value", names.label_value, found)
    elif not operator:
        found.append(required(f"{path}.operator"))
    else:
        found.append(not_supported(f"{path}.operator", operator, OPERATORS))
    effect = toleration.get("effect")
    if effect and effect not in EFFECTS:
        found.append(not_supported(f"{path}.effect", effect, EFFECTS))


def check_binding_conditions(holder: dict[str, Any], path: str, found: Found) -> None:
    """Both lists, of a device or of what was allocated: there are both or none, and nothing is in both."""
    good, bad = holder.get("bindingConditions") or [], holder.get("bindingFailureConditions") or []
    for field, listed in (("bindingConditions", good), ("bindingFailureConditions", bad)):
        check_list(listed, f"{path}.{field}", found, most=CONDITIONS_MAX, each=check_label_key)
    found += [
        duplicate(f"{path}.bindingConditions[{index}]", good[index]) for index in sorted(repeated(good))
    ]
    twice, known = repeated(bad), set(good)
    for index, condition in enumerate(bad):
        at = f"{path}.bindingFailureConditions[{index}]"
        if index in twice:
            found.append(duplicate(at, condition))
        if condition in known:
            detail = "bindingFailureConditions must not overlap with bindingConditions"
            found.append(invalid(at, condition, detail))
    if bad and not good:
        detail = "bindingConditions are required to use bindingFailureConditions"
        found.append(invalid(f"{path}.bindingConditions", holder.get("bindingConditions"), detail))
    if good and not bad:
        detail = "bindingFailureConditions are required to use bindingConditions"
        shown = holder.get("bindingFailureConditions")
        found.append(invalid(f"{path}.bindingFailureConditions", shown, detail))
