"""`MutatingAdmissionPolicy` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

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
)
