"""`MutatingAdmissionPolicyBinding` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.admissionregistration import matching, validation
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object


def validate(binding: Object) -> Found:
    return validation.validate_binding(binding, mutating=True)


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
    validate=validate,
)
