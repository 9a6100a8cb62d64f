"""Cluster roles whose rules are collected from other cluster roles by label.

`admin`, `edit` and `view` are such roles. A new cluster is born with their rules collected; from then on the
controller of that name does it.
"""

from __future__ import annotations

from collections.abc import Mapping

from mamekube.apiserver.access.rbac import Rule
from mamekube.objects import selectors
from mamekube.objects.meta import Object, labels_of, name_of


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
