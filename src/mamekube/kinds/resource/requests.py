"""Requests for devices, which claims and templates of claims share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.kinds.fields import Found, check
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.kinds.resource.configurations import CONFIGURATIONS_MAX, check_configuration, driver_warnings
from mamekube.kinds.resource.expressions import check_selectors
from mamekube.kinds.resource.identifiers import check_fully_qualified, check_label
from mamekube.kinds.resource.lists import check_list, check_set
from mamekube.kinds.resource.tolerations import check_tolerations, default_tolerations
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, not_supported, required

ALLOCATION_MODES = ("All", "ExactCount")
REQUESTS_MAX = CONSTRAINTS_MAX = 32
ALTERNATIVES_MAX = 8

RequestNames = Mapping[str, frozenset[str]]
"""The names of the requests of a claim, each with those of its alternatives."""


def default_claim_spec(spec: dict[str, Any] | None) -> None:
    for request in ((spec or {}).get("devices") or {}).get("requests") or ():
        for wanted in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if wanted is not None:
                _default_request(wanted)


def _default_request(request: dict[str, Any]) -> None:
    if not request.get("allocationMode"):
        request["allocationMode"] = "ExactCount"
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request["count"] = 1
    canonicalize((request.get("capacity") or {}).get("requests"))
    default_tolerations(request)


def validate_claim_spec(spec: dict[str, Any], path: str, found: Found) -> None:
    devices, path = spec.get("devices") or {}, f"{path}.devices"
    known = names_of(devices)
    check_set(
        devices.get("requests"), f"{path}.requests", found, most=REQUESTS_MAX, each=_check_request, key=_name
    )

    def check_constraint(constraint: dict[str, Any], at: str, found: Found) -> None:
        check_references(constraint, at, found, known=known)
        for field in ("matchAttribute", "distinctAttribute"):
            if constraint.get(field) is not None:
                check_fully_qualified(constraint[field], f"{at}.{field}", found)
                return
        detail = (
            'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
        )
        found.append(required(at, detail))

    def check_config(configuration: dict[str, Any], at: str, found: Found) -> None:
        check_references(configuration, at, found, known=known)
        check_configuration(configuration, at, found)

    constraints, config = devices.get("constraints"), devices.get("config")
    check_list(constraints, f"{path}.constraints", found, most=CONSTRAINTS_MAX, each=check_constraint)
    check_list(config, f"{path}.config", found, most=CONFIGURATIONS_MAX, each=check_config)


def claim_warnings(spec: dict[str, Any], path: str) -> list[str]:
    configurations = (spec.get("devices") or {}).get("config") or ()
    return driver_warnings(configurations, f"{path}.devices.config")


def _name(item: dict[str, Any]) -> str:
    return item.get("name") or ""


def names_of(devices: Mapping[str, Any]) -> RequestNames:
    return {
        _name(request): frozenset(map(_name, request.get("firstAvailable") or ()))
        for request in devices.get("requests") or ()
    }


def check_references(
    holder: dict[str, Any], path: str, found: Found, *, known: RequestNames, field: str = "requests"
) -> None:
    def check_one(name: str, at: str, found: Found) -> None:
        check_reference(name, at, found, known=known)

    check_set(holder.get(field), f"{path}.{field}", found, most=REQUESTS_MAX, each=check_one)


def check_reference(name: str, path: str, found: Found, *, known: RequestNames) -> None:
    """`request` or `request/alternative`."""
    detail = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    parts = name.split("/")
    if len(parts) > 2:
        found.append(invalid(path, name, detail))
        return
    for part in parts:
        check_label(part, path, found)
    if parts[0] not in known or (len(parts) == 2 and parts[1] not in known[parts[0]]):
        found.append(invalid(path, name, detail))


def _check_request(request: dict[str, Any], path: str, found: Found) -> None:
    check_label(request.get("name"), f"{path}.name", found)
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    wanted = "exactly one of `exactly` or `firstAvailable` is required"
    if exactly is not None and alternatives:
        found.append(invalid(path, "null", f"{wanted}, but multiple fields are set"))
    elif alternatives:
        at = f"{path}.firstAvailable"
        check_set(alternatives, at, found, most=ALTERNATIVES_MAX, each=_check_alternative, key=_name)
    elif exactly is not None:
        _check_wanted(exactly, f"{path}.exactly", found)
    else:
        found.append(required(path, wanted))


def _check_alternative(wanted: dict[str, Any], path: str, found: Found) -> None:
    check_label(wanted.get("name"), f"{path}.name", found)
    _check_wanted(wanted, path, found)


def _check_wanted(wanted: dict[str, Any], path: str, found: Found) -> None:
    device_class = wanted.get("deviceClassName")
    if not device_class:
        found.append(required(f"{path}.deviceClassName"))
    else:
        check(device_class, f"{path}.deviceClassName", names.dns1123_subdomain, found)
    check_selectors(wanted.get("selectors"), f"{path}.selectors", found)
    mode, count = wanted.get("allocationMode") or "", wanted.get("count") or 0
    if mode not in ALLOCATION_MODES:
        found.append(not_supported(f"{path}.allocationMode", mode, ALLOCATION_MODES))
    elif mode == "ExactCount" and count <= 0:
        found.append(invalid(f"{path}.count", count, "must be greater than zero"))
    elif mode == "All" and count:
        detail = "must not be specified when allocationMode is 'All'"
        found.append(invalid(f"{path}.count", count, detail))
    check_tolerations(wanted.get("tolerations"), f"{path}.tolerations", found)
