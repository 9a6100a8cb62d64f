"""`Lease` of `coordination.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Holder"), cells.AGE)


def row(lease: Object, now_s: float) -> list[Any]:
    return [cells.name(lease), cells.spec_of(lease).get("holderIdentity") or "", cells.age(lease, now_s)]


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    schema="io.k8s.api.coordination.v1.Lease",
    columns=COLUMNS,
    row=row,
)
