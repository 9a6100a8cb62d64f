"""`ResourceClaimTemplate` of `resource.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.kind import Kind
from mamekube.kinds.resource.requests import default_claim_spec
from mamekube.objects.meta import Object


def default(template: Object) -> None:
    default_claim_spec(cells.spec_of(template).get("spec"))


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="resourceclaimtemplates",
    singular="resourceclaimtemplate",
    kind="ResourceClaimTemplate",
    schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
    default=default,
    columns=cells.NAME_AND_AGE,
    row=cells.name_and_age,
)
