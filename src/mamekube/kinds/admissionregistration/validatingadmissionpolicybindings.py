"""`ValidatingAdmissionPolicyBinding` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.admissionregistration import matching
from mamekube.kinds.kind import Kind

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
)
