"""ValidatingAdmissionPolicy: writes are held against the expressions of policies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import orjson

from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.admission.matching import ExpressionFailed
from mamekube.apiserver.admission.plugin import forbidden
from mamekube.apiserver.admission.policy_invocations import (
    BUDGET,
    Failure,
    Invocation,
    PolicyPlugin,
    with_variables,
)
from mamekube.apiserver.admission.policy_records import Binding, Policies, Policy, Validation
from mamekube.apiserver.auditing import audit
from mamekube.apiserver.writes import Reader, Write
from mamekube.foundation import slices
from mamekube.foundation.metrics import BETA, Family, Histogram
from mamekube.objects import cel
from mamekube.objects.status import StatusError

CODES = {"Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413, "Unauthorized": 401}
MESSAGE_LENGTH_MAX = 5 * 1024
ANNOTATION_LENGTH_MAX = 10 * 1024
CHECKS = "apiserver_validating_admission_policy_"
CHECK_BOUNDS_S = (0.0000005, 0.001, 0.01, 0.1, 1.0)
CHECK_LABELS = ("policy", "policy_binding", "error_type", "enforcement_action")
FAILURE_ANNOTATION = "validation.policy.admission.k8s.io/validation_failure"


class Denial(NamedTuple):
    """What a policy has against a write."""

    policy: Policy
    binding: Binding | None
    message: str
    reason: str = "Invalid"

    def __str__(self) -> str:
        who = f"ValidatingAdmissionPolicy '{self.policy.name}'"
        if self.binding is not None:
            who += f" with binding '{self.binding.name}'"
        return f"{who} denied request: {self.message}"


@dataclass(slots=True)
class _Findings:
    """Of one invocation: what is wrong, by the position of the validation, and what to note for the audit."""

    denials: list[tuple[int, str, str]] = field(default_factory=list)
    """(position, message, reason)"""
    errors: list[str] = field(default_factory=list)
    """Audit annotations that have no value."""
    annotations: list[tuple[str, str]] = field(default_factory=list)


class ValidatingAdmissionPolicy(PolicyPlugin):
    name = "ValidatingAdmissionPolicy"

    def __init__(self, policies: Policies, reader: Reader, authorizer: Authorizer) -> None:
        super().__init__(policies, reader, authorizer)
        self._checks: dict[tuple[str, str, str, str], Histogram] = {}

    def families(self) -> Iterator[Family]:
        total = Family(
            CHECKS + "check_total",
            "counter",
            "Validation admission policy check total, labeled by policy and further identified by binding and "
            "enforcement action taken.",
            labels=CHECK_LABELS,
            stability=BETA,
        )
        took = Family(
            CHECKS + "check_duration_seconds",
            "histogram",
            "Validation admission latency for individual validation expressions in seconds, labeled by policy and "
            "further including binding and enforcement action taken.",
            labels=CHECK_LABELS,
            stability=BETA,
        )
        for labels, histogram in self._checks.items():
            total.add(labels, histogram.count)
            took.add(labels, histogram)
        yield from (total, took)

    def _count(self, invocation: Invocation, findings: _Findings, took_s: float) -> None:
        """What was found, by each action that follows; what all expressions took is shared among them."""
        names = (invocation.policy.name, invocation.binding.name)
        keys = [(*names, "invalid_error", "deny")] * len(findings.errors)
        for action in invocation.binding.listed_actions:
            keys += [(*names, "no_error", action.lower())] * len(findings.denials)
        for key in keys:
            self._checks.setdefault(key, Histogram(CHECK_BOUNDS_S)).observe(took_s / len(keys))

    async def validate(self, write: Write) -> None:
        denials: list[Denial] = []
        for policy, bound in self._policies.bound:
            annotations: dict[str, list[str]] = {}
            for invocation in await self.invocations(write, policy, bound):
                if isinstance(invocation, Failure):
                    if policy.fails:
                        denials.append(Denial(policy, invocation.binding, invocation.message))
                    continue
                began_s = time.perf_counter()
                bindings = await self.bindings(invocation, write)
                findings = await slices.run(partial(_evaluate, invocation, bindings))
                self._count(invocation, findings, time.perf_counter() - began_s)
                denials += _act(invocation, findings, write)
                for key, value in findings.annotations:
                    values = annotations.setdefault(key, [])
                    if value not in values:
                        values.append(value)
            for key, values in annotations.items():
                audit.annotate(f"{policy.name}/{key}", ", ".join(values))
        if denials:
            raise _refusal(write, denials[0])


def _refusal(write: Write, denial: Denial) -> StatusError:
    error = forbidden(write, str(denial))
    error.reason = denial.reason
    error.code = CODES.get(denial.reason, 422)
    error.details = {**error.details, "causes": [{"message": str(denial)}]}
    return error


def _act(invocation: Invocation, findings: _Findings, write: Write) -> list[Denial]:
    """Do what the binding says shall happen; what denies the write."""
    policy, binding = invocation.policy, invocation.binding
    denials: list[Denial] = []
    for position, message, reason in findings.denials:
        if "Deny" in binding.actions:
            denials.append(Denial(policy, binding, message, reason))
        if "Audit" in binding.actions:
            failure = {
                "message": message,
                "policy": policy.name,
                "binding": binding.name,
                "expressionIndex": position,
                "validationActions": list(binding.listed_actions),
            }
            audit.annotate(FAILURE_ANNOTATION, orjson.dumps([failure]).decode())
        if "Warn" in binding.actions:
            write.warnings.append(
                f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding "
                f"'{binding.name}': {message}"
            )
    return denials + [Denial(policy, binding, message) for message in findings.errors]


def _evaluate(invocation: Invocation, bindings: dict[str, Any]) -> _Findings:
    policy = invocation.policy
    findings = _Findings()
    try:
        if not policy.conditions.hold(bindings):
            return findings
        budget = cel.Budget(BUDGET)
        whole = with_variables(policy, bindings, budget)
        for position, validation in enumerate(policy.validations):
            denied = _denied(validation, whole, budget, fails=policy.fails)
            if denied is not None:
                findings.denials.append((position, *denied))
        _note_annotations(invocation, bindings, findings)
    except (ExpressionFailed, cel.CelBudgetExceeded) as error:
        # Upstream has one decision then, and forgets what was found before.
        return _Findings(denials=[(0, str(error), "Invalid")] if policy.fails else [])
    return findings


def _denied(
    validation: Validation, bindings: dict[str, Any], budget: cel.Budget, *, fails: bool
) -> tuple[str, str] | None:
    """Message and reason where the validation does not hold. Raises CelBudgetExceeded."""
    try:
        if validation.expression.evaluate(bindings, budget) is True:
            return None
    except ExpressionFailed as error:
        return (str(error), "Invalid") if fails else None
    try:
        message = _message(validation, bindings, budget)
    except cel.CelBudgetExceeded as error:
        return (f"failed messageExpression: {error}", "Invalid") if fails else None
    shown = message or validation.message or f"failed expression: {validation.expression.text.strip()}"
    return shown, validation.reason


def _message(validation: Validation, bindings: dict[str, Any], budget: cel.Budget) -> str:
    """What the messageExpression says, the empty text where it says nothing fit to be shown."""
    if validation.message_expression is None:
        return ""
    try:
        value = validation.message_expression.evaluate(bindings, budget)
    except ExpressionFailed:
        return ""
    if not isinstance(value, str):
        return ""
    text = value.strip()
    return "" if "\n" in text or len(text.encode()) > MESSAGE_LENGTH_MAX else text


def _note_annotations(invocation: Invocation, bindings: dict[str, Any], findings: _Findings) -> None:
    """Audit annotations have a budget of their own. Raises CelBudgetExceeded."""
    policy = invocation.policy
    budget = cel.Budget(BUDGET)
    whole = with_variables(policy, bindings, budget)
    for key, expression in policy.annotations:
        try:
            value = expression.evaluate(whole, budget)
        except ExpressionFailed as error:
            if policy.fails:
                findings.errors.append(str(error))
            continue
        if isinstance(value, str):
            if value.strip():
                findings.annotations.append((key, value.strip()[:ANNOTATION_LENGTH_MAX]))
        elif value is not None:
            findings.errors.append(
                f"valueExpression '{expression.text}' resulted in unsupported return type: "
                f"{cel.type_name(value)}. Return type must be either string or null."
            )
