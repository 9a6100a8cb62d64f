"""What a Job says of failures and of success: its podFailurePolicy and its successPolicy."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.batch import indexes
from mamekube.kinds.fields import Found, check, check_not_negative
from mamekube.objects import names
from mamekube.objects.fielderrors import (
    OMITTED,
    Struct,
    duplicate,
    invalid,
    not_supported,
    render,
    required,
    too_long,
    too_many,
)

RULES_MAX = 20
PATTERNS_MAX = 20
EXIT_CODES_MAX = 255
SUCCEEDED_INDEXES_BYTES_MAX = 64 * 1024

ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
STATUSES = ("False", "True", "Unknown")


def shown_failure_policy(policy: dict[str, Any]) -> Struct:
    """As upstream keeps it inside."""
    return Struct(Rules=[_shown_failure_rule(rule) for rule in policy.get("rules") or ()])


def _shown_failure_rule(rule: dict[str, Any]) -> Struct:
    codes, patterns = rule.get("onExitCodes"), rule.get("onPodConditions")
    return Struct(
        Action=rule.get("action") or "",
        OnExitCodes=None
        if codes is None
        else Struct(
            ContainerName=codes.get("containerName"),
            Operator=codes.get("operator") or "",
            Values=codes.get("values"),
        ),
        OnPodConditions=None
        if patterns is None
        else [Struct(Type=entry.get("type") or "", Status=entry.get("status") or "") for entry in patterns],
    )


def shown_success_policy(policy: dict[str, Any]) -> Struct:
    return Struct(
        Rules=[
            Struct(SucceededIndexes=rule.get("succeededIndexes"), SucceededCount=rule.get("succeededCount"))
            for rule in policy.get("rules") or ()
        ]
    )


def validate_failure_policy(spec: dict[str, Any], path: str, found: Found) -> None:
    """The podFailurePolicy of a JobSpec, which has one, at `path`."""
    rules = spec["podFailurePolicy"].get("rules") or ()
    if len(rules) > RULES_MAX:
        found.append(too_many(f"{path}.rules", len(rules), RULES_MAX))
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    containers = {
        container.get("name") or ""
        for field in ("containers", "initContainers")
        for container in pod_spec.get(field) or ()
    }
    for index, rule in enumerate(rules):
        rule_path = f"{path}.rules[{index}]"
        _validate_action(spec, rule.get("action"), f"{rule_path}.action", found)
        codes, patterns = rule.get("onExitCodes"), rule.get("onPodConditions")
        if codes is not None:
            _validate_codes(codes, f"{rule_path}.onExitCodes", found, containers)
        _validate_patterns(patterns or (), f"{rule_path}.onPodConditions", found)
        if codes is not None and patterns:
            detail = "specifying both OnExitCodes and OnPodConditions is not supported"
            found.append(invalid(rule_path, OMITTED, detail))
        if codes is None and not patterns:
            detail = "specifying one of OnExitCodes and OnPodConditions is required"
            found.append(invalid(rule_path, OMITTED, detail))


def _validate_action(spec: dict[str, Any], action: str | None, path: str, found: Found) -> None:
    if action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        found.append(invalid(path, action, "requires the backoffLimitPerIndex to be set"))
    else:
        _check_word(action, path, ACTIONS, found)


def _check_word(word: str | None, path: str, words: tuple[str, ...], found: Found) -> None:
    if not word:
        found.append(required(path, f"valid values: [{' '.join(render(word) for word in words)}]"))
    elif word not in words:
        found.append(not_supported(path, word, words))


def _validate_patterns(patterns: Any, path: str, found: Found) -> None:
    if len(patterns) > PATTERNS_MAX:
        found.append(too_many(path, len(patterns), PATTERNS_MAX))
    for index, pattern in enumerate(patterns):
        check(pattern.get("type") or "", f"{path}[{index}].type", names.qualified_name, found)
        _check_word(pattern.get("status"), f"{path}[{index}].status", STATUSES, found)


def _validate_codes(requirement: dict[str, Any], path: str, found: Found, containers: set[str]) -> None:
    operator, container = requirement.get("operator"), requirement.get("containerName")
    _check_word(operator, f"{path}.operator", OPERATORS, found)
    if container is not None and container not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        found.append(invalid(f"{path}.containerName", container, detail))
    values_path, values = f"{path}.values", requirement.get("values")
    if not values:
        found.append(invalid(values_path, values, "at least one value is required"))
        return
    if len(values) > EXIT_CODES_MAX:
        found.append(too_many(values_path, len(values), EXIT_CODES_MAX))
    codes = [code or 0 for code in values]
    seen: set[int] = set()
    for index, code in enumerate(codes):
        if operator == "In" and code == 0:
            found.append(invalid(f"{values_path}[{index}]", code, "must not be 0 for the In operator"))
        if code in seen:
            found.append(duplicate(f"{values_path}[{index}]", code))
        seen.add(code)
    if codes != sorted(codes):
        found.append(invalid(values_path, codes, "must be ordered"))


def validate_success_policy(policy: dict[str, Any], path: str, found: Found, *, completions: int) -> None:
    """The successPolicy of an indexed Job."""
    rules = policy.get("rules") or ()
    if not rules:
        detail = "at least one rules must be specified when the successPolicy is specified"
        found.append(required(f"{path}.rules", detail))
    if len(rules) > RULES_MAX:
        found.append(too_many(f"{path}.rules", len(rules), RULES_MAX))
    for index, rule in enumerate(rules):
        _validate_success_rule(rule, f"{path}.rules[{index}]", found, completions)


def _validate_success_rule(rule: dict[str, Any], path: str, found: Found, completions: int) -> None:
    text, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if count is None and text is None:
        found.append(required(path, "at least one of succeededCount or succeededIndexes must be specified"))
    named = 0
    if text is not None:
        if len(text.encode()) > SUCCEEDED_INDEXES_BYTES_MAX:
            found.append(too_long(f"{path}.succeededIndexes", SUCCEEDED_INDEXES_BYTES_MAX))
        try:
            named = indexes.count(text, completions)
        except indexes.IndexesError as error:
            found.append(
                invalid(f"{path}.succeededIndexes", text, f"error parsing succeededIndexes: {error}")
            )
    if count is None:
        return
    check_not_negative(rule, "succeededCount", path, found)
    bound = "must be less than or equal to"
    if count > completions:
        detail = f"{bound} {completions} (the number of specified completions)"
        found.append(invalid(f"{path}.succeededCount", count, detail))
    if text is not None and count > named:
        detail = f"{bound} {named} (the number of indexes in the specified succeededIndexes field)"
        found.append(invalid(f"{path}.succeededCount", count, detail))
