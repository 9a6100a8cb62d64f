"""The audit policy: how much is noted of which requests. Pure, but for reading its file.

`audit.k8s.io/v1` `Policy`: the first rule that matches a request decides; none means nothing is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamekube.apiserver.request import Request, User
from mamekube.objects import fielderrors
from mamekube.objects.fielderrors import FieldError

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
    """The ways in which a policy may name it. `pods/*` is of pods themselves, too."""
    if not subresource:
        return (resource, f"{resource}/*", ANY)
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
    try:
        errors = _stage_errors(document, "omitStages")
        for index, rule in enumerate(rules):
            errors += _errors(rule, f"rules[{index}]")
        if errors:
            raise InvalidPolicy(fielderrors.summary(errors))
        return Policy(tuple(_rule(rule, document) for rule in rules))
    except (AttributeError, TypeError):
        raise InvalidPolicy("the document has not the form of a Policy of audit.k8s.io/v1") from None


def _errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    """Upstream's ValidatePolicy, for one rule."""
    errors = []
    level = rule.get("level")
    if not level:
        errors.append(fielderrors.required(f"{path}.level"))
    elif level not in LEVELS:
        errors.append(fielderrors.not_supported(f"{path}.level", level, LEVELS))
    paths = rule.get("nonResourceURLs") or []
    if paths and (rule.get("resources") or rule.get("namespaces")):
        detail = "rules cannot apply to both regular resources and non-resource URLs"
        errors.append(fielderrors.invalid(f"{path}.nonResourceURLs", paths, detail))
    for index, pattern in enumerate(paths):
        place = f"{path}.nonResourceURLs[{index}]"
        if pattern != ANY and not pattern.startswith("/"):
            detail = "non-resource URL rules must begin with a '/' character"
            errors.append(fielderrors.invalid(place, pattern, detail))
        if pattern != "" and ANY in pattern[:-1]:
            detail = "non-resource URL wildcards '*' must be the final character of the rule"
            errors.append(fielderrors.invalid(place, pattern, detail))
    for index, entry in enumerate(rule.get("resources") or ()):
        if entry.get("resourceNames") and not entry.get("resources"):
            detail = "using resourceNames requires at least one resource"
            place = f"{path}.resources[{index}].resourceNames"
            errors.append(fielderrors.invalid(place, entry["resourceNames"], detail))
    return errors + _stage_errors(rule, f"{path}.omitStages")


def _stage_errors(holder: Mapping[str, Any], path: str) -> list[FieldError]:
    return [
        fielderrors.invalid(f"{path}[{index}]", stage, f"allowed stages are {','.join(STAGES)}")
        for index, stage in enumerate(holder.get("omitStages") or ())
        if stage not in STAGES
    ]


def _rule(rule: Mapping[str, Any], policy: Mapping[str, Any]) -> Rule:
    stages = {*(rule.get("omitStages") or ()), *(policy.get("omitStages") or ())}
    omits = rule.get("omitManagedFields")
    return Rule(
        level=LEVELS.index(rule["level"]),
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
