"""Where a pod may run: tolerations, affinity, spreading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mamekube.kinds import selectors
from mamekube.kinds.fields import Found, check
from mamekube.objects import names
from mamekube.objects.fielderrors import (
    FieldError,
    Struct,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
)

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TOLERATION_OPERATORS = ("Equal", "Exists")
COMPARISONS = ("Lt", "Gt")
"""Which nodes may be tolerated by only where a feature is on that is off."""
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
HONOR_POLICIES = ("Honor", "Ignore")
NODE_FIELDS = ("metadata.name",)
WEIGHT = "must be in the range 1-100"

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_tolerations(tolerations: list[dict[str, Any]], path: str, found: Found) -> None:
    for index, toleration in enumerate(tolerations):
        _validate_toleration(toleration, f"{path}[{index}]", found)


def _validate_toleration(toleration: dict[str, Any], path: str, found: Found) -> None:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    if key:
        check(key, f"{path}.key", names.qualified_name, found)
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        found.append(invalid(f"{path}.operator", operator, detail))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        found.append(invalid(f"{path}.effect", effect, detail))
    if operator in ("", "Equal"):
        messages = names.label_value(value)
        if messages:
            found.append(invalid(f"{path}.operator", value, ";".join(messages)))
    elif operator == "Exists":
        if value:
            detail = "value must be empty when `operator` is 'Exists'"
            found.append(invalid(f"{path}.operator", value, detail))
    else:
        choices = (*TOLERATION_OPERATORS, *COMPARISONS) if operator in COMPARISONS else TOLERATION_OPERATORS
        found.append(not_supported(f"{path}.operator", operator, choices))
    if effect and effect not in EFFECTS:
        found.append(not_supported(f"{path}.effect", effect, EFFECTS))


def validate_taints(taints: list[dict[str, Any]], path: str, found: Found) -> None:
    """`spec.taints` of a node, which upstream says are at `metadata.taints`."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        key, effect = taint.get("key") or "", taint.get("effect") or ""
        check(key, f"{path}[{index}].key", names.qualified_name, found)
        messages = names.label_value(taint.get("value") or "")
        if messages:
            found.append(invalid(f"{path}[{index}].value", taint["value"], ";".join(messages)))
        if not effect:
            found.append(required(f"{path}[{index}].effect"))
        elif effect not in EFFECTS:
            found.append(not_supported(f"{path}[{index}].effect", effect, EFFECTS))
        if (key, effect) in seen:
            shown = Struct(Key=key, Value=taint.get("value") or "", Effect=effect, TimeAdded=None)
            plain = duplicate(f"{path}[{index}]", shown)
            detail = f"{plain.message}: taints must be unique by key and effect pair"
            found.append(FieldError(plain.reason, plain.field, detail))
        seen.add((key, effect))


def validate_affinity(affinity: dict[str, Any], path: str, found: Found) -> None:
    node = affinity.get("nodeAffinity")
    if node is not None:
        _validate_node_affinity(node, f"{path}.nodeAffinity", found)
    for field in ("podAffinity", "podAntiAffinity"):
        section = affinity.get(field) or {}
        for index, term in enumerate(section.get(_REQUIRED) or ()):
            _validate_pod_term(term, f"{path}.{field}.{_REQUIRED}[{index}]", found)
        for index, weighted in enumerate(section.get(_PREFERRED) or ()):
            weighted_path = f"{path}.{field}.{_PREFERRED}[{index}]"
            _validate_weight(weighted, weighted_path, found)
            _validate_pod_term(
                weighted.get("podAffinityTerm") or {}, f"{weighted_path}.podAffinityTerm", found
            )


def _validate_node_affinity(affinity: dict[str, Any], path: str, found: Found) -> None:
    wanted = affinity.get(_REQUIRED)
    if wanted is not None:
        validate_node_selector(wanted, f"{path}.{_REQUIRED}", found)
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        weighted_path = f"{path}.{_PREFERRED}[{index}]"
        _validate_weight(weighted, weighted_path, found)
        term = weighted.get("preference") or {}
        # Upstream lets any value be preferred: whoever has one node only never looked at it.
        _validate_node_term(term, f"{weighted_path}.preference", found, any_value=True)


def _validate_weight(weighted: dict[str, Any], path: str, found: Found) -> None:
    weight = weighted.get("weight") or 0
    if not 1 <= weight <= 100:
        found.append(invalid(f"{path}.weight", weight, WEIGHT))


def validate_node_selector(selector: dict[str, Any], path: str, found: Found) -> None:
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        found.append(required(f"{path}.nodeSelectorTerms", "must have at least one node selector term"))
    for index, term in enumerate(terms):
        _validate_node_term(term, f"{path}.nodeSelectorTerms[{index}]", found)


def _validate_node_term(term: dict[str, Any], path: str, found: Found, *, any_value: bool = False) -> None:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        expression_path = f"{path}.matchExpressions[{index}]"
        _validate_node_requirement(expression, expression_path, found)
        check(expression.get("key") or "", f"{expression_path}.key", names.qualified_name, found)
        for value_index, value in enumerate(() if any_value else expression.get("values") or ()):
            check(value or "", f"{expression_path}.values[{value_index}]", names.label_value, found)
    for index, expression in enumerate(term.get("matchFields") or ()):
        field_path, key = f"{path}.matchFields[{index}]", expression.get("key") or ""
        operator, values = expression.get("operator") or "", expression.get("values") or ()
        if operator not in ("In", "NotIn"):
            found.append(invalid(f"{field_path}.operator", operator, "not a valid selector operator"))
        elif len(values) != 1:
            detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            found.append(required(f"{field_path}.values", detail))
        if key not in NODE_FIELDS:
            found.append(invalid(f"{field_path}.key", key, "not a valid field selector key"))
            continue
        for value_index, value in enumerate(values):
            check(value or "", f"{field_path}.values[{value_index}]", names.dns1123_subdomain, found)


