"""The status of a claim: what was allocated for it, for whom it is reserved, and how its devices fare."""

from __future__ import annotations

import ipaddress
from typing import Any

from mamekube.kinds import cells, statusconditions
from mamekube.kinds.fields import IMMUTABLE, Found, check_driver
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.kinds.podspec.scheduling import validate_node_selector
from mamekube.kinds.resource.configurations import CONFIGURATIONS_MAX, check_configuration, check_object
from mamekube.kinds.resource.identifiers import check_label, check_pool, check_uid
from mamekube.kinds.resource.lists import check_list, check_set
from mamekube.kinds.resource.requests import RequestNames, check_reference, check_references, names_of
from mamekube.kinds.resource.tolerations import (
    check_binding_conditions,
    check_tolerations,
    default_tolerations,
)
from mamekube.objects.fielderrors import (
    Struct,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from mamekube.objects.meta import Object, being_deleted

RESERVED_MAX = 256
RESULTS_MAX = 32
CONDITIONS_MAX = 8
SOURCES = ("FromClaim", "FromClass")
ADDRESSES_MAX = 16
INTERFACE_BYTES_MAX = 256
HARDWARE_ADDRESS_BYTES_MAX = 128

DeviceKey = tuple[str, str, str, str]


def default_results(claim: Object) -> None:
    for result in _results(cells.status_of(claim)):
        canonicalize(result.get("consumedCapacity"))
        default_tolerations(result)


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    status, before = cells.status_of(new), cells.status_of(old)
    allocation, allocated = status.get("allocation"), _allocated(status)
    check_set(
        status.get("reservedFor"),
        "status.reservedFor",
        found,
        most=RESERVED_MAX,
        each=_check_consumer,
        key=lambda consumer: consumer.get("uid") or "",
    )

    def check_device(device: dict[str, Any], path: str, found: Found) -> None:
        _check_device(device, path, found, allocated=allocated)

    devices = status.get("devices")
    check_set(devices, "status.devices", found, each=check_device, key=device_key, shown=_shown)
    _check_reservations(new, status, before, found)
    if allocation is not None and before.get("allocation") is not None:
        if allocation != before["allocation"]:
            found.append(invalid("status.allocation", allocation, IMMUTABLE))
    elif allocation is not None:
        known = names_of(cells.spec_of(new).get("devices") or {})
        _check_allocation(allocation, "status.allocation", found, known=known)
    return found


def _check_reservations(claim: Object, status: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    reserved = status.get("reservedFor") or ()
    if not reserved:
        return
    if status.get("allocation") is None:
        detail = "may not be specified when `allocated` is not set"
        found.append(forbidden("status.reservedFor", detail))
    elif being_deleted(claim) and any(entry not in (before.get("reservedFor") or ()) for entry in reserved):
        detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        found.append(forbidden("status.reservedFor", detail))


def device_key(device: dict[str, Any]) -> DeviceKey:
    driver, pool, name, share = (device.get(field) or "" for field in ("driver", "pool", "device", "shareID"))
    return driver, pool, name, share


def _shown(device: dict[str, Any]) -> Struct:
    driver, pool, name, share = device_key(device)
    return Struct(Driver=driver, Pool=pool, Device=name, ShareID=share)


def _results(status: dict[str, Any]) -> list[dict[str, Any]]:
    allocation = status.get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or []


def _allocated(status: dict[str, Any]) -> frozenset[DeviceKey]:
    return frozenset(map(device_key, _results(status)))


def drop_deallocated(new: Object, old: Object) -> None:
    """How devices fare goes with their allocation."""
    status = cells.status_of(new)
    gone = {device_key(result)[:3] for result in _results(cells.status_of(old))}
    gone -= {device_key(result)[:3] for result in _results(status)}
    if not gone or not status.get("devices"):
        return
    left = [device for device in status["devices"] if device_key(device)[:3] not in gone]
    new["status"] = {**status, "devices": left}
    if not left:
        del new["status"]["devices"]


def _check_consumer(consumer: dict[str, Any], path: str, found: Found) -> None:
    found += [required(f"{path}.{field}") for field in ("resource", "name", "uid") if not consumer.get(field)]


def _check_allocation(allocation: dict[str, Any], path: str, found: Found, *, known: RequestNames) -> None:
    def check_result(result: dict[str, Any], at: str, found: Found) -> None:
        check_reference(result.get("request") or "", f"{at}.request", found, known=known)
        check_driver(result.get("driver"), f"{at}.driver", found)
        check_pool(result.get("pool"), f"{at}.pool", found)
        check_label(result.get("device"), f"{at}.device", found)
        check_binding_conditions(result, at, found)
        check_tolerations(result.get("tolerations"), f"{at}.tolerations", found)
        if result.get("shareID") is not None:
            check_uid(result["shareID"], f"{at}.shareID", found)

    def check_config(configuration: dict[str, Any], at: str, found: Found) -> None:
        source = configuration.get("source") or ""
        if not source:
            found.append(required(f"{at}.source"))
        elif source not in SOURCES:
            found.append(not_supported(f"{at}.source", source, SOURCES))
        check_references(configuration, at, found, known=known)
        check_configuration(configuration, at, found)

    devices = allocation.get("devices") or {}
    check_list(devices.get("results"), f"{path}.devices.results", found, most=RESULTS_MAX, each=check_result)
    # As many from the class as from the claim.
    most = 2 * CONFIGURATIONS_MAX
    check_list(devices.get("config"), f"{path}.devices.config", found, most=most, each=check_config)
    if allocation.get("nodeSelector") is not None:
        validate_node_selector(allocation["nodeSelector"], f"{path}.nodeSelector", found)


def _check_device(
    device: dict[str, Any], path: str, found: Found, *, allocated: frozenset[DeviceKey]
) -> None:
    check_driver(device.get("driver"), f"{path}.driver", found)
    check_pool(device.get("pool"), f"{path}.pool", found)
    check_label(device.get("device"), f"{path}.device", found)
    if device.get("shareID") is not None:
        check_uid(device["shareID"], f"{path}.shareID", found)
    if device_key(device) not in allocated:
        found.append(invalid(path, _shown(device), "must be an allocated device in the claim"))
    conditions = device.get("conditions") or ()
    if len(conditions) > CONDITIONS_MAX:
        found.append(too_many(f"{path}.conditions", len(conditions), CONDITIONS_MAX))
    found += statusconditions.validate(conditions, f"{path}.conditions")
    if device.get("data") is not None:
        check_object(device["data"], f"{path}.data", found)
    if device.get("networkData") is not None:
        _check_network(device["networkData"], f"{path}.networkData", found)


def _check_network(data: dict[str, Any], path: str, found: Found) -> None:
    limits = {"interfaceName": INTERFACE_BYTES_MAX, "hardwareAddress": HARDWARE_ADDRESS_BYTES_MAX}
    found += [
        too_long(f"{path}.{field}", most)
        for field, most in limits.items()
        if len((data.get(field) or "").encode()) > most
    ]
    check_set(data.get("ips"), f"{path}.ips", found, most=ADDRESSES_MAX, each=_check_address)


def _check_address(text: str, path: str, found: Found) -> None:
    """An address with the size of its network, as it is written shortest."""
    try:
        known = ipaddress.ip_interface(text) if text.rpartition("/")[2].isdecimal() else None
    except ValueError:
        known = None
    if known is None or "/" not in text or "%" in text:
        detail = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        found.append(invalid(path, text, detail))
    elif text != (canonical := f"{known.ip}/{known.network.prefixlen}"):
        found.append(invalid(path, text, f'must be in canonical form ("{canonical}")'))
