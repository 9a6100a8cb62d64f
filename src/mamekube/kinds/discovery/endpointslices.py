"""`EndpointSlice` of `discovery.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="AddressType"),
    Column(name="Ports"),
    Column(name="Endpoints"),
    cells.AGE,
)


def default(endpoint_slice: Object) -> None:
    for port in endpoint_slice.get("ports") or ():
        if port.get("name") is None:
            port["name"] = ""
        if port.get("protocol") is None:
            port["protocol"] = "TCP"


def row(endpoint_slice: Object, now_s: float) -> list[Any]:
    return [
        cells.name(endpoint_slice),
        endpoint_slice.get("addressType") or "",
        cells.list_text([_port_text(port) for port in endpoint_slice.get("ports") or ()]),
        cells.list_text(
            [
                address
                for endpoint in endpoint_slice.get("endpoints") or ()
                for address in endpoint.get("addresses") or ()
            ]
        ),
        cells.age(endpoint_slice, now_s),
    ]


def _port_text(port: dict[str, Any]) -> str:
    if port.get("port") is not None:
        return str(port["port"])
    name = port.get("name")
    return "*" if name is None else str(name)


KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    plural="endpointslices",
    singular="endpointslice",
    kind="EndpointSlice",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
)
