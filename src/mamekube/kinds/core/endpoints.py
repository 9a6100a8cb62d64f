"""`Endpoints` of `v1`."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import PROTOCOLS, Found, check, check_choice, check_public_ip
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.addresses import ip_warnings
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object, metadata

COLUMNS = (cells.NAME, Column(name="Endpoints", field="core.v1.Endpoints.subsets"), cells.AGE)
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


MANAGED_BY = "endpoints.kubernetes.io/managed-by"
CONTROLLER = "endpoint-controller"
"""Writes addresses rightly, so nobody needs to look."""
_FIELDS = ("addresses", "notReadyAddresses")


def validate_create(endpoints: Object) -> Found:
    found: Found = []
    _validate(endpoints, found, known=frozenset())
    return found


def validate_update(new: Object, old: Object) -> Found:
    """Addresses that it had may stay, however they are written."""
    found: Found = []
    _validate(new, found, known={address.get("ip") for _, address in _addresses_of(old)})
    return found


def _addresses_of(endpoints: Object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with its path."""
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        for field in _FIELDS:
            for address_index, address in enumerate(subset.get(field) or ()):
                yield f"subsets[{index}].{field}[{address_index}]", address


def _validate(endpoints: Object, found: Found, *, known: Set[str | None]) -> None:
    """`known`: addresses that are not looked at."""
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            found.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field in _FIELDS:
            for address_index, address in enumerate(subset.get(field) or ()):
                _validate_address(address, f"{path}.{field}[{address_index}]", found, known=known)
        ports = subset.get("ports") or ()
        for port_index, port in enumerate(ports):
            _validate_port(port, f"{path}.ports[{port_index}]", found, named=len(ports) > 1)


def _validate_address(address: dict[str, Any], path: str, found: Found, *, known: Set[str | None]) -> None:
    text, before = address.get("ip") or "", len(found)
    if text not in known:
        check(text, f"{path}.ip", names.ip, found)
    wrong = len(found) > before
    if address.get("hostname"):
        check(address["hostname"], f"{path}.hostname", names.dns1123_label, found)
    if address.get("nodeName") is not None:
        check(address["nodeName"], f"{path}.nodeName", names.dns1123_subdomain, found)
    if not names.is_ip(text):
        found.append(invalid(f"{path}.ip", text, "must be a valid IP address"))
    elif not wrong and text not in known:
        check_public_ip(text, f"{path}.ip", found)


def warn(new: Object, old: Object | None) -> list[str]:
    if (metadata(new).get("labels") or {}).get(MANAGED_BY) == CONTROLLER:
        return []
    return [
        warning
        for path, address in _addresses_of(new)
        for warning in ip_warnings(address.get("ip") or "", f"{path}.ip")
    ]


def _validate_port(port: dict[str, Any], path: str, found: Found, *, named: bool) -> None:
    if port.get("name"):
        check(port["name"], f"{path}.name", names.dns1123_label, found)
    elif named:
        found.append(required(f"{path}.name"))
    number = port.get("port") or 0
    for message in names.port_number(number):
        found.append(invalid(f"{path}.port", number, message))
    check_choice(port.get("protocol"), f"{path}.protocol", PROTOCOLS, found)
    if port.get("appProtocol") is not None:
        check(port["appProtocol"], f"{path}.appProtocol", names.qualified_name, found)


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
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warn,
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)
