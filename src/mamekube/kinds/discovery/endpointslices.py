"""`EndpointSlice` of `discovery.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import PROTOCOLS, Found, check, check_choice, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required, too_many
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


ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS_MAX = 1000
ADDRESSES_MAX = 100
PORTS_MAX = 20000


def validate(endpoint_slice: Object) -> Found:
    found: Found = []
    kind = endpoint_slice.get("addressType")
    check_choice(kind, "addressType", ADDRESS_TYPES, found)
    endpoints, ports = endpoint_slice.get("endpoints") or (), endpoint_slice.get("ports") or ()
    if len(endpoints) > ENDPOINTS_MAX:
        found.append(too_many("endpoints", len(endpoints), ENDPOINTS_MAX))
        return found
    for index, endpoint in enumerate(endpoints):
        _validate_endpoint(endpoint, kind or "", f"endpoints[{index}]", found)
    if len(ports) > PORTS_MAX:
        found.append(too_many("ports", len(ports), PORTS_MAX))
        return found
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name") or ""
        if name:
            check(name, f"ports[{index}].name", names.dns1123_label, found)
        if name in seen:
            found.append(duplicate(f"ports[{index}].name", name))
        seen.add(name)
        protocol = port.get("protocol") or ""
        if protocol not in PROTOCOLS:
            found.append(not_supported(f"ports[{index}].protocol", protocol, PROTOCOLS))
        if port.get("appProtocol"):
            check(port["appProtocol"], f"ports[{index}].appProtocol", names.qualified_name, found)
    return found


def _validate_endpoint(endpoint: dict[str, Any], kind: str, path: str, found: Found) -> None:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        found.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > ADDRESSES_MAX:
        found.append(too_many(f"{path}.addresses", len(addresses), ADDRESSES_MAX))
    for index, address in enumerate(addresses):
        address_path = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            check(address or "", address_path, names.dns1123_subdomain, found)
        elif not names.is_ip(address or ""):
            check(address or "", address_path, names.ip, found)
        elif (":" in address) != (kind == "IPv6"):
            found.append(invalid(address_path, address, f"must be an {kind} address"))
    if endpoint.get("hostname"):
        check(endpoint["hostname"], f"{path}.hostname", names.dns1123_label, found)
    if endpoint.get("nodeName"):
        check(endpoint["nodeName"], f"{path}.nodeName", names.dns1123_subdomain, found)


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "addressType", "addressType", found)
    return found


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
    validate=validate,
    validate_update=validate_update,
)
