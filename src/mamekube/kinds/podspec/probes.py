"""Probes and lifecycle hooks: what is asked of a container, and how."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check, check_not_negative, check_port
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required

SCHEMES = frozenset(("HTTP", "HTTPS"))
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")

_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def validate_probes(container: dict[str, Any], path: str, grace_period_s: int, found: Found) -> None:
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(field)
        if probe is None:
            continue
        probe_path = f"{path}.{field}"
        _validate_probe(probe, probe_path, grace_period_s, found)
        if field == "readinessProbe":
            if probe.get("terminationGracePeriodSeconds") is not None:
                value = probe["terminationGracePeriodSeconds"]
                detail = "must not be set for readinessProbes"
                found.append(invalid(f"{probe_path}.terminationGracePeriodSeconds", value, detail))
        elif (probe.get("successThreshold") or 0) != 1:
            value = probe.get("successThreshold") or 0
            found.append(invalid(f"{probe_path}.successThreshold", value, "must be 1"))


def _validate_probe(probe: dict[str, Any], path: str, grace_period_s: int, found: Found) -> None:
    _validate_handler(probe, path, grace_period_s, found)
    for field in _NUMBERS:
        check_not_negative(probe, field, path, found)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        found.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))


def validate_lifecycle(lifecycle: dict[str, Any], path: str, grace_period_s: int, found: Found) -> None:
    for field in ("postStart", "preStop"):
        if lifecycle.get(field) is not None:
            _validate_handler(lifecycle[field], f"{path}.{field}", grace_period_s, found)


def _validate_handler(handler: dict[str, Any], path: str, grace_period_s: int, found: Found) -> None:
    given = [field for field in HANDLERS if handler.get(field) is not None]
    if not given:
        found.append(required(path, "must specify a handler type"))
        return
    found.extend(
        forbidden(f"{path}.{field}", "may not specify more than 1 handler type") for field in given[1:]
    )
    field = given[0]
    action, action_path = handler[field], f"{path}.{field}"
    if field == "exec":
        if not action.get("command"):
            found.append(required(f"{action_path}.command"))
    elif field == "httpGet":
        _validate_http(action, action_path, found)
    elif field == "sleep":
        seconds = action.get("seconds") or 0
        if not 0 <= seconds <= grace_period_s:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period_s})"
            found.append(invalid(action_path, seconds, detail))
    else:
        check_port(action.get("port"), f"{action_path}.port", found)


def _validate_http(action: dict[str, Any], path: str, found: Found) -> None:
    if not action.get("path"):
        found.append(required(f"{path}.path"))
    check_port(action.get("port"), f"{path}.port", found)
    if action.get("scheme") not in SCHEMES:
        found.append(not_supported(f"{path}.scheme", action.get("scheme") or "", SCHEMES))
    for header in action.get("httpHeaders") or ():
        check(header.get("name") or "", f"{path}.httpHeaders", names.http_header, found)
