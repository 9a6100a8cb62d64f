"""`PriorityLevelConfiguration` of `flowcontrol.apiserver.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
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
    limited, exempt = spec.get("limited"), spec.get("exempt")
    if limited is not None:
        _fill(limited, {"nominalConcurrencyShares": CONCURRENCY_SHARES, "lendablePercent": 0})
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            _fill(queuing, {field: value for field, value in _QUEUING.items() if not queuing.get(field)})
    if spec.get("type") == "Exempt":
        if exempt is None:
            exempt = spec["exempt"] = {}
        _fill(exempt, {"nominalConcurrencyShares": 0, "lendablePercent": 0})


def _fill(section: dict[str, Any], values: dict[str, int]) -> None:
    for field, value in values.items():
        if not section.get(field):
            section[field] = section.get(field) if section.get(field) == 0 else value


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


KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    kind="PriorityLevelConfiguration",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    has_status=True,
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)
