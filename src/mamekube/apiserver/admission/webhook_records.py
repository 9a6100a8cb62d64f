"""Webhook configurations, compiled: which writes a webhook wants to see, and how it is reached.

A configuration is compiled once, when it changes; a write only looks at what is ready. The records follow the
store, so there is no request for configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.apiserver.admission.matching import Conditions, Constraints, compile_constraints
from mamekube.apiserver.mirror import Mirror
from mamekube.foundation.lifecycle import Component
from mamekube.objects.meta import Object, name_of
from mamekube.objects.resource import Resource
from mamekube.store.store import Store

TIMEOUT_S = 10
REVIEW_VERSIONS = ("v1", "v1beta1")
_NO_RULES: list[Object] = [{"operations": [], "resources": []}]
"""A webhook without rules sees nothing; a policy without them sees everything."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of one configuration."""

    configuration: str
    name: str
    identity: str
    """Unique among all webhooks, and the same as long as the webhook keeps its place."""
    constraints: Constraints
    conditions: Conditions | None
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
        constraints=compile_constraints({**webhook, "resourceRules": webhook.get("rules") or _NO_RULES}),
        conditions=Conditions(webhook["matchConditions"]) if webhook.get("matchConditions") else None,
        client=webhook.get("clientConfig") or {},
        fails=webhook.get("failurePolicy") != "Ignore",
        dry_runs=webhook.get("sideEffects") in ("None", "NoneOnDryRun"),
        reinvoked=webhook.get("reinvocationPolicy") == "IfNeeded",
        timeout_s=webhook.get("timeoutSeconds") or TIMEOUT_S,
        versions=tuple(v for v in webhook.get("admissionReviewVersions") or () if v in REVIEW_VERSIONS),
    )


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
