"""Webhook configurations, compiled: which writes a webhook wants to see, and how it is reached.

A configuration is compiled once, when it changes; a write only looks at what is ready. The records follow the
store, so there is no request for configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.apiserver.mirror import Mirror
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.kind import Kind
from mamekube.objects import selectors
from mamekube.objects.meta import Object, name_of
from mamekube.objects.resource import Resource
from mamekube.objects.selectors import EVERYTHING, Selector
from mamekube.store.store import Store

TIMEOUT_S = 10
REVIEW_VERSIONS = ("v1", "v1beta1")
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


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of one configuration."""

    configuration: str
    name: str
    identity: str
    """Unique among all webhooks, and the same as long as the webhook keeps its place."""
    rules: tuple[Rule, ...]
    namespace_selector: Selector
    object_selector: Selector
    equivalent: bool
    """matchPolicy: a rule covers a write also through another version of what is written."""
    conditions: tuple[Mapping[str, Any], ...]
    client: Mapping[str, Any]
    """The clientConfig."""
    fails: bool
    """failurePolicy: whether a call that fails refuses the write."""
    dry_runs: bool
    """sideEffects: whether it may be called for a dry run."""
    reinvoked: bool
    timeout_s: int
    versions: tuple[str, ...]
    """The admissionReviewVersions that are known here, best first."""


def compile_configuration(configuration: Object) -> tuple[Webhook, ...]:
    """The webhooks of a configuration, in its order."""
    name = name_of(configuration)
    seen: dict[str, int] = {}
    webhooks = []
    for webhook in configuration.get("webhooks") or ():
        position = seen[webhook["name"]] = seen.get(webhook["name"], -1) + 1
        webhooks.append(_compile(name, webhook, f"{name}/{webhook['name']}/{position}"))
    return tuple(webhooks)


def _compile(configuration: str, webhook: Object, identity: str) -> Webhook:
    return Webhook(
        configuration=configuration,
        name=webhook["name"],
        identity=identity,
        rules=tuple(map(compile_rule, webhook.get("rules") or ())),
        namespace_selector=_selector(webhook.get("namespaceSelector")),
        object_selector=_selector(webhook.get("objectSelector")),
        equivalent=webhook.get("matchPolicy") != "Exact",
        conditions=tuple(webhook.get("matchConditions") or ()),
        client=webhook.get("clientConfig") or {},
        fails=webhook.get("failurePolicy") != "Ignore",
        dry_runs=webhook.get("sideEffects") in ("None", "NoneOnDryRun"),
        reinvoked=webhook.get("reinvocationPolicy") == "IfNeeded",
        timeout_s=webhook.get("timeoutSeconds") or TIMEOUT_S,
        versions=tuple(v for v in webhook.get("admissionReviewVersions") or () if v in REVIEW_VERSIONS),
    )


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


def _selector(selector: Mapping[str, Any] | None) -> Selector:
    return EVERYTHING if not selector else selectors.from_label_selector(selector)


class Webhooks(Component):
    """The compiled webhooks of all configurations of one kind, by the name of the configuration."""

    def __init__(self, store: Store, resource: Resource) -> None:
        super().__init__()
        self.all: tuple[Webhook, ...] = ()
        self._configurations: dict[str, tuple[Webhook, ...]] = {}
        self._mirror: Mirror[tuple[str, tuple[Webhook, ...]]] = Mirror(
            store, resource, digest=_digest, handler=self._changed
        )

    async def start(self) -> None:
        await self._mirror.__aenter__()

    async def stop(self) -> None:
        await self._mirror.__aexit__(None, None, None)

    def _changed(
        self, old: tuple[str, tuple[Webhook, ...]] | None, new: tuple[str, tuple[Webhook, ...]] | None
    ) -> None:
        if new is not None:
            self._configurations[new[0]] = new[1]
        elif old is not None:
            self._configurations.pop(old[0], None)
        self.all = tuple(
            webhook for name in sorted(self._configurations) for webhook in self._configurations[name]
        )


def _digest(configuration: Object, old: object) -> tuple[str, tuple[Webhook, ...]]:
    return name_of(configuration), compile_configuration(configuration)
