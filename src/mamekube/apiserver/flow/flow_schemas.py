"""Which FlowSchema a request belongs to, and which flow within it. Pure.

Schemas are tried in order of precedence, then of name; the first that matches both who asks and what for decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.apiserver.request import Request, User
from mamekube.objects.meta import Object, metadata, name_of

ANY = "*"
SERVICE_ACCOUNT = "system:serviceaccount:"

Matches = Callable[[Request], bool]


@dataclass(slots=True)
class Schema:
    """A compiled FlowSchema."""

    name: str
    uid: str
    precedence: int
    level: str
    distinguisher: str
    rules: tuple[Matches, ...]

    def matches(self, request: Request) -> bool:
        return any(rule(request) for rule in self.rules)

    def flow_of(self, request: Request) -> str:
        """What tells one flow of this schema from another."""
        if self.distinguisher == "ByUser":
            return request.user.name
        return request.namespace if self.distinguisher == "ByNamespace" else ""


def compile_schema(schema: Object) -> Schema:
    spec = schema.get("spec") or {}
    return Schema(
        name=name_of(schema),
        uid=str(metadata(schema).get("uid") or ""),
        precedence=spec.get("matchingPrecedence") or 0,
        level=(spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        distinguisher=(spec.get("distinguisherMethod") or {}).get("type") or "",
        rules=tuple(map(_rule, spec.get("rules") or ())),
    )


def ordered(schemas: Sequence[Schema]) -> list[Schema]:
    return sorted(schemas, key=lambda schema: (schema.precedence, schema.name))


def _rule(rule: Mapping[str, Any]) -> Matches:
    subjects = [_subject(subject) for subject in rule.get("subjects") or ()]
    resources = [_resource_rule(entry) for entry in rule.get("resourceRules") or ()]
    paths = [_path_rule(entry) for entry in rule.get("nonResourceRules") or ()]

    def matches(request: Request) -> bool:
        if not any(subject(request.user) for subject in subjects):
            return False
        return any(wanted(request) for wanted in (resources if request.is_resource else paths))

    return matches


def _subject(subject: Mapping[str, Any]) -> Callable[[User], bool]:
    kind = subject.get("kind")
    if kind == "User":
        user_name = (subject.get("user") or {}).get("name")
        return lambda user: user_name in (ANY, user.name)
    if kind == "Group":
        group = (subject.get("group") or {}).get("name")
        return lambda user: group == ANY or group in user.groups
    if kind == "ServiceAccount":
        account = subject.get("serviceAccount") or {}
        prefix = f"{SERVICE_ACCOUNT}{account.get('namespace')}:"
        if account.get("name") == ANY:
            return lambda user: user.name.startswith(prefix)
        return lambda user: user.name == f"{prefix}{account.get('name')}"
    return lambda user: False


def _resource_rule(rule: Mapping[str, Any]) -> Matches:
    verbs, groups = _values(rule, "verbs"), _values(rule, "apiGroups")
    resources, namespaces = _values(rule, "resources"), _values(rule, "namespaces")
    cluster = bool(rule.get("clusterScope"))

    def matches(request: Request) -> bool:
        resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
        return (
            _has(verbs, request.verb)
            and _has(groups, request.group)
            and _has(resources, resource)
            and (_has(namespaces, request.namespace) if request.namespace else cluster)
        )

    return matches


def _path_rule(rule: Mapping[str, Any]) -> Matches:
    verbs, paths = _values(rule, "verbs"), _values(rule, "nonResourceURLs")
    prefixes = tuple(path[:-1] for path in paths if path.endswith(ANY))

    def matches(request: Request) -> bool:
        return _has(verbs, request.verb) and (request.path in paths or request.path.startswith(prefixes))

    return matches


def _values(rule: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(rule.get(key) or ())


def _has(values: frozenset[str], value: str) -> bool:
    return value in values or ANY in values
