"""`ResourceClaim` of `resource.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.kinds.resource.allocations import default_results, drop_deallocated, validate_status
from mamekube.kinds.resource.requests import claim_warnings, default_claim_spec, validate_claim_spec
from mamekube.objects.meta import Object, being_deleted

COLUMNS = (
    cells.NAME,
    Column(
        name="State",
        description="A summary of the current state (allocated, pending, reserved, etc.).",
    ),
    cells.AGE,
)


def default(claim: Object) -> None:
    default_claim_spec(claim.get("spec"))
    default_results(claim)


def prepare_create(claim: Object) -> None:
    claim["status"] = {}


def row(claim: Object, now_s: float) -> list[Any]:
    return [cells.name(claim), _state_text(claim), cells.age(claim, now_s)]


def _state_text(claim: Object) -> str:
    status, deleted = cells.status_of(claim), being_deleted(claim)
    states = ["deleted"] if deleted else []
    if status.get("allocation") is not None:
        states += ["allocated", "reserved"] if status.get("reservedFor") else ["allocated"]
    elif not deleted:
        states.append("pending")
    return ",".join(states)


def validate_create(claim: Object) -> Found:
    found: Found = []
    validate_claim_spec(cells.spec_of(claim), "spec", found)
    return found


def prepare_status(new: Object, old: Object, now_s: float) -> None:
    drop_deallocated(new, old)


def warnings(new: Object, old: Object | None) -> list[str]:
    return claim_warnings(cells.spec_of(new), "spec")


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "spec", "spec", found)
    return found


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="resourceclaims",
    singular="resourceclaim",
    kind="ResourceClaim",
    schema="io.k8s.api.resource.v1.ResourceClaim",
    has_status=True,
    status_resets=(ALL_METADATA,),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    prepare_status=prepare_status,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
)
