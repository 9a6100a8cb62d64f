"""Requests for devices, which claims and templates of claims share."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check_required
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required

ALLOCATION_MODES = ("All", "ExactCount")


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
    for toleration in request.get("tolerations") or ():
        if not toleration.get("operator"):
            toleration["operator"] = "Equal"


def validate_claim_spec(spec: dict[str, Any], path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        request_path, name = f"{path}.devices.requests[{index}]", request.get("name")
        check_required(name, f"{request_path}.name", names.dns1123_label, found)
        if name in seen:
            found.append(duplicate(f"{request_path}.name", name))
        seen.add(name or "")
        exactly, first = request.get("exactly"), request.get("firstAvailable")
        if exactly is not None and first:
            found.append(
                invalid(request_path, None, "exactly one of `exactly` or `firstAvailable` must be specified")
            )
        elif exactly is not None:
            _validate_wanted(exactly, f"{request_path}.exactly", found)
        elif not first:
            detail = "exactly one of `exactly` or `firstAvailable` is required"
            found.append(required(request_path, detail))
        for position, wanted in enumerate(first or ()):
            wanted_path = f"{request_path}.firstAvailable[{position}]"
            check_required(wanted.get("name"), f"{wanted_path}.name", names.dns1123_label, found)
            _validate_wanted(wanted, wanted_path, found)


def _validate_wanted(wanted: dict[str, Any], path: str, found: Found) -> None:
    check_required(wanted.get("deviceClassName"), f"{path}.deviceClassName", names.dns1123_subdomain, found)
    mode, count = wanted.get("allocationMode") or "", wanted.get("count") or 0
    if mode not in ALLOCATION_MODES:
        found.append(not_supported(f"{path}.allocationMode", mode, ALLOCATION_MODES))
    elif mode == "ExactCount" and count <= 0:
        found.append(invalid(f"{path}.count", count, "must be greater than zero"))
    elif mode == "All" and count:
        detail = "must not be specified when allocationMode is 'All'"
        found.append(invalid(f"{path}.count", count, detail))
