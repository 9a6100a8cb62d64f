"""The rules of Roles and ClusterRoles."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import selectors
from mamekube.kinds.fields import Found
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object


def default(role: Object) -> None:
    # A role without rules says so: upstream writes the field always, and null is Go's empty list.
    role["rules"] = role.get("rules") or None


def validate_role(role: Object) -> Found:
    return _validate(role.get("rules") or (), namespaced=True)


def validate_cluster_role(role: Object) -> Found:
    found = _validate(role.get("rules") or (), namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is None:
        return found
    path = "aggregationRule.clusterRoleSelectors"
    wanted = aggregation.get("clusterRoleSelectors") or ()
    if not wanted:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        found.append(required(path, detail))
    for index, selector in enumerate(wanted):
        before = len(found)
        selectors.validate(selector, f"{path}[{index}]", found)
        if len(found) > before:
            # Upstream shows what it could not make of the selector: nothing.
            found.append(invalid(f"{path}[{index}]", "null", "invalid label selector."))
    return found


def _validate(rules: Any, *, namespaced: bool) -> Found:
    found: Found = []
    for index, rule in enumerate(rules):
        _validate_rule(rule, f"rules[{index}]", found, namespaced=namespaced)
    return found


def _validate_rule(rule: dict[str, Any], path: str, found: Found, *, namespaced: bool) -> None:
    if not rule.get("verbs"):
        found.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            found.append(invalid(f"{path}.nonResourceURLs", urls, detail))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(invalid(f"{path}.nonResourceURLs", urls, detail))
        return
    if not rule.get("apiGroups"):
        found.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        found.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
