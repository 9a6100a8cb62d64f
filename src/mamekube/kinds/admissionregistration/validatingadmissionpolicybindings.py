"""`ValidatingAdmissionPolicyBinding` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.admissionregistration import matching
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import not_supported, required
from mamekube.objects.meta import Object

ACTIONS = frozenset(("Audit", "Deny", "Warn"))


def validate(binding: Object) -> Found:
    found = matching.validate_binding(binding)
    actions = cells.spec_of(binding).get("validationActions") or ()
    if not actions:
        found.append(required("spec.validationActions"))
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            found.append(not_supported(f"spec.validationActions[{index}]", action, ACTIONS))
    return found


KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicybindings",
    singular="validatingadmissionpolicybinding",
    kind="ValidatingAdmissionPolicyBinding",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    counts_generation=True,
    default=matching.default_binding,
    columns=matching.BINDING_COLUMNS,
    row=matching.binding_row,
    validate=validate,
)
