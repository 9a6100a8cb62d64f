"""Nobody grants by roles and bindings what they do not hold themselves.

Upstream's privilege escalation check: writing rules needs those rules, or the verb `escalate` on the role;
binding to a role needs the role's rules, or the verb `bind` on it. `system:masters` may do both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import MASTERS, Authorizer
from mamekube.apiserver.access.rbac import MissingRole, Rule
from mamekube.apiserver.writes import CREATE, UPDATE, Write
from mamekube.objects import status

EVERYTHING: tuple[Rule, ...] = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)

ROLE_PLURALS = frozenset({"roles", "clusterroles"})
BINDING_PLURALS = frozenset({"rolebindings", "clusterrolebindings"})


def check(write: Write, authorizer: Authorizer) -> None:
    """Raises 403 where the write of a role or binding would give more than its writer has."""
    if write.kind.group != builtin.RBAC_GROUP or write.operation not in (CREATE, UPDATE):
        return
    if MASTERS in write.user.groups or write.object is None:
        return
    if write.kind.plural in ROLE_PLURALS:
        _check_role(write, authorizer)
    elif write.kind.plural in BINDING_PLURALS:
        _check_binding(write, authorizer)


def covers(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The parts of `wanted` that no single rule in `held` covers; empty where all is covered."""
    return [
        part for rule in wanted for part in _parts(rule) if not any(_rule_covers(own, part) for own in held)
    ]


def _check_role(write: Write, authorizer: Authorizer) -> None:
    new, old = write.object or {}, write.old or {}
    rules, aggregation = new.get("rules") or [], new.get("aggregationRule")
    if write.old is not None and (rules, aggregation) == (old.get("rules") or [], old.get("aggregationRule")):
        return
    if _may(authorizer, write, "escalate", write.kind.plural, write.name):
        return
    if aggregation or old.get("aggregationRule"):
        held, _ = authorizer.rules_for(write.user, write.namespace)
        if covers(held, EVERYTHING):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise status.forbidden(write.kind, write.name, why)
    _confirm(write, authorizer, rules)


def _check_binding(write: Write, authorizer: Authorizer) -> None:
    new, old = write.object or {}, write.old or {}
    reference = new.get("roleRef") or {}
    if write.old is not None and all(
        (new.get(key) or []) == (old.get(key) or []) for key in ("roleRef", "subjects")
    ):
        return
    plural = "roles" if reference.get("kind") == "Role" else "clusterroles"
    if _may(authorizer, write, "bind", plural, reference.get("name", "")):
        return
    rules = authorizer.roles.rules_of_reference(reference, write.namespace)
    if isinstance(rules, MissingRole):
        details = {"name": rules.name, "group": builtin.RBAC_GROUP, "kind": rules.kind.lower()}
        raise status.StatusError(404, "NotFound", str(rules), details=details)
    _confirm(write, authorizer, rules)


def _may(authorizer: Authorizer, write: Write, verb: str, plural: str, name: str) -> bool:
    attributes = Attributes(
        write.user,
        verb,
        group=builtin.RBAC_GROUP,
        version="*",
        resource=plural,
        namespace=write.namespace,
        name=name,
    )
    return authorizer.authorize(attributes).allowed


def _confirm(write: Write, authorizer: Authorizer, rules: Sequence[Rule]) -> None:
    held, unresolved = authorizer.rules_for(write.user, write.namespace)
    missing = covers(held, rules)
    if not missing:
        return
    texts = sorted({describe(rule) for rule in _compact(missing)})
    why = (
        f"user {_quote(write.user.name)} (groups={_quote_list(write.user.groups)}) is attempting to grant "
        "RBAC permissions not currently held:\n" + "\n".join(texts)
    )
    if unresolved:
        why += f"; resolution errors: [{', '.join(unresolved)}]"
    raise status.forbidden(write.kind, write.name, why)


def describe(rule: Rule) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`"""
    fields = (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    )
    shown = [f"{title}:{_quote_list(rule[key])}" for title, key in fields if rule.get(key)]
    return "{" + ", ".join(shown) + "}"


def _parts(rule: Rule) -> Iterator[Rule]:
    """The rule in pieces of one verb on one group, resource and name, or on one path."""
    for verb in rule.get("verbs") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                part = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                names = rule.get("resourceNames") or ()
                yield from ({**part, "resourceNames": [name]} for name in names) if names else (part,)
        for path in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [path]}


def _rule_covers(own: Rule, part: Rule) -> bool:
    """Whether `own` allows all that `part`, a single piece, allows."""
    verb = part["verbs"][0]
    if not _has(own, "verbs", verb):
        return False
    if "nonResourceURLs" in part:
        path = part["nonResourceURLs"][0]
        return any(_path_covers(pattern, path) for pattern in own.get("nonResourceURLs") or ())
    resource = part["resources"][0]
    _, slash, subresource = resource.partition("/")
    if not _has(own, "resources", resource) and not (
        slash and f"*/{subresource}" in (own.get("resources") or ())
    ):
        return False
    if not _has(own, "apiGroups", part["apiGroups"][0]):
        return False
    own_names, names = own.get("resourceNames") or (), part.get("resourceNames") or ()
    return not own_names or (bool(names) and set(names) <= set(own_names))


def _has(rule: Rule, field: str, value: str) -> bool:
    values = rule.get(field) or ()
    return value in values or "*" in values


def _path_covers(pattern: str, path: str) -> bool:
    if pattern in ("*", path):
        return True
    return pattern.endswith("*") and path.rstrip("*").startswith(pattern.rstrip("*"))


def _compact(rules: Iterable[Rule]) -> list[Rule]:
    """Rules on the same resource as one, with all their verbs."""
    simple: dict[tuple[Any, ...], dict[str, Any]] = {}
    others: list[Rule] = []
    for rule in rules:
        if "resources" not in rule:
            others.append(rule)
            continue
        key = (rule["apiGroups"][0], rule["resources"][0], *rule.get("resourceNames", ()))
        known = simple.setdefault(key, {**rule, "verbs": []})
        known["verbs"] = [*known["verbs"], *rule["verbs"]]
    return [*others, *simple.values()]


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _quote_list(texts: Iterable[str]) -> str:
    """`["a" "b"]`: a list as Go quotes it."""
    return f"[{' '.join(map(_quote, texts))}]"
