"""What may be written as the status of a pod, and how its containers may change state."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden
from mamekube.objects.meta import Object

ADDRESSES = (("podIP", "podIPs"), ("hostIP", "hostIPs"))
LEFT_THE_END = "may not be transitioned to non-terminated state"


def default_status(status: dict[str, Any]) -> None:
    """The first address is written in two places."""
    first, addresses = status.get("podIP"), status.get("podIPs")
    if first and not addresses:
        status["podIPs"] = [{"ip": first}]
    elif addresses and not first and addresses[0].get("ip"):
        status["podIP"] = addresses[0]["ip"]


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    status, before = new.get("status") or {}, old.get("status") or {}
    if status.get("nominatedNodeName"):
        check(status["nominatedNodeName"], "status.nominatedNodeName", names.dns1123_subdomain, found)
    for _, field in ADDRESSES:
        _validate_addresses(status.get(field) or (), f"status.{field}", found)
    spec = new.get("spec") or {}
    policy = spec.get("restartPolicy")
    if policy != "Always":
        # A container with a restart policy of its own does not follow that of the pod.
        free = {
            container.get("name")
            for field in ("containers", "initContainers")
            for container in spec.get(field) or ()
            if container.get("restartPolicy")
        }
        for field in ("containerStatuses", "initContainerStatuses"):
            ended = _ended(before.get(field) or (), policy)
            _validate_transitions(status.get(field) or (), ended, free, f"status.{field}", found)
    return found


def _validate_addresses(addresses: Any, path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, address in enumerate(addresses):
        text = address.get("ip") or ""
        check(text, f"{path}[{index}]", names.ip, found)
        if text in seen:
            found.append(duplicate(f"{path}[{index}]", text))
        seen.add(text)


def _ended(containers: Any, policy: Any) -> list[tuple[int, str]]:
    """(index, name) of those that have come to an end for good."""
    found = []
    for index, container in enumerate(containers):
        end = (container.get("state") or {}).get("terminated")
        if end is not None and not (policy == "OnFailure" and end.get("exitCode")):
            found.append((index, container.get("name") or ""))
    return found


def _validate_transitions(
    containers: Any, ended: list[tuple[int, str]], free: set[Any], path: str, found: Found
) -> None:
    states = {container.get("name"): container.get("state") for container in containers}
    for index, name in ended:
        state = states.get(name)
        if name not in free and state and state.get("terminated") is None:
            found.append(forbidden(f"{path}[{index}].state", LEFT_THE_END))
