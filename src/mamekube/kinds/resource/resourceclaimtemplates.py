"""`ResourceClaimTemplate` of `resource.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_annotations, check_immutable, check_labels
from mamekube.kinds.kind import Kind
from mamekube.kinds.resource.requests import claim_warnings, default_claim_spec, validate_claim_spec
from mamekube.objects.meta import Object


def default(template: Object) -> None:
    default_claim_spec(cells.spec_of(template).get("spec"))


def validate_create(template: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(template)
    meta = spec.get("metadata") or {}
    check_annotations(meta.get("annotations"), "spec.metadata.annotations", found)
    check_labels(meta.get("labels"), "spec.metadata.labels", found)
    validate_claim_spec(spec.get("spec") or {}, "spec.spec", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "spec", "spec", found)
    return found


def warnings(new: Object, old: Object | None) -> list[str]:
    return claim_warnings(cells.spec_of(new).get("spec") or {}, "spec.spec")


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
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warnings,
)
