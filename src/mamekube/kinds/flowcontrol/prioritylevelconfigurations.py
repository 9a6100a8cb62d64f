"""`PriorityLevelConfiguration` of `flowcontrol.apiserver.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_choice
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects.fielderrors import forbidden, required
from mamekube.objects.meta import Object

CONCURRENCY_SHARES = 30

COLUMNS = (
    cells.NAME,
    Column(name="Type"),
    Column(name="NominalConcurrencyShares"),
    Column(name="Queues"),
    Column(name="HandSize"),
    Column(name="QueueLengthLimit"),
    cells.AGE,
)

_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def default(level: Object) -> None:
    spec = cells.spec_of(level)
    limited = spec.get("limited")
    if limited is not None:
        _fill(limited, {"nominalConcurrencyShares": CONCURRENCY_SHARES, "lendablePercent": 0})
        queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
        for field, value in _QUEUING.items():
            if queuing and not queuing.get(field):
                queuing[field] = value
    if spec.get("type") == "Exempt":
        if spec.get("exempt") is None:
            spec["exempt"] = {}
        _fill(spec["exempt"], {"nominalConcurrencyShares": 0, "lendablePercent": 0})


def _fill(section: dict[str, Any], values: dict[str, int]) -> None:
    for field, value in values.items():
        if section.get(field) is None:
            section[field] = value


def prepare_create(level: Object) -> None:
    level["status"] = {}


def row(level: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(level)
    limited = spec.get("limited")
    shares: Any = cells.NONE if limited is None else cells.count(limited, "nominalConcurrencyShares")
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing")
    return [
        cells.name(level),
        spec.get("type") or "",
        shares,
        *(cells.NONE if queuing is None else cells.count(queuing, field) for field in _QUEUING),
        cells.age(level, now_s),
    ]


def validate(level: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(level)
    kind = spec.get("type")
    check_choice(kind, "spec.type", ("Exempt", "Limited"), found)
    if kind == "Limited" and spec.get("limited") is None:
        found.append(required("spec.limited", "must not be empty when type is Limited"))
    if kind == "Exempt" and spec.get("limited") is not None:
        found.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
    return found


KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    kind="PriorityLevelConfiguration",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    has_status=True,
    status_resets=(ALL_METADATA,),
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
)
