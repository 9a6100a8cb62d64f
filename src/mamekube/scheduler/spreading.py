"""Topology spread: like pods evenly over nodes, zones and whatever else has a label."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.objects import selectors
from mamekube.objects.selectors import Selector
from mamekube.scheduler.cluster import Cluster, NodeState
from mamekube.scheduler.facts import PodFacts
from mamekube.scheduler.filters import Check, NodeMatch, Refusal, required_nodes, tolerates

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"

UNEVEN = Refusal(("node(s) didn't match pod topology spread constraints",))
NO_LABEL = Refusal(("node(s) didn't match pod topology spread constraints (missing required label)",), False)


@dataclass(frozen=True, slots=True)
class Constraint:
    topology_key: str
    skew_max: int
    selector: Selector
    domains_min: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


DEFAULT_SKEWS = ((HOSTNAME, 3), (ZONE, 5))
"""What a pod of a service or a controller gets without constraints of its own. Upstream: systemDefaultConstraints."""


def topology_spread(facts: PodFacts, cluster: Cluster) -> Check | None:
    """The filter: constraints with `DoNotSchedule`."""
    constraints = _constraints(facts, "DoNotSchedule")
    if not constraints:
        return None
    keys = [constraint.topology_key for constraint in constraints]
    nodes = [node for node in cluster.nodes.values() if all(key in node.labels for key in keys)]
    rules = []
    for constraint in constraints:
        counts = _by_domain(constraint, facts, cluster, _eligible(constraint, facts, nodes))
        low = min(counts.values(), default=0) if len(counts) >= constraint.domains_min else 0
        rules.append((constraint, counts, low, int(constraint.selector.matches(facts.labels))))

    def check(node: NodeState) -> Refusal | None:
        for constraint, counts, low, itself in rules:
            value = node.labels.get(constraint.topology_key)
            if value is None:
                return NO_LABEL
            if counts.get(value, 0) + itself - low > constraint.skew_max:
                return UNEVEN
        return None

    return check


def score_spread(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> Sequence[int] | None:
    """The score: constraints with `ScheduleAnyway`, or the defaults where the pod has siblings."""
    constraints = _constraints(facts, "ScheduleAnyway")
    by_default = not facts.spec.get("topologySpreadConstraints")
    if by_default and facts.siblings is not None:
        constraints = [Constraint(key, skew, facts.siblings) for key, skew in DEFAULT_SKEWS]
    if not constraints:
        return None
    # Nodes without all labels are out of the comparison, but the defaults take what they find.
    counted = [by_default or all(c.topology_key in node.labels for c in constraints) for node in nodes]
    compared = [node for node, counts in zip(nodes, counted, strict=True) if counts]
    sums = [0.0] * len(nodes)
    for constraint in constraints:
        eligible = _eligible(constraint, facts, list(cluster.nodes.values()))
        by_domain = _by_domain(constraint, facts, cluster, eligible)
        values = {
            node.labels[constraint.topology_key]
            for node in compared
            if constraint.topology_key in node.labels
        }
        size = len(compared) if constraint.topology_key == HOSTNAME else len(values)
        weight = math.log(size + 2)
        for index, node in enumerate(nodes):
            value = node.labels.get(constraint.topology_key)
            if value is not None:
                sums[index] += by_domain.get(value, 0) * weight + (constraint.skew_max - 1)
    return _normalized([round(total) for total in sums], counted)


def _normalized(sums: Sequence[int], counted: Sequence[bool]) -> Sequence[int]:
    """The emptiest gets the most; what is out of the comparison gets nothing."""
    compared = [total for total, counts in zip(sums, counted, strict=True) if counts]
    low, high = min(compared, default=0), max(compared, default=0)
    scores = []
    for total, counts in zip(sums, counted, strict=True):
        if not counts:
            scores.append(0)
        else:
            scores.append(100 if high == 0 else 100 * (high + low - total) // high)
    return scores


def _constraints(facts: PodFacts, when: str) -> list[Constraint]:
    entries = facts.spec.get("topologySpreadConstraints") or ()
    return [_constraint(entry, facts) for entry in entries if entry.get("whenUnsatisfiable") == when]


def _constraint(entry: Mapping[str, Any], facts: PodFacts) -> Constraint:
    selector = selectors.from_label_selector(entry.get("labelSelector"))
    keys = [key for key in entry.get("matchLabelKeys") or () if key in facts.labels]
    if keys:
        more = selectors.from_labels({key: facts.labels[key] for key in keys})
        selector = Selector((*selector.requirements, *more.requirements), selector.nothing)
    return Constraint(
        topology_key=entry["topologyKey"],
        skew_max=entry["maxSkew"],
        selector=selector,
        domains_min=entry.get("minDomains") or 1,
        honors_affinity=entry.get("nodeAffinityPolicy", "Honor") == "Honor",
        honors_taints=entry.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )


def _eligible(constraint: Constraint, facts: PodFacts, nodes: Sequence[NodeState]) -> Sequence[NodeState]:
    """The nodes whose pods count."""
    matches: NodeMatch | None = required_nodes(facts) if constraint.honors_affinity else None
    if matches is not None:
        nodes = [node for node in nodes if matches(node)]
    if constraint.honors_taints:
        tolerations = facts.spec.get("tolerations") or ()
        nodes = [node for node in nodes if all(_harmless(taint, tolerations) for taint in node.taints)]
    return nodes


def _harmless(taint: Mapping[str, Any], tolerations: Sequence[Mapping[str, Any]]) -> bool:
    return taint["effect"] == "PreferNoSchedule" or tolerates(tolerations, taint)


def _by_domain(
    constraint: Constraint, facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]
) -> Counter[str]:
    """How many like pods run in each domain of the eligible nodes; empty domains count too."""
    by_node = cluster.count_living(facts.namespace, constraint.selector)
    counts: Counter[str] = Counter()
    for node in nodes:
        value = node.labels.get(constraint.topology_key)
        if value is not None:
            counts[value] += by_node.get(node.name, 0)
    return counts


def siblings_selector(services: Sequence[Mapping[str, str]], owner: Selector | None) -> Selector | None:
    """What selects a pod's siblings: the selectors of its services and of its controller together."""
    merged: dict[str, str] = {}
    for selector in services:
        merged.update(selector)
    requirements = selectors.from_labels(merged).requirements if merged else ()
    if owner is not None and not owner.nothing:
        requirements = (*requirements, *owner.requirements)
    return Selector(requirements) if requirements else None
