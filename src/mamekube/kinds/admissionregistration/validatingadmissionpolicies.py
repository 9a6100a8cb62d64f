"""`ValidatingAdmissionPolicy` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, statusconditions
from mamekube.kinds.admissionregistration import expressions, matching, validation
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects.fielderrors import required
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


def default(policy: Object) -> None:
    spec = section(policy, "spec")
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    matching.default_match(spec.get("matchConstraints"))


def prepare_create(policy: Object) -> None:
    policy["status"] = {}


def row(policy: Object, now_s: float) -> list[Any]:
    return matching.policy_row(policy, now_s, rules="validations")


def _validate(policy: Object, old: Object | None) -> Found:
    found = validation.validate_policy(policy, old)
    spec = cells.spec_of(policy)
    variables = expressions.check_variables(spec, found, params=spec.get("paramKind") is not None)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        detail = "validations or auditAnnotations must contain at least one item"
        found += [required("spec.validations", detail), required("spec.auditAnnotations", detail)]
    expressions.check_validations(policy, found, variables)
    return found


def validate_create(policy: Object) -> Found:
    return _validate(policy, None)


def validate_update(new: Object, old: Object) -> Found:
    return _validate(new, old)


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    status = new.get("status") or {}
    for index, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings") or ()):
        path = f"status.typeChecking.expressionWarnings[{index}]"
        if not warning.get("warning"):
            found.append(required(f"{path}.warning"))
        if not (warning.get("fieldRef") or "").strip():
            found.append(required(f"{path}.fieldRef"))
    return [*found, *statusconditions.validate(status.get("conditions") or (), "status.conditions")]


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
    status_resets=(ALL_METADATA,),
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
)
