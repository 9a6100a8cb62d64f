"""`rules` of webhooks and policies: which operations on which resources they are about."""

from __future__ import annotations

from dataclasses import dataclass

from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object

ANY = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `rules`."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: frozenset[tuple[str, str]]
    """(resource, subresource), either of them `*`."""
    scope: str

    def covers(self, operation: str, plural: str, subresource: str, *, cluster: bool) -> bool:
        """Whether it is about such a write, whatever the group and version."""
        if operation not in self.operations and ANY not in self.operations:
            return False
        if self.scope != ANY and (self.scope == "Cluster") != cluster:
            return False
        return any(
            resource in (ANY, plural) and sub in (ANY, subresource) for resource, sub in self.resources
        )

    def covers_version(self, kind: Kind) -> bool:
        groups, versions = self.groups, self.versions
        return (kind.group in groups or ANY in groups) and (kind.version in versions or ANY in versions)


def compile_rule(rule: Object) -> Rule:
    def resource(text: str) -> tuple[str, str]:
        plural, _, subresource = text.partition("/")
        return plural, subresource

    return Rule(
        operations=frozenset(rule.get("operations") or ()),
        groups=frozenset(rule.get("apiGroups") or ()),
        versions=frozenset(rule.get("apiVersions") or ()),
        resources=frozenset(map(resource, rule.get("resources") or ())),
        scope=rule.get("scope") or ANY,
    )
