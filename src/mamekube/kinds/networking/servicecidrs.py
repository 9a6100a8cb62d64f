"""`ServiceCIDR` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, check_immutable
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="CIDRs"), cells.AGE)


def row(service_cidr: Object, now_s: float) -> list[Any]:
    return [
        cells.name(service_cidr),
        ",".join(cells.spec_of(service_cidr).get("cidrs") or ()),
        cells.age(service_cidr, now_s),
    ]


CIDRS_MAX = 2


def validate(service_cidr: Object) -> Found:
    found: Found = []
    cidrs = cells.spec_of(service_cidr).get("cidrs") or []
    if not cidrs:
        found.append(required("spec.cidrs", "at least one CIDR required"))
    elif len(cidrs) > CIDRS_MAX:
        detail = "may only hold up to 2 values"
        found.append(invalid("spec.cidrs", cidrs, detail))
    for index, block in enumerate(cidrs):
        check(block or "", f"spec.cidrs[{index}]", names.cidr, found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    after, before = cells.spec_of(new), cells.spec_of(old)
    check_immutable(after, before, "cidrs", "spec.cidrs", found)
    return found


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    singular="servicecidr",
    kind="ServiceCIDR",
    namespaced=False,
    schema="io.k8s.api.networking.v1.ServiceCIDR",
    has_status=True,
    status_resets=(ALL_METADATA,),
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)
