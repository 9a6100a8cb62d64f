"""`Endpoints` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Endpoints"), cells.AGE)
SHOWN_MAX = 3


def default(endpoints: Object) -> None:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def row(endpoints: Object, now_s: float) -> list[Any]:
    return [cells.name(endpoints), _endpoints_text(endpoints), cells.age(endpoints, now_s)]


def _endpoints_text(endpoints: Object) -> str:
    if not endpoints.get("subsets"):
        return cells.NONE
    shown: list[str] = []
    for subset in endpoints["subsets"]:
        addresses = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        ports = [port.get("port") or 0 for port in subset.get("ports") or ()]
        shown += [_joined(address, port) for port in ports for address in addresses] if ports else addresses
    if len(shown) > SHOWN_MAX:
        return f"{','.join(shown[:SHOWN_MAX])} + {len(shown) - SHOWN_MAX} more..."
    return ",".join(shown)


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


KIND = Kind(
    group="",
    version="v1",
    plural="endpoints",
    singular="endpoints",
    kind="Endpoints",
    short_names=("ep",),
    schema="io.k8s.api.core.v1.Endpoints",
    default=default,
    columns=COLUMNS,
    row=row,
)
