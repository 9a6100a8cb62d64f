"""Which names a CustomResourceDefinition gets, and its conditions. Pure.

Names are first come, first served within a group: what another definition has been given already is refused, and
the definition keeps what it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mamekube.kinds.apiextensions import definitions
from mamekube.objects import conditions
from mamekube.objects.fielderrors import render
from mamekube.objects.meta import Object, annotations_of, being_deleted

Names = dict[str, Any]


@dataclass(slots=True)
class Taken:
    """What other definitions of the group have been given."""

    resources: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)

    @classmethod
    def by(cls, others: Iterable[Names]) -> Taken:
        taken = cls()
        for names in others:
            taken.resources |= {names.get("plural", ""), names.get("singular", "")} - {""}
            taken.resources |= set(names.get("shortNames") or ())
            taken.kinds |= {names.get("kind", ""), names.get("listKind", "")} - {""}
        return taken


def accepted(definition: Object) -> Names:
    return (definition.get("status") or {}).get("acceptedNames") or {}


def decide(definition: Object, taken: Taken) -> tuple[Names, dict[str, str]]:
    """The names that are accepted now, and the condition `NamesAccepted`, which tells of the last conflict."""
    asked: Names = definition["spec"]["names"]
    had = accepted(definition)
    given = {key: value for key, value in had.items() if value}
    verdict = _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")
    for key, pool in _POOLS:
        wanted = asked.get(key) or ([] if key == "shortNames" else "")
        if wanted == (had.get(key) or type(wanted)()):
            continue
        fresh = set(_each(wanted)) - set(_each(had.get(key) if key == "shortNames" else ""))
        clashing = [name for name in _each(wanted) if name in fresh and name in getattr(taken, pool)]
        if clashing:
            verdict = _conflict(key, clashing)
        elif wanted:
            given[key] = wanted
        else:
            given.pop(key, None)
    given.pop("categories", None)
    if asked.get("categories"):
        given["categories"] = list(asked["categories"])
    return given, verdict


_POOLS = (
    ("plural", "resources"),
    ("singular", "resources"),
    ("shortNames", "resources"),
    ("kind", "kinds"),
    ("listKind", "kinds"),
)


def _each(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _conflict(key: str, names: list[str]) -> dict[str, str]:
    texts = [f"{render(name)} is already in use" for name in names]
    message = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return _condition("NamesAccepted", "False", f"{key[0].upper()}{key[1:]}Conflict", message)


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def status_of(definition: Object, taken: Taken, *, now: str) -> dict[str, Any]:
    """The status that the definition should have: names, and every condition that follows from them."""
    names, names_accepted = decide(definition, taken)
    status = dict(definition.get("status") or {})
    known = list(status.get("conditions") or ())
    found = [names_accepted]
    if not conditions.is_true(definition, "Established"):
        if names_accepted["status"] != "True":
            found.append(_condition("Established", "False", "NotAccepted", "not all names are accepted"))
        elif definitions.has_bad_bundle(definition["spec"]):
            message = "The conversion webhook CABundle is invalid"
            found.append(_condition("Established", "False", "InvalidCABundle", message))
        else:
            message = "the initial names have been accepted"
            found.append(_condition("Established", "True", "InitialNamesAccepted", message))
    found += _approval(definition)
    for condition in found:
        known = conditions.replaced(known, condition, now=now)
    status["conditions"] = known
    status["acceptedNames"] = {"kind": "", "plural": "", **names}
    return status


def _approval(definition: Object) -> list[dict[str, str]]:
    """For groups that belong to Kubernetes: whether its API reviewers said yes."""
    if not definitions.is_protected(definition["spec"].get("group") or ""):
        return []
    kind = "KubernetesAPIApprovalPolicyConformant"
    said, state = (
        annotations_of(definition).get(definitions.APPROVAL, ""),
        definitions.approval_of(definition),
    )
    if state == "Unapproved":
        return [_condition(kind, "False", "UnapprovedAnnotation", f"not approved: {render(said)}")]
    if state == "Approved":
        return [_condition(kind, "True", "ApprovedAnnotation", f"approved in {said}")]
    return []


def is_terminating(definition: Object) -> bool:
    return being_deleted(definition) or conditions.is_true(definition, "Terminating")


def terminating(
    definition: Object, status: str, reason: str, message: str, *, now: str
) -> list[dict[str, Any]]:
    """The conditions with this one of `Terminating`."""
    known: list[Mapping[str, Any]] = list((definition.get("status") or {}).get("conditions") or ())
    return conditions.replaced(known, _condition("Terminating", status, reason, message), now=now)
