"""Role-based access control: which rules a user has, and whether they allow a request.

Pure evaluation over roles and bindings that somebody else keeps up to date (`put`, `drop`). The rules of a
user are compiled once into a table from (verb, group, resource) and kept until any role or binding changes,
so that a decision costs a few dictionary look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mamekube.apiserver.builtin import RBAC_GROUP
from mamekube.apiserver.request import User
from mamekube.objects.meta import Object, name_of, namespace_of

Rule = Mapping[str, Any]
"""A PolicyRule: verbs, apiGroups, resources, resourceNames, nonResourceURLs."""

USERS_KEPT_MAX = 2000
"""Users whose compiled rules are kept. Clusters have fewer; beyond it the oldest half goes."""


class Grant(NamedTuple):
    """One rule that a user has, and through what."""

    rule: Rule
    binding: Object
    namespace: str
    """`""`: everywhere."""
    subject: Mapping[str, Any]


class MissingRole(NamedTuple):
    """A binding of the user's names a role that does not exist."""

    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        return f'{self.kind.lower()}.{RBAC_GROUP} "{self.name}" not found'


class RuleTable:
    """Rules of one user in one scope, compiled."""

    __slots__ = ("_answers", "_paths", "_resources")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._resources: dict[tuple[str, str, str], frozenset[str] | None] = {}
        self._paths: list[tuple[frozenset[str], str]] = []
        self._answers: dict[tuple[str, str, str, str], tuple[bool, frozenset[str]]] = {}
        for rule in rules:
            self._add(rule)

    def allows(self, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
        key = (verb, group, resource, subresource)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._find(*key)
        everything, names = answer
        return everything or (name in names and name != "")

    def allows_path(self, verb: str, path: str) -> bool:
        return any(
            (verb in verbs or "*" in verbs) and _path_matches(pattern, path) for verbs, pattern in self._paths
        )

    def _add(self, rule: Rule) -> None:
        verbs = frozenset(rule.get("verbs") or ())
        names = frozenset(rule.get("resourceNames") or ()) or None
        for pattern in rule.get("nonResourceURLs") or ():
            self._paths.append((verbs, pattern))
        for verb in verbs:
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    key = (verb, group, resource)
                    known = self._resources.get(key, frozenset())
                    self._resources[key] = None if known is None or names is None else known | names

    def _find(self, verb: str, group: str, resource: str, subresource: str) -> tuple[bool, frozenset[str]]:
        """Whether every name is allowed, or else which names are."""
        resources = [f"{resource}/{subresource}" if subresource else resource, "*"]
        if subresource:
            resources.append(f"*/{subresource}")
        names: frozenset[str] = frozenset()
        for key in ((v, g, r) for v in (verb, "*") for g in (group, "*") for r in resources):
            if key in self._resources:
                found = self._resources[key]
                if found is None:
                    return True, names
                names |= found
        return False, names


@dataclass(slots=True)
class UserRules:
    """What one user may do: everywhere, and in single namespaces besides."""

    everywhere: RuleTable
    namespaces: dict[str, RuleTable]
    missing: list[MissingRole] = field(default_factory=list)

    def allows(
        self, verb: str, group: str, resource: str, subresource: str, namespace: str, name: str
    ) -> bool:
        if self.everywhere.allows(verb, group, resource, subresource, name):
            return True
        local = self.namespaces.get(namespace) if namespace else None
        return local is not None and local.allows(verb, group, resource, subresource, name)


class Roles:
    """Every role and binding, by the subjects they name."""

    def __init__(self) -> None:
        self._roles: dict[tuple[str, str, str], Object] = {}
        self._bindings: dict[tuple[str, str], dict[tuple[str, str], Object]] = {}
        self._compiled: dict[tuple[str, tuple[str, ...]], UserRules] = {}

    def put(self, obj: Object, old: Object | None = None) -> None:
        """Note a role or binding, replacing `old`."""
        if old is not None:
            self.drop(old)
        kind, key = obj["kind"], (namespace_of(obj), name_of(obj))
        if kind in ("Role", "ClusterRole"):
            self._roles[(kind, *key)] = obj
        else:
            for subject in _subject_keys(obj):
                self._bindings.setdefault(subject, {})[key] = obj
        self._compiled.clear()

    def drop(self, obj: Object) -> None:
        kind, key = obj["kind"], (namespace_of(obj), name_of(obj))
        if kind in ("Role", "ClusterRole"):
            self._roles.pop((kind, *key), None)
        else:
            for subject in _subject_keys(obj):
                self._bindings.get(subject, {}).pop(key, None)
        self._compiled.clear()

    def rules_of(self, user: User) -> UserRules:
        """The compiled rules of `user`; the same object until a role or binding changes."""
        key = (user.name, user.groups)
        rules = self._compiled.get(key)
        if rules is None:
            if len(self._compiled) >= USERS_KEPT_MAX:
                for old in list(self._compiled)[: USERS_KEPT_MAX // 2]:
                    del self._compiled[old]
            rules = self._compiled[key] = self._compile(user)
        return rules

    def grants(self, user: User, namespace: str) -> Iterator[Grant | MissingRole]:
        """Every rule that counts in `namespace`, in upstream's order: cluster bindings, then local ones."""
        for scope, binding, subject in self._bindings_of(user):
            if scope and scope != namespace:
                continue
            rules = self.rules_of_reference(binding["roleRef"], scope)
            if isinstance(rules, MissingRole):
                yield rules
            else:
                for rule in rules:
                    yield Grant(rule, binding, scope, subject)

    def rules_of_reference(
        self, reference: Mapping[str, Any], namespace: str
    ) -> Sequence[Rule] | MissingRole:
        """The rules of the role that a binding in `namespace` refers to."""
        kind, name = reference.get("kind", ""), reference.get("name", "")
        scope = namespace if kind == "Role" else ""
        role = self._roles.get((kind, scope, name))
        return MissingRole(kind, name, scope) if role is None else role.get("rules") or ()

    def _bindings_of(self, user: User) -> Iterator[tuple[str, Object, Mapping[str, Any]]]:
        """(namespace or "", binding, the first subject of it that is this user), in order of names."""
        subjects = {("User", user.name), *(("Group", group) for group in user.groups)}
        found = {
            key: binding for subject in subjects for key, binding in self._bindings.get(subject, {}).items()
        }
        for key in sorted(found):
            binding = found[key]
            match = next(s for s in binding["subjects"] if _subject_key(s, key[0]) in subjects)
            yield key[0], binding, match

    def _compile(self, user: User) -> UserRules:
        everywhere: list[Rule] = []
        local: dict[str, list[Rule]] = {}
        missing: list[MissingRole] = []
        for scope, binding, _ in self._bindings_of(user):
            rules = self.rules_of_reference(binding["roleRef"], scope)
            if isinstance(rules, MissingRole):
                missing.append(rules)
            else:
                (local.setdefault(scope, []) if scope else everywhere).extend(rules)
        tables = {namespace: RuleTable(rules) for namespace, rules in local.items()}
        return UserRules(RuleTable(everywhere), tables, missing)


def rule_allows(rule: Rule, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
    """Whether this one rule allows it: the slow path, which tells through what something is allowed."""
    return RuleTable((rule,)).allows(verb, group, resource, subresource, name)


def rule_allows_path(rule: Rule, verb: str, path: str) -> bool:
    return RuleTable((rule,)).allows_path(verb, path)


def _subject_keys(binding: Object) -> set[tuple[str, str]]:
    keys = (_subject_key(subject, namespace_of(binding)) for subject in binding.get("subjects") or ())
    return {key for key in keys if key is not None}


def _subject_key(subject: Mapping[str, Any], namespace: str) -> tuple[str, str] | None:
    kind = subject.get("kind")
    if kind == "ServiceAccount":
        home = subject.get("namespace") or namespace
        # A service account without a namespace, in a binding that has none either, is nobody.
        return ("User", f"system:serviceaccount:{home}:{subject.get('name')}") if home else None
    return (kind, subject.get("name", "")) if kind in ("User", "Group") else None


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))
