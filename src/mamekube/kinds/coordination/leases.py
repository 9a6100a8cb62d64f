"""`Lease` of `coordination.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Holder"), cells.AGE)


def row(lease: Object, now_s: float) -> list[Any]:
    return [cells.name(lease), cells.spec_of(lease).get("holderIdentity") or "", cells.age(lease, now_s)]


def validate(lease: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(lease)
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        value = spec["leaseDurationSeconds"]
        found.append(invalid("spec.leaseDurationSeconds", value, "must be greater than 0"))
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        detail = "must be greater than or equal to 0"
        found.append(invalid("spec.leaseTransitions", spec["leaseTransitions"], detail))
    return found


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    schema="io.k8s.api.coordination.v1.Lease",
    columns=COLUMNS,
    row=row,
    validate=validate,
)
