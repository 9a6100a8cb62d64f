"""`ServiceCIDR` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="CIDRs"), cells.AGE)


def row(service_cidr: Object, now_s: float) -> list[Any]:
    return [
        cells.name(service_cidr),
        ",".join(cells.spec_of(service_cidr).get("cidrs") or ()),
        cells.age(service_cidr, now_s),
    ]


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    singular="servicecidr",
    kind="ServiceCIDR",
    namespaced=False,
    schema="io.k8s.api.networking.v1.ServiceCIDR",
    has_status=True,
    columns=COLUMNS,
    row=row,
)
