"""`MutatingAdmissionPolicy` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.admissionregistration import expressions, matching, validation
from mamekube.kinds.fields import Found, check_choice, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(
        name="Mutations",
        type="integer",
        description="Mutation indicates the number of mutations rules defined in this configuration",
    ),
    matching.PARAM_KIND,
    cells.AGE,
)


def default(policy: Object) -> None:
    spec = section(policy, "spec")
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    matching.default_match(spec.get("matchConstraints"))


def row(policy: Object, now_s: float) -> list[Any]:
    return matching.policy_row(policy, now_s, rules="mutations")


def _validate(policy: Object, old: Object | None) -> Found:
    found = validation.validate_policy(policy, old, mutating=True)
    spec = cells.spec_of(policy)
    params = spec.get("paramKind") is not None
    variables = expressions.check_variables(spec, found, params=params, mutating=True)
    known = expressions.scope(params=params, variables=variables)
    if not spec.get("mutations"):
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    for index, mutation in enumerate(spec.get("mutations") or ()):
        expressions.check_mutation(mutation, f"spec.mutations[{index}]", known, found)
    check_choice(
        spec.get("reinvocationPolicy"), "spec.reinvocationPolicy", validation.REINVOCATION_POLICIES, found
    )
    return found


def validate_create(policy: Object) -> Found:
    return _validate(policy, None)


def validate_update(new: Object, old: Object) -> Found:
    return _validate(new, old)


KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingadmissionpolicies",
    singular="mutatingadmissionpolicy",
    kind="MutatingAdmissionPolicy",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
    validate_create=validate_create,
    validate_update=validate_update,
)
