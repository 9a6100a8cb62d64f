"""What an update of a Pod may change: next to nothing of its spec."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import differences
from mamekube.kinds.fields import INT32_MAX, Found
from mamekube.kinds.podspec import podannotations
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, forbidden, invalid, required
from mamekube.objects.meta import Object, annotations_of

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
    notes, said = annotations_of(new), annotations_of(old)
    if notes != said:
        podannotations.validate_update(notes, said, "metadata.annotations", found)
    if after == before:
        return found
    for field in ("containers", "initContainers"):
        if not _validate_images(after, before, field, found):
            return found
    if not _validate_deadline(after, before, found):
        return found
    _validate_tolerations(after, before, found)
    _validate_scheduling_gates(after, before, found)
    if before.get("schedulingGates"):
        _validate_narrowing(after, before, found)
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
            found.append(invalid(path, "null", detail))
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


_ONLY_ADDITIONS = "only additions are allowed (no mutations or deletions)"


def _validate_narrowing(after: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    """A pod that nobody schedules yet may be given more conditions for its node, and lose none."""
    selector, had = after.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in had.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        found.append(invalid("spec.nodeSelector", after.get("nodeSelector"), detail))
    terms, old_terms = (_required_terms(spec) for spec in (after, before))
    path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    if not old_terms:
        return
    if len(terms) != len(old_terms):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        found.append(invalid(path, [_shown(term) for term in terms] or None, detail))
        return
    for index, (term, old_term) in enumerate(zip(terms, old_terms, strict=True)):
        if not _only_adds(term, old_term):
            found.append(invalid(f"{path}[{index}]", _shown(term), _ONLY_ADDITIONS))


def _shown(term: dict[str, Any]) -> Struct:
    """A term as upstream keeps and shows it."""
    parts = {
        shown: [
            Struct(
                Key=expression.get("key") or "",
                Operator=expression.get("operator") or "",
                Values=expression.get("values"),
            )
            for expression in term[field]
        ]
        if term.get(field)
        else None
        for field, shown in (("matchExpressions", "MatchExpressions"), ("matchFields", "MatchFields"))
    }
    return Struct(parts)


def _required_terms(spec: dict[str, Any]) -> list[dict[str, Any]]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    wanted = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return wanted.get("nodeSelectorTerms") or []


def _only_adds(term: dict[str, Any], old_term: dict[str, Any]) -> bool:
    fields = ("matchExpressions", "matchFields")
    if not any(old_term.get(field) for field in fields):
        # An empty term matches no node; with conditions it would match some.
        return not any(term.get(field) for field in fields)
    return all(
        (term.get(field) or [])[: len(old_term.get(field) or ())] == (old_term.get(field) or [])
        for field in fields
    )


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
        restored.append("nodeSelector")
        _restore_node_affinity(munged, before)
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


def _restore_node_affinity(munged: dict[str, Any], before: dict[str, Any]) -> None:
    """What is said of nodes; what is said of other pods may not change."""
    affinity, had = munged.get("affinity"), before.get("affinity")
    restored = {key: value for key, value in (affinity or {}).items() if key != "nodeAffinity"}
    if had and "nodeAffinity" in had:
        restored["nodeAffinity"] = had["nodeAffinity"]
    if restored or had is not None:
        munged["affinity"] = restored
    else:
        munged.pop("affinity", None)
