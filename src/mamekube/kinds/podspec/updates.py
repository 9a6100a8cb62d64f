"""What an update of a Pod may change: next to nothing of its spec."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import differences
from mamekube.kinds.fields import INT32_MAX, Found
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, required
from mamekube.objects.meta import Object

UPDATABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)
ADDED_CONTAINERS = "pod updates may not add or remove containers"


def validate(new: Object, old: Object) -> Found:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    found: Found = []
    if after == before:
        return found
    for field in ("containers", "initContainers"):
        if not _validate_images(after, before, field, found):
            return found
    if not _validate_deadline(after, before, found):
        return found
    _validate_tolerations(after, before, found)
    _validate_scheduling_gates(after, before, found)
    munged = _munged(after, before)
    if munged != before:
        detail = f"pod updates may not change fields other than {','.join(UPDATABLE)}\n"
        found.append(forbidden("spec", detail + differences.text(munged, before)))
    return found


def _validate_images(after: dict[str, Any], before: dict[str, Any], field: str, found: Found) -> bool:
    """Whether it makes sense to look further."""
    containers = after.get(field) or ()
    if len(containers) != len(before.get(field) or ()):
        found.append(forbidden(f"spec.{field}", ADDED_CONTAINERS))
        return False
    for index, container in enumerate(containers):
        if not container.get("image"):
            found.append(required(f"spec.{field}[{index}].image"))
    return True


def _validate_deadline(after: dict[str, Any], before: dict[str, Any], found: Found) -> bool:
    """Whether it makes sense to look further."""
    path, new, old = "spec.activeDeadlineSeconds", after.get("activeDeadlineSeconds"), None
    old = before.get("activeDeadlineSeconds")
    if new is None:
        if old is not None:
            detail = "must not update from a positive integer to nil value"
            found.append(invalid(path, None, detail))
        return True
    if not 0 <= new <= INT32_MAX:
        found.append(invalid(path, new, names.in_range(0, INT32_MAX)))
        return False
    if old is not None and old < new:
        found.append(invalid(path, new, "must be less than or equal to previous value"))
        return False
    return True


def _validate_tolerations(after: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    kept = [_without_seconds(toleration) for toleration in after.get("tolerations") or ()]
    for toleration in before.get("tolerations") or ():
        if _without_seconds(toleration) not in kept:
            detail = "existing toleration can not be modified except its tolerationSeconds"
            found.append(forbidden("spec.tolerations", detail))
            return


def _without_seconds(toleration: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _validate_scheduling_gates(after: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    known = {gate.get("name") for gate in before.get("schedulingGates") or ()}
    for index, gate in enumerate(after.get("schedulingGates") or ()):
        if gate.get("name") not in known:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            found.append(forbidden(f"spec.schedulingGates[{index}].name", detail))


def _munged(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The new spec with everything that may change put back."""
    munged = dict(after)
    for field in ("containers", "initContainers"):
        if after.get(field):
            munged[field] = [
                {**container, "image": old.get("image")}
                for container, old in zip(after[field], before[field], strict=True)
            ]
    restored = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if before.get("schedulingGates"):
        # A pod that nobody schedules yet may still be given narrower wishes.
        restored += ["nodeSelector", "affinity"]
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and after.get(
        "terminationGracePeriodSeconds"
    ) == 1:
        restored.append("terminationGracePeriodSeconds")
    for field in restored:
        if field in before:
            munged[field] = before[field]
        else:
            munged.pop(field, None)
    return munged
