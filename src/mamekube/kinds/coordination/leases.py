"""`Lease` of `coordination.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, check_not_negative
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Holder", field="coordination.v1.LeaseSpec.holderIdentity"), cells.AGE)


def row(lease: Object, now_s: float) -> list[Any]:
    return [cells.name(lease), cells.spec_of(lease).get("holderIdentity") or "", cells.age(lease, now_s)]


STRATEGIES = ("OldestEmulationVersion",)
_COORDINATED = ("strategy", "preferredHolder")
"""What is said only where leaders are elected by the server, a feature that is off unless it is asked for."""


def prepare_create(lease: Object) -> None:
    spec = cells.spec_of(lease)
    for field in _COORDINATED:
        spec.pop(field, None)


def prepare_update(new: Object, old: Object) -> None:
    after, before = cells.spec_of(new), cells.spec_of(old)
    for field in _COORDINATED:
        if before.get(field) is None:
            after.pop(field, None)


def validate(lease: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(lease)
    duration_s, strategy = spec.get("leaseDurationSeconds"), spec.get("strategy")
    if duration_s is not None and duration_s <= 0:
        found.append(invalid("spec.leaseDurationSeconds", duration_s, "must be greater than 0"))
    check_not_negative(spec, "leaseTransitions", "spec", found)
    if strategy is not None:
        _validate_strategy(strategy, found)
    if spec.get("preferredHolder") and not strategy:
        detail = "may only be specified if `strategy` is defined"
        found.append(forbidden("spec.preferredHolder", detail))
    return found


def _validate_strategy(strategy: str, found: Found) -> None:
    """One of Kubernetes' own, or somebody's with a domain before it."""
    path = "spec.strategy.strategy"
    if "/" in strategy:
        check(strategy, path, names.qualified_name, found)
    elif strategy not in STRATEGIES:
        found.append(not_supported(path, strategy, STRATEGIES))


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    schema="io.k8s.api.coordination.v1.Lease",
    columns=COLUMNS,
    row=row,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate=validate,
)
