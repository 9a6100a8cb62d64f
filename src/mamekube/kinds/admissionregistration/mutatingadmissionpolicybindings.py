"""`MutatingAdmissionPolicyBinding` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.admissionregistration import matching
from mamekube.kinds.kind import Kind

KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingadmissionpolicybindings",
    singular="mutatingadmissionpolicybinding",
    kind="MutatingAdmissionPolicyBinding",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
    counts_generation=True,
    default=matching.default_binding,
    columns=matching.BINDING_COLUMNS,
    row=matching.binding_row,
    validate=matching.validate_binding,
)
