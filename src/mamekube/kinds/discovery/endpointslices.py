"""`EndpointSlice` of `discovery.k8s.io/v1`."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import PROTOCOLS, Found, check, check_choice, check_immutable, check_public_ip
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.addresses import ip_warnings
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required, too_many
from mamekube.objects.meta import Object, metadata

COLUMNS = (
    cells.NAME,
    Column(name="AddressType", field="discovery.v1.EndpointSlice.addressType"),
    Column(name="Ports", field="discovery.v1.EndpointSlice.ports"),
    Column(name="Endpoints", field="discovery.v1.EndpointSlice.endpoints"),
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
HINTS_MAX = 8
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HOST = "kubernetes.io/hostname"
TOPOLOGY = "deprecatedTopology"
CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")
"""Who writes addresses rightly, so nobody needs to look."""


def prepare_create(endpoint_slice: Object) -> None:
    _drop_topology(endpoint_slice, {})


def prepare_update(new: Object, old: Object) -> None:
    """A change of its labels counts, too: they say which Service it is of."""
    after, before = metadata(new), metadata(old)
    if (after.get("labels") or {}) != (before.get("labels") or {}):
        after["generation"] = int(before.get("generation") or 0) + 1
    if new.get("endpoints") != old.get("endpoints"):
        _drop_topology(new, old)


def _drop_topology(new: Object, old: Object) -> None:
    """Where it told the node once, and does so still, the node is told as it is now."""
    endpoints = new.get("endpoints") or ()
    if not any(endpoint.get(TOPOLOGY) for endpoint in endpoints):
        return
    told = {(endpoint.get(TOPOLOGY) or {}).get(HOST) for endpoint in old.get("endpoints") or ()}
    kept = new["endpoints"] = []
    for endpoint in endpoints:
        node = (endpoint.get(TOPOLOGY) or {}).get(HOST)
        kept.append({key: value for key, value in endpoint.items() if key != TOPOLOGY})
        if node in told and endpoint.get("nodeName") is None and not names.dns1123_subdomain(node or ""):
            kept[-1]["nodeName"] = node


def validate_create(endpoint_slice: Object) -> Found:
    found: Found = []
    _validate(endpoint_slice, found, known=frozenset())
    return found


def validate_update(new: Object, old: Object) -> Found:
    """Addresses that it had are not looked at again: most of a large slice stays as it is."""
    found: Found = []
    same_type = new.get("addressType") == old.get("addressType")
    endpoints = (old.get("endpoints") or ()) if same_type else ()
    known = {address for endpoint in endpoints for address in endpoint.get("addresses") or ()}
    _validate(new, found, known=known)
    check_immutable(new, old, "addressType", "addressType", found)
    return found


def _validate(endpoint_slice: Object, found: Found, *, known: Set[str]) -> None:
    """`known`: addresses that are fine."""
    kind = endpoint_slice.get("addressType") or ""
    check_choice(kind, "addressType", ADDRESS_TYPES, found)
    endpoints = endpoint_slice.get("endpoints") or ()
    if len(endpoints) > ENDPOINTS_MAX:
        found.append(too_many("endpoints", len(endpoints), ENDPOINTS_MAX))
    else:
        for index, endpoint in enumerate(endpoints):
            _validate_endpoint(endpoint, f"endpoints[{index}]", found, kind=kind, known=known)
    ports = endpoint_slice.get("ports") or ()
    if len(ports) > PORTS_MAX:
        found.append(too_many("ports", len(ports), PORTS_MAX))
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        _validate_port(port, f"ports[{index}]", found, seen=seen)


def _validate_endpoint(
    endpoint: dict[str, Any], path: str, found: Found, *, kind: str, known: Set[str]
) -> None:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        found.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > ADDRESSES_MAX:
        found.append(too_many(f"{path}.addresses", len(addresses), ADDRESSES_MAX))
    for index, address in enumerate(addresses):
        if address not in known:
            _validate_address(address or "", f"{path}.addresses[{index}]", found, kind=kind)
    if endpoint.get("nodeName") is not None:
        check(endpoint["nodeName"], f"{path}.nodeName", names.dns1123_subdomain, found)
    if endpoint.get("hostname") is not None:
        check(endpoint["hostname"], f"{path}.hostname", names.dns1123_label, found)
    if endpoint.get("hints") is not None:
        hints = endpoint["hints"]
        _validate_hints(hints.get("forZones"), f"{path}.hints.forZones", names.label_value, found)
        _validate_hints(hints.get("forNodes"), f"{path}.hints.forNodes", names.dns1123_subdomain, found)


def _validate_address(address: str, path: str, found: Found, *, kind: str) -> None:
    if kind == "FQDN":
        _validate_domain(address, path, found)
    elif kind in ADDRESS_TYPES:
        before = len(found)
        check(address, path, names.ip, found)
        if len(found) > before:
            return
        if (":" in address) != (kind == "IPv6"):
            found.append(invalid(path, address, f"must be an {kind} address"))
        check_public_ip(address, path, found)


def _validate_domain(name: str, path: str, found: Found) -> None:
    """Of at least two labels, whether a dot ends them or not. Only what is wrong first is told."""
    if not name:
        found.append(required(path))
        return
    name = name.removesuffix(".")
    labels = name.split(".")
    if messages := names.dns1123_subdomain(name):
        found.append(invalid(path, name, ",".join(messages)))
    elif len(labels) < 2:
        detail = "should be a domain with at least two segments separated by dots"
        found.append(invalid(path, name, detail))
    elif wrong := [label for label in labels if names.dns1123_label(label)]:
        found.append(invalid(path, wrong[0], ",".join(names.dns1123_label(wrong[0]))))


def _validate_hints(
    hints: list[dict[str, Any]] | None, path: str, rule: Callable[[str], list[str]], found: Found
) -> None:
    hints = hints or []
    if len(hints) > HINTS_MAX:
        found.append(too_many(path, len(hints), HINTS_MAX))
        return
    seen: set[str] = set()
    for index, hint in enumerate(hints):
        name = hint.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{path}[{index}].name", name))
        seen.add(name)
        check(name, f"{path}[{index}].name", rule, found)


def _validate_port(port: dict[str, Any], path: str, found: Found, *, seen: set[str]) -> None:
    name = port.get("name") or ""
    if name:
        check(name, f"{path}.name", names.dns1123_label, found)
    if name in seen:
        found.append(duplicate(f"{path}.name", name))
    seen.add(name)
    protocol = port.get("protocol") or ""
    if protocol not in PROTOCOLS:
        found.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    if port.get("appProtocol") is not None:
        check(port["appProtocol"], f"{path}.appProtocol", names.qualified_name, found)


def warn(new: Object, old: Object | None) -> list[str]:
    kind, said = new.get("addressType"), []
    if kind == "FQDN":
        # Upstream says so, though there is no spec.
        return ["spec.addressType: FQDN endpoints are deprecated"] if old is None else []
    if (metadata(new).get("labels") or {}).get(MANAGED_BY) in CONTROLLERS:
        return []
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        for address_index, address in enumerate(endpoint.get("addresses") or ()):
            said += ip_warnings(address or "", f"endpoints[{index}].addresses[{address_index}]")
    return said


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
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warn,
)
