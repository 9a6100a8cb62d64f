"""`ValidatingWebhookConfiguration` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.admissionregistration import matching, validation
from mamekube.kinds.kind import Kind

KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingwebhookconfigurations",
    singular="validatingwebhookconfiguration",
    kind="ValidatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    counts_generation=True,
    default=matching.default_webhooks,
    columns=matching.WEBHOOK_COLUMNS,
    row=matching.webhooks_row,
    validate_create=validation.validate_webhooks,
    validate_update=validation.validate_webhooks_update,
)
