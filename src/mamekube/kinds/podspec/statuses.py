"""What may be written as the status of a pod, and how its containers may change state."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import IMMUTABLE, Found, check
from mamekube.kinds.podspec import podannotations
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, duplicate, forbidden, invalid
from mamekube.objects.meta import Object, annotations_of

ADDRESSES = (("podIP", "podIPs"), ("hostIP", "hostIPs"))
LEFT_THE_END = "may not be transitioned to non-terminated state"


def default_status(status: dict[str, Any]) -> None:
    """The first address is written in two places."""
    first, addresses = status.get("podIP"), status.get("podIPs")
    if first and not addresses:
        status["podIPs"] = [{"ip": first}]
    elif addresses and not first and addresses[0].get("ip"):
        status["podIP"] = addresses[0]["ip"]


def keep_old(new: Object, old: Object, now_s: float) -> None:
    """What a status that leaves it out means to keep: old kubelets know nothing of it."""
    status, before = new.get("status") or {}, old.get("status") or {}
    if not status.get("qosClass") and before.get("qosClass"):
        status["qosClass"] = before["qosClass"]
    if not status.get("observedGeneration") and before.get("observedGeneration"):
        status["observedGeneration"] = before["observedGeneration"]
    observed: dict[Any, list[int]] = {}
    for condition in before.get("conditions") or ():
        observed.setdefault(condition.get("type"), []).append(condition.get("observedGeneration") or 0)
    for condition in status.get("conditions") or ():
        was = observed.get(condition.get("type")) or [0]
        if not condition.get("observedGeneration") and was[0]:
            condition["observedGeneration"] = was[0]
        observed[condition.get("type")] = was[1:]
    if status:
        new["status"] = status


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    status, before = new.get("status") or {}, old.get("status") or {}
    spec = new.get("spec") or {}
    notes, said = annotations_of(new), annotations_of(old)
    if notes != said:
        podannotations.validate_update(notes, said, "metadata.annotations", found)
    if notes:
        podannotations.validate(notes, spec, "metadata.annotations", found)
    _validate_conditions(status.get("conditions") or (), found)
    _validate_nomination(status, before, old.get("spec") or {}, found)
    if (status.get("observedGeneration") or 0) < 0:
        detail = "must be a non-negative integer"
        found.append(invalid("status.observedGeneration", status["observedGeneration"], detail))
    if (status.get("qosClass") or "") != (before.get("qosClass") or ""):
        found.append(invalid("status.qosClass", status.get("qosClass") or "", IMMUTABLE))
    for field, of in (("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")):
        containers = {container.get("name"): container for container in spec.get(of) or ()}
        policy = spec.get("restartPolicy")
        _validate_transitions(status, before, field, found, containers=containers, policy=policy)
    _validate_transitions(status, before, "ephemeralContainerStatuses", found, containers={}, policy="Never")
    _validate_claims(status, spec, found)
    for first, field in ADDRESSES:
        _validate_addresses(status, before, first, field, found)
    return found


def _validate_conditions(conditions: Any, found: Found) -> None:
    for index, condition in enumerate(conditions):
        path, generation = f"status.conditions[{index}]", condition.get("observedGeneration") or 0
        if generation < 0:
            found.append(invalid(f"{path}.observedGeneration", generation, "must be a non-negative integer"))
        check(condition.get("type") or "", f"{path}.Type", names.qualified_name, found)


def _validate_nomination(
    status: dict[str, Any], before: dict[str, Any], spec: dict[str, Any], found: Found
) -> None:
    node, path = status.get("nominatedNodeName"), "status.nominatedNodeName"
    if node and node != before.get("nominatedNodeName"):
        check(node, path, names.dns1123_subdomain, found)
        if spec.get("nodeName"):
            found.append(forbidden(path, "may not be set on pods that are already bound to a node"))


def _validate_claims(status: dict[str, Any], spec: dict[str, Any], found: Found) -> None:
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    seen: set[str] = set()
    for index, claim in enumerate(status.get("resourceClaimStatuses") or ()):
        path, name = f"status.resourceClaimStatuses[{index}]", claim.get("name") or ""
        if name not in known:
            detail = "must match the name of an entry in `spec.resourceClaims`"
            found.append(invalid(f"{path}.name", name, detail))
        if name in seen:
            found.append(duplicate(f"{path}.name", name))
        seen.add(name)
        if claim.get("resourceClaimName") is not None:
            check(claim["resourceClaimName"], f"{path}.resourceClaimName", names.dns1123_subdomain, found)


def _validate_addresses(
    status: dict[str, Any], before: dict[str, Any], first: str, field: str, found: Found
) -> None:
    """Of each family one; those that were there before are left alone."""
    addresses = status.get(field) or ()
    if not addresses:
        return
    texts = [address.get("ip") or "" for address in addresses]
    if field == "hostIPs" and (status.get(first) or "") != texts[0]:
        found.append(invalid(f"status.{field}[0].ip", texts[0], f"must be equal to `{first}`"))
    had = {address.get("ip") for address in before.get(field) or ()}
    for index, text in enumerate(texts):
        if text not in had:
            check(text, f"status.{field}[{index}]", names.ip, found)
    families = {":" in text for text in texts}
    if len(texts) > 2 or len(texts) != len(families):
        shown = [Struct(IP=text) for text in texts]
        detail = "may specify no more than one IP for each IP family"
        found.append(invalid(f"status.{field}", shown, detail))


def _validate_transitions(
    status: dict[str, Any],
    before: dict[str, Any],
    field: str,
    found: Found,
    *,
    containers: dict[Any, dict[str, Any]],
    policy: Any,
) -> None:
    """A container that has come to an end for good stays there."""
    states = {container.get("name"): container.get("state") or {} for container in status.get(field) or ()}
    for index, container in enumerate(before.get(field) or ()):
        end, name = (container.get("state") or {}).get("terminated"), container.get("name")
        if end is None or name not in states or states[name].get("terminated") is not None:
            continue
        if not _starts_again(containers.get(name) or {}, policy, end.get("exitCode") or 0):
            found.append(forbidden(f"status.{field}[{index}].state", LEFT_THE_END))


def _starts_again(container: dict[str, Any], policy: Any, exit_code: int) -> bool:
    """A container with a restart policy of its own does not follow that of the pod, and its rules stand above both."""
    if container.get("restartPolicy"):
        policy = container["restartPolicy"]
        for rule in container.get("restartPolicyRules") or ():
            codes = rule.get("exitCodes") or {}
            if (exit_code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
                return True
    return bool(policy == "Always" or (policy == "OnFailure" and exit_code))
