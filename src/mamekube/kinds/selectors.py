"""Label selectors in objects: are they well formed, and do they select what the object makes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.kinds.fields import Found, check, check_labels
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, required

MISMATCH = "`selector` does not match template `labels`"

_SET_OPERATORS = ("In", "NotIn")
_KEY_OPERATORS = ("Exists", "DoesNotExist")


def validate(selector: Mapping[str, Any] | None, path: str, found: Found) -> None:
    """A `metav1.LabelSelector`; None is fine."""
    if not selector:
        return
    check_labels(selector.get("matchLabels"), f"{path}.matchLabels", found)
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        _validate_expression(expression, f"{path}.matchExpressions[{index}]", found)


def _validate_expression(expression: Mapping[str, Any], path: str, found: Found) -> None:
    operator, values = expression.get("operator") or "", expression.get("values") or ()
    if operator in _SET_OPERATORS:
        if not values:
            found.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in _KEY_OPERATORS:
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(forbidden(f"{path}.values", detail))
    else:
        found.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    check(expression.get("key") or "", f"{path}.key", names.qualified_name, found)
    for index, value in enumerate(values):
        check(value or "", f"{path}.values[{index}]", names.label_value, found)


def is_empty(selector: Mapping[str, Any] | None) -> bool:
    """Whether it is there but says nothing."""
    return selector is not None and not (selector.get("matchLabels") or selector.get("matchExpressions"))


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool | None:
    """Whether it selects these labels; None where the selector is not well formed, None itself selects nothing."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or ():
        operator, values = expression.get("operator"), expression.get("values") or ()
        has = labels.get(expression.get("key") or "")
        if operator in _SET_OPERATORS:
            if not values:
                return None
            holds = (has in values) if operator == "In" else (has is None or has not in values)
        elif operator in _KEY_OPERATORS:
            holds = (has is not None) == (operator == "Exists")
        else:
            return None
        if not holds:
            return False
    return True


def validate_template_labels(
    selector: Mapping[str, Any] | None, template: Mapping[str, Any], path: str, found: Found
) -> None:
    """The template at `path` must carry what the selector selects."""
    labels = (template.get("metadata") or {}).get("labels")
    if matches(selector, labels or {}) is False:
        found.append(invalid(f"{path}.metadata.labels", labels, MISMATCH))
