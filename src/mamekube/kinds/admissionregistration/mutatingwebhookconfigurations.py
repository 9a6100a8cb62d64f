"""`MutatingWebhookConfiguration` of `admissionregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.admissionregistration import matching, validation
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object


def default(configuration: Object) -> None:
    matching.default_webhooks(configuration)
    for webhook in configuration.get("webhooks") or ():
        if webhook.get("reinvocationPolicy") is None:
            webhook["reinvocationPolicy"] = "Never"


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
    default=default,
    columns=matching.WEBHOOK_COLUMNS,
    row=matching.webhooks_row,
    validate_create=validation.validate_webhooks,
    validate_update=validation.validate_webhooks_update,
)
