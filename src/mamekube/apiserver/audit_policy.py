"""The audit policy: how much is noted of which requests. Pure, but for reading its file.

`audit.k8s.io/v1` `Policy`: the first rule that matches a request decides; none means nothing is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamekube.apiserver.request import Request, User

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
METADATA, REQUEST, REQUEST_RESPONSE = 1, 2, 3
ANY = "*"


class InvalidPolicy(Exception):
    """The file is no audit policy; the text says why."""


@dataclass(frozen=True, slots=True)
class Resources:
    """An entry of `resources`."""

    group: str
    resources: frozenset[str]
    names: frozenset[str]

    def matches(self, request: Request) -> bool:
        if request.group != self.group:
            return False
        if not self.resources:
            return True
        return any(name in self.resources for name in _forms(request.resource, request.subresource)) and (
            not self.names or request.name in self.names
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """What is noted of the requests that it matches."""

    level: int
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    resources: tuple[Resources, ...] = ()
    namespaces: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()

    def matches(self, request: Request, user: User) -> bool:
        if self.users and user.name not in self.users:
            return False
        if self.groups and not self.groups.intersection(user.groups):
            return False
        if self.verbs and request.verb not in self.verbs:
            return False
        if not (self.resources or self.namespaces or self.paths):
            return True
        return self._matches_resource(request) if request.is_resource else self._matches_path(request.path)

    def _matches_resource(self, request: Request) -> bool:
        if not (self.resources or self.namespaces):
            return False
        if self.namespaces and request.namespace not in self.namespaces:
            return False
        return not self.resources or any(entry.matches(request) for entry in self.resources)

    def _matches_path(self, path: str) -> bool:
        return any(
            pattern == ANY or path == pattern or (pattern.endswith(ANY) and path.startswith(pattern[:-1]))
            for pattern in self.paths
        )


NOTHING = Rule(level=0)


@dataclass(frozen=True, slots=True)
class Policy:
    rules: tuple[Rule, ...]

    def rule_for(self, request: Request, user: User) -> Rule:
        return next((rule for rule in self.rules if rule.matches(request, user)), NOTHING)


def _forms(resource: str, subresource: str) -> Sequence[str]:
    """The ways in which a policy may name it: `pods`, `pods/log`, `pods/*`, `*/log`, `*`."""
    if not subresource:
        return (resource, ANY)
    return (f"{resource}/{subresource}", f"{resource}/*", f"*/{subresource}", ANY)


def read_policy(path: str) -> Policy:
    """Raises InvalidPolicy and OSError."""
    import yaml

    try:
        document = yaml.safe_load(Path(path).read_text())
    except yaml.YAMLError as error:
        raise InvalidPolicy(f"{path}: {error}") from None
    return parse_policy(document)


def parse_policy(document: Any) -> Policy:
    """Raises InvalidPolicy."""
    if not isinstance(document, Mapping) or document.get("kind") != "Policy":
        raise InvalidPolicy("the document is no Policy of audit.k8s.io/v1")
    if document.get("apiVersion") != "audit.k8s.io/v1":
        raise InvalidPolicy(f"unknown group version field {document.get('apiVersion')} in policy")
    rules = document.get("rules") or ()
    if not rules:
        raise InvalidPolicy("loaded illegal policy with 0 rules")
    return Policy(tuple(_rule(rule, document) for rule in rules))


def _rule(rule: Mapping[str, Any], policy: Mapping[str, Any]) -> Rule:
    level = rule.get("level")
    if level not in LEVELS:
        raise InvalidPolicy(f'rules[].level: Unsupported value: "{level}"')
    stages = {*(rule.get("omitStages") or ()), *(policy.get("omitStages") or ())}
    unknown = stages.difference(STAGES)
    if unknown:
        raise InvalidPolicy(f'omitStages: Unsupported value: "{min(unknown)}"')
    omits = rule.get("omitManagedFields")
    return Rule(
        level=LEVELS.index(level),
        omit_stages=frozenset(stages),
        omit_managed_fields=bool(policy.get("omitManagedFields") if omits is None else omits),
        users=_values(rule, "users"),
        groups=_values(rule, "userGroups"),
        verbs=_values(rule, "verbs"),
        resources=tuple(
            Resources(entry.get("group") or "", _values(entry, "resources"), _values(entry, "resourceNames"))
            for entry in rule.get("resources") or ()
        ),
        namespaces=_values(rule, "namespaces"),
        paths=tuple(rule.get("nonResourceURLs") or ()),
    )


def _values(rule: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(rule.get(key) or ())
