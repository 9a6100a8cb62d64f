"""`ServiceCIDR` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import IMMUTABLE, Found, check
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects import addresses
from mamekube.objects.fielderrors import Struct, invalid, required
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="CIDRs", field="networking.v1.ServiceCIDRSpec.cidrs"), cells.AGE)


def row(service_cidr: Object, now_s: float) -> list[Any]:
    return [
        cells.name(service_cidr),
        ",".join(cells.spec_of(service_cidr).get("cidrs") or ()),
        cells.age(service_cidr, now_s),
    ]


CIDRS_MAX = 2


def validate_create(service_cidr: Object) -> Found:
    found: Found = []
    _validate(cells.spec_of(service_cidr).get("cidrs") or [], found)
    return found


def _validate(cidrs: list[str], found: Found) -> None:
    if not cidrs:
        found.append(required("spec.cidrs", "at least one CIDR required"))
        return
    if len(cidrs) > CIDRS_MAX:
        found.append(invalid("spec.cidrs", Struct(CIDRs=cidrs), "may only hold up to 2 values"))
        return
    for index, block in enumerate(cidrs):
        check(block or "", f"spec.cidrs[{index}]", addresses.canonical_cidr, found)
    families = [addresses.family(block or "") for block in cidrs]
    if len(families) == CIDRS_MAX and families[0] == families[1] != "":
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        found.append(invalid("spec.cidrs", cidrs, detail))


def validate_update(new: Object, old: Object) -> Found:
    """What it has stays; the other family may come."""
    found: Found = []
    after, before = (cells.spec_of(one).get("cidrs") or [] for one in (new, old))
    becomes_dual = (len(before), len(after)) == (1, CIDRS_MAX)
    if len(before) != len(after) and not becomes_dual:
        found.append(invalid("spec.cidrs", cells.spec_of(new).get("cidrs"), IMMUTABLE))
        return found
    for index, (block, was) in enumerate(zip(after, before, strict=False)):
        if block != was:
            found.append(invalid(f"spec.cidrs[{index}]", block, IMMUTABLE))
    if becomes_dual:
        _validate(after, found)
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
    validate_create=validate_create,
    validate_update=validate_update,
)
