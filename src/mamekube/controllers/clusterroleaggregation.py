"""ClusterRoles whose rules are the union of other ClusterRoles' rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mamekube.controllers.resources import CLUSTER_ROLES
from mamekube.controllers.runtime import Controller, Watch
from mamekube.objects.meta import Object, key_of, labels_of, name_of
from mamekube.objects.selectors import from_label_selector


def plan(role: Object, roles: Iterable[Object]) -> list[dict[str, Any]] | None:
    """The rules that `role` should have; None where it has them. Of equal rules only the first counts."""
    others = sorted((other for other in roles if name_of(other) != name_of(role)), key=name_of)
    rules: list[dict[str, Any]] = []
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        matches = from_label_selector(selector).matches
        for other in others:
            if matches(labels_of(other)):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return None if rules == (role.get("rules") or []) else rules


def _aggregating(controller: Controller, role: Object) -> Iterable[str]:
    """Any role may be part of any aggregation, and there are few that aggregate."""
    for other in controller.cache(CLUSTER_ROLES).list():
        if other.get("aggregationRule"):
            yield key_of(other)


def _matters(old: Object, new: Object) -> bool:
    fields = ("rules", "aggregationRule")
    return labels_of(old) != labels_of(new) or any(old.get(field) != new.get(field) for field in fields)


class ClusterRoleAggregationController(Controller):
    """Duty: the rules of each ClusterRole with an `aggregationRule` are those of the roles it selects.

    Woken by every change of rules or labels of a ClusterRole.
    """

    name = "clusterrole-aggregation-controller"
    account = "clusterrole-aggregation-controller"
    watches = (Watch(resource=CLUSTER_ROLES, keys=_aggregating, matters=_matters),)
    spacing_s = 0.1

    async def reconcile(self, key: str) -> float | None:
        cache = self.cache(CLUSTER_ROLES)
        role = cache.get(key)
        if role is None or not role.get("aggregationRule"):
            return None
        rules = plan(role, cache.list())
        if rules is not None:
            await self.client.update(CLUSTER_ROLES, {**role, "rules": rules})
        return None
