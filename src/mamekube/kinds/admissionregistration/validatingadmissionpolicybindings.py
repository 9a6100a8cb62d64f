"""`ValidatingAdmissionPolicyBinding` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.admissionregistration import matching, validation
from mamekube.kinds.fields import Found, repeated
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required
from mamekube.objects.meta import Object

ACTIONS = frozenset(("Audit", "Deny", "Warn"))
TWICE = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response "
    "and headers serves no purpose)"
)


def validate(binding: Object) -> Found:
    found = validation.validate_binding(binding)
    actions, path = cells.spec_of(binding).get("validationActions") or [], "spec.validationActions"
    twice = repeated(actions)
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            found.append(not_supported(f"{path}[{index}]", action, ACTIONS))
        if index in twice:
            found.append(duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        found.append(invalid(path, actions, TWICE))
    if not actions:
        found.append(required(path, "at least one validation action is required"))
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
