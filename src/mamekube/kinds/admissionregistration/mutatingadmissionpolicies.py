"""`MutatingAdmissionPolicy` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.admissionregistration import expressions, matching
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid, not_supported, required
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

FORMS = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


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
    spec = cells.spec_of(policy)
    for index, mutation in enumerate(spec.get("mutations") or ()):
        _validate_mutation(mutation, f"spec.mutations[{index}]", found)
    variables = expressions.check_variables(spec, found, params=spec.get("paramKind") is not None)
    expressions.check_mutations(spec, found, variables)
    return found


def _validate_mutation(mutation: dict[str, Any], path: str, found: Found) -> None:
    """A patch of the form that it says it has, and no other."""
    kind = mutation.get("patchType") or ""
    if not kind:
        found.append(required(f"{path}.patchType"))
    elif kind not in FORMS:
        found.append(not_supported(f"{path}.patchType", kind, FORMS))
        return
    for name, field in FORMS.items():
        if name == kind and mutation.get(field) is None:
            found.append(required(f"{path}.{field}", f"must be specified when patchType is {kind}"))
        elif name != kind and mutation.get(field) is not None:
            detail = f"not allowed when patchType is {kind}"
            found.append(invalid(f"{path}.{field}", "{" + field + "}", detail))


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
