"""kubectl auth reconcile: roles and bindings that grant at least what the files say, and perhaps nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, manifest_targets, placed_manifest
from mamekube.kubectl.transport import refusal
from mamekube.objects.meta import Object, annotations_of, metadata, uid_of

GROUP = "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
FLAGS = (
    *FILE_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    Flag("remove-extra-permissions", "bool"),
    Flag("remove-extra-subjects", "bool"),
)
Rule = Mapping[str, Any]


@dataclass(slots=True)
class Plan:
    """What to do about one object, and why."""

    operation: str
    """none, create, update or recreate."""
    outcome: Object
    missing: list[Any] = field(default_factory=list)
    extra: list[Any] = field(default_factory=list)
    protected: bool = False
    """Whether the object asked to be left alone."""


def run(session: Session) -> int:
    if not session.flag("filename"):
        raise Failure("error: must specify one of -f and -k")
    if dry_run(session) == "server":
        raise Failure("error: --dry-run=server for command reconcile is not supported yet")
    for target in manifest_targets(session, verb="reconcile"):
        if target.found.resource.group == GROUP:
            _reconcile(session, target)
    return 0


def _reconcile(session: Session, target: Target) -> None:
    expected = placed_manifest(target)
    answer = session.api.request("GET", target.path)
    if answer.code >= 400 and answer.code != 404:
        raise refusal(answer)
    existing = None if answer.code == 404 else answer.json()
    is_binding = target.found.resource.kind.endswith("Binding")
    what = "subjects" if is_binding else "rules"
    removes = bool(session.flag(f"remove-extra-{'subjects' if is_binding else 'permissions'}"))
    if existing is None:
        plan = Plan("create", expected, list(expected.get(what) or ()))
    elif is_binding:
        plan = plan_binding(expected, existing, removes_extra=removes)
    else:
        plan = plan_role(expected, existing, removes_extra=removes)
    if not plan.protected and dry_run(session) == "none":
        plan.outcome = _carry_out(session, target, plan, existing)
    report(session, target, plan.outcome, "reconciled")
    _explain(session, plan, what, removes)


def _carry_out(session: Session, target: Target, plan: Plan, existing: Object | None) -> Object:
    outcome = plan.outcome
    if plan.operation == "recreate" and existing is not None:
        preconditions = {"preconditions": {"uid": uid_of(existing)}}
        session.api.call("DELETE", target.path, body=preconditions)
    if plan.operation in ("create", "recreate"):
        outcome = session.api.call(
            "POST", target.found.resource.path(namespace=target.namespace), body=plan.outcome
        )
    elif plan.operation == "update":
        outcome = session.api.call("PUT", target.path, body=plan.outcome)
    return outcome


def _explain(session: Session, plan: Plan, what: str, removes_extra: bool) -> None:
    if plan.operation == "none":
        return
    caveat = f", but object opted out ({AUTOUPDATE}: false)" if plan.protected else ""
    session.warn(f"\treconciliation required {plan.operation}{caveat}")
    shown = _subject_text if what == "subjects" else _rule_text
    if plan.missing:
        session.warn(f"\tmissing {what} added:")
        for item in plan.missing:
            session.warn(f"\t\t{shown(item)}")
    if removes_extra and plan.extra:
        session.warn(f"\textra {what} removed:")
        for item in plan.extra:
            session.warn(f"\t\t{shown(item)}")


def _rule_text(rule: Rule) -> str:
    names = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    shown = ("Verbs", "APIGroups", "Resources", "ResourceNames", "NonResourceURLs")
    return (
        "{"
        + " ".join(
            f"{title}:[{' '.join(rule.get(name) or ())}]" for name, title in zip(names, shown, strict=True)
        )
        + "}"
    )


def _subject_text(subject: Mapping[str, str]) -> str:
    fields = (("Kind", "kind"), ("APIGroup", "apiGroup"), ("Name", "name"), ("Namespace", "namespace"))
    return "{" + " ".join(f"{title}:{subject.get(name, '')}" for title, name in fields) + "}"


# Plans ------------------------------------------------------------------------------------------------


def plan_role(expected: Object, existing: Object, *, removes_extra: bool) -> Plan:
    """The existing role with what it lacks."""
    plan = _plan_metadata(expected, existing)
    wanted, there = expected.get("rules") or [], existing.get("rules") or []
    if not (expected.get("aggregationRule") and existing.get("aggregationRule")):
        plan.extra = uncovered(wanted, there)
    plan.missing = uncovered(there, wanted)
    if removes_extra and (plan.missing or plan.extra):
        plan.outcome["rules"], plan.operation = wanted, "update"
    elif plan.missing:
        plan.outcome["rules"], plan.operation = [*there, *plan.missing], "update"
    _plan_aggregation(plan, expected, existing, removes_extra=removes_extra)
    return plan


def _plan_aggregation(plan: Plan, expected: Object, existing: Object, *, removes_extra: bool) -> None:
    wanted, there = expected.get("aggregationRule"), existing.get("aggregationRule")
    if wanted is None:
        if there is not None:
            del plan.outcome["aggregationRule"]
            plan.operation = "update"
        return
    selectors = wanted.get("clusterRoleSelectors") or []
    known = (there or {}).get("clusterRoleSelectors") or []
    missing = [selector for selector in selectors if selector not in known]
    extra = [selector for selector in known if selector not in selectors]
    if removes_extra and (missing or extra):
        plan.outcome["aggregationRule"], plan.operation = wanted, "update"
    elif missing:
        plan.outcome["aggregationRule"] = {"clusterRoleSelectors": [*known, *missing]}
        plan.operation = "update"


def plan_binding(expected: Object, existing: Object, *, removes_extra: bool) -> Plan:
    """The existing binding with the subjects that it lacks; another role takes another binding."""
    if expected.get("roleRef") != existing.get("roleRef"):
        protected = annotations_of(existing).get(AUTOUPDATE) == "false"
        return Plan("recreate", expected, protected=protected)
    plan = _plan_metadata(expected, existing)
    wanted, there = expected.get("subjects") or [], existing.get("subjects") or []
    plan.missing = _without(wanted, there)
    plan.extra = _without(there, wanted)
    if removes_extra and (plan.missing or plan.extra):
        plan.outcome["subjects"], plan.operation = wanted, "update"
    elif plan.missing:
        plan.outcome["subjects"], plan.operation = [*there, *plan.missing], "update"
    return plan


def _plan_metadata(expected: Object, existing: Object) -> Plan:
    """Labels and annotations that the file has and the object lacks; what the object has stays."""
    meta = dict(metadata(existing))
    for name in ("labels", "annotations"):
        together = {**(metadata(expected).get(name) or {}), **(meta.get(name) or {})}
        if together:
            meta[name] = together
    changed = meta != metadata(existing)
    protected = annotations_of(existing).get(AUTOUPDATE) == "false"
    return Plan("update" if changed else "none", {**existing, "metadata": meta}, protected=protected)


def _without(subjects: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """The subjects, each once, that the others are not."""
    left: list[Any] = []
    for subject in subjects:
        if subject not in others and subject not in left:
            left.append(subject)
    return left


def uncovered(owned: Sequence[Rule], wanted: Sequence[Rule]) -> list[Rule]:
    """What the wanted rules allow and the owned ones do not, a rule for each verb of each resource or path."""
    return [rule for part in wanted for rule in _single(part) if not any(_covers(own, rule) for own in owned)]


def _single(rule: Rule) -> Iterator[Rule]:
    for group, resource, verb in product(
        rule.get("apiGroups") or (), rule.get("resources") or (), rule.get("verbs") or ()
    ):
        base = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        names = rule.get("resourceNames")
        yield from ({**base, "resourceNames": [name]} for name in names) if names else (base,)
    for path, verb in product(rule.get("nonResourceURLs") or (), rule.get("verbs") or ()):
        yield {"nonResourceURLs": [path], "verbs": [verb]}


def _covers(owner: Rule, single: Rule) -> bool:
    if not _has(owner, "verbs", single):
        return False
    if single.get("nonResourceURLs"):
        (path,) = single["nonResourceURLs"]
        return any(
            known in ("*", path) or (known.endswith("*") and path.startswith(known.rstrip("*")))
            for known in owner.get("nonResourceURLs") or ()
        )
    names = owner.get("resourceNames") or ()
    named = not names or (bool(single.get("resourceNames")) and single["resourceNames"][0] in names)
    return named and _has(owner, "apiGroups", single) and _has_resource(owner, single["resources"][0])


def _has(owner: Rule, name: str, single: Rule) -> bool:
    known = owner.get(name) or ()
    return "*" in known or single[name][0] in known


def _has_resource(owner: Rule, resource: str) -> bool:
    known = owner.get("resources") or ()
    _, slash, subresource = resource.partition("/")
    return "*" in known or resource in known or (bool(slash) and f"*/{subresource}" in known)