def _validate_node_requirement(expression: dict[str, Any], path: str, found: Found) -> None:
    operator, values = expression.get("operator") or "", expression.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            found.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(forbidden(f"{path}.values", detail))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            found.append(required(f"{path}.values", detail))
    else:
        found.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))


def _validate_pod_term(term: dict[str, Any], path: str, found: Found) -> None:
    selectors.validate(term.get("labelSelector"), f"{path}.labelSelector", found)
    selectors.validate(term.get("namespaceSelector"), f"{path}.namespaceSelector", found)
    for namespace in term.get("namespaces") or ():
        check(namespace or "", f"{path}.namespace", names.dns1123_label, found)
    _validate_label_keys(term, path, found)
    if not term.get("topologyKey"):
        found.append(required(f"{path}.topologyKey", "can not be empty"))
    check(term.get("topologyKey") or "", f"{path}.topologyKey", names.qualified_name, found)


def _validate_label_keys(term: dict[str, Any], path: str, found: Found) -> None:
    """Labels that pods must share with the one that asks, or must not."""
    selector = term.get("labelSelector")
    matching, mismatching = term.get("matchLabelKeys") or (), term.get("mismatchLabelKeys") or ()
    for field, keys in (("matchLabelKeys", matching), ("mismatchLabelKeys", mismatching)):
        if keys and selector is None:
            detail = "must not be specified when labelSelector is not set"
            found.append(forbidden(f"{path}.{field}", detail))
            continue
        for index, key in enumerate(keys):
            check(key or "", f"{path}.{field}[{index}]", names.qualified_name, found)
    # What the keys stand for is part of the selector by now, so a key that is there twice was given twice.
    seen = set((selector or {}).get("matchLabels") or ())
    places = {key: index for index, key in enumerate(matching)}
    for expression in (selector or {}).get("matchExpressions") or ():
        key = expression.get("key") or ""
        if key in places and key in seen:
            found.append(
                invalid(f"{path}[{places[key]}]", key, "exists in both matchLabelKeys and labelSelector")
            )
        seen.add(key)
    both = set(mismatching)
    for index, key in enumerate(matching):
        if key in both:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            found.append(invalid(f"{path}.matchLabelKeys[{index}]", key, detail))


def validate_spreading(constraints: list[dict[str, Any]], path: str, found: Found) -> None:
    pairs = [(item.get("topologyKey") or "", item.get("whenUnsatisfiable") or "") for item in constraints]
    to_come = Counter(pairs)
    for index, constraint in enumerate(constraints):
        constraint_path, (key, action) = f"{path}[{index}]", pairs[index]
        skew, domains = constraint.get("maxSkew") or 0, constraint.get("minDomains")
        if skew <= 0:
            found.append(invalid(f"{constraint_path}.maxSkew", skew, "must be greater than zero"))
        if not key:
            found.append(required(f"{constraint_path}.topologyKey", "can not be empty"))
        if action not in UNSATISFIABLE:
            found.append(not_supported(f"{constraint_path}.whenUnsatisfiable", action, UNSATISFIABLE))
        to_come[key, action] -= 1
        if to_come[key, action]:
            pair_path = f"{constraint_path}.{{topologyKey, whenUnsatisfiable}}"
            found.append(duplicate(pair_path, f"{{{key}, {action}}}"))
        if domains is not None and domains <= 0:
            found.append(invalid(f"{constraint_path}.minDomains", domains, "must be greater than zero"))
        if domains is not None and action != "DoNotSchedule":
            detail = f"can only use minDomains if whenUnsatisfiable={UNSATISFIABLE[0]}, not {action}"
            found.append(invalid(f"{constraint_path}.minDomains", domains, detail))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = constraint.get(field)
            if policy is not None and policy not in HONOR_POLICIES:
                found.append(not_supported(f"{constraint_path}.{field}", policy, HONOR_POLICIES))
        _validate_label_keys(constraint, constraint_path, found)
        selectors.validate(constraint.get("labelSelector"), f"{constraint_path}.labelSelector", found)


def merge_label_keys(spec: dict[str, Any], labels: Mapping[str, str]) -> None:
    """Write what `matchLabelKeys` and `mismatchLabelKeys` mean for a new pod with these labels into its selectors."""
    affinity = spec.get("affinity") or {}
    for field in ("podAffinity", "podAntiAffinity"):
        section = affinity.get(field) or {}
        for weighted in section.get(_PREFERRED) or ():
            _merge_label_keys(weighted.get("podAffinityTerm") or {}, labels)
        for term in section.get(_REQUIRED) or ():
            _merge_label_keys(term, labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _merge_label_keys(constraint, labels)


def _merge_label_keys(term: dict[str, Any], labels: Mapping[str, str]) -> None:
    selector = term.get("labelSelector")
    if selector is None:
        # It selects nothing, and would not by more conditions.
        return
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or ()
        if key in labels
    ]
    if added:
        selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]
