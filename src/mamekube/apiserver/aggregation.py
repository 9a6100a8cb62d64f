"""Cluster roles whose rules are collected from other cluster roles by label.

`admin`, `edit` and `view` are such roles, so that an extension can add its own rules to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mamekube.apiserver import builtin
from mamekube.apiserver.authorization import Authorizer
from mamekube.apiserver.rbac import Rule
from mamekube.client.client import Client
from mamekube.foundation.lifecycle import Component
from mamekube.objects import selectors
from mamekube.objects.meta import Object, labels_of, name_of
from mamekube.objects.status import StatusError

RETRY_S = 1.0


class RoleAggregation(Component):
    """Writes the collected rules whenever a cluster role changes."""

    def __init__(self, client: Client, authorizer: Authorizer) -> None:
        super().__init__()
        self._client = client
        self._authorizer = authorizer

    async def start(self) -> None:
        self.spawn(self._run(), name="role aggregation")

    async def _run(self) -> None:
        while True:
            self._authorizer.roles_changed.clear()
            if not await self._aggregate():
                await asyncio.sleep(RETRY_S)
                continue
            await self._authorizer.roles_changed.wait()

    async def _aggregate(self) -> bool:
        """Whether every write was accepted."""
        roles = self._authorizer.roles.cluster_roles()
        try:
            for role in roles.values():
                rules = aggregated(role, roles)
                if rules is not None and rules != (role.get("rules") or []):
                    await self._client.patch(builtin.CLUSTER_ROLES, name_of(role), {"rules": rules})
        except StatusError:
            return False
        return True


def aggregated(role: Object, roles: Mapping[str, Object]) -> list[Rule] | None:
    """The rules that `role` should have, in order of the names of those it collects; None if it collects none."""
    rule = role.get("aggregationRule")
    if not rule:
        return None
    found: list[Rule] = []
    for label_selector in rule.get("clusterRoleSelectors") or ():
        selector = selectors.from_label_selector(label_selector)
        for name in sorted(roles):
            if name != name_of(role) and selector.matches(labels_of(roles[name])):
                found += [rule for rule in roles[name].get("rules") or () if rule not in found]
    return found
