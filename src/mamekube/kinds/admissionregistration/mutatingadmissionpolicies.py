"""`MutatingAdmissionPolicy` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.admissionregistration import matching
from mamekube.kinds.fields import Found, section
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
    if not spec.get("reinvocationPolicy"):
        spec["reinvocationPolicy"] = "Never"
    matching.default_match(spec.get("matchConstraints"))


def row(policy: Object, now_s: float) -> list[Any]:
    return matching.policy_row(policy, now_s, rules="mutations")


def validate(policy: Object) -> Found:
    found = matching.validate_policy(policy)
    if not cells.spec_of(policy).get("mutations"):
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    return found


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
    validate=validate,
)
