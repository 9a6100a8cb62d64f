"""`ValidatingAdmissionPolicy` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.admissionregistration import expressions, matching
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(
        name="Validations",
        type="integer",
        description="Validations indicates the number of validation rules defined in this configuration",
    ),
    matching.PARAM_KIND,
    cells.AGE,
)

REASONS = frozenset(("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"))


def default(policy: Object) -> None:
    spec = section(policy, "spec")
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    matching.default_match(spec.get("matchConstraints"))


def prepare_create(policy: Object) -> None:
    policy["status"] = {}


def row(policy: Object, now_s: float) -> list[Any]:
    return matching.policy_row(policy, now_s, rules="validations")


def validate(policy: Object) -> Found:
    found = matching.validate_policy(policy)
    spec = cells.spec_of(policy)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        detail = "validations or auditAnnotations must contain at least one item"
        found.append(required("spec.validations", detail))
    for index, rule in enumerate(spec.get("validations") or ()):
        if not (rule.get("expression") or "").strip():
            found.append(required(f"spec.validations[{index}].expression", "expression is not specified"))
        if rule.get("reason") is not None and rule["reason"] not in REASONS:
            found.append(not_supported(f"spec.validations[{index}].reason", rule["reason"], REASONS))
    variables = expressions.check_variables(spec, found, params=spec.get("paramKind") is not None)
    expressions.check_validations(spec, found, variables)
    return found


KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicies",
    singular="validatingadmissionpolicy",
    kind="ValidatingAdmissionPolicy",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    has_status=True,
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
)
