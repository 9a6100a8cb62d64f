"""`MutatingWebhookConfiguration` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingwebhookconfigurations",
    singular="mutatingwebhookconfiguration",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
    counts_generation=True,
)
