"""One scheduling cycle, purely: a pod and a cluster in, a node or the reasons why there is none out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mamekube.scheduler import filters, neighbours, spreading
from mamekube.scheduler.cluster import Cluster, NodeState
from mamekube.scheduler.facts import PodFacts
from mamekube.scheduler.filters import Check, Filter, Refusal
from mamekube.scheduler.laps import FILTER, PRE_FILTER, SCORE, Laps
from mamekube.scheduler.scores import total_scores

FILTERS: tuple[tuple[str, Filter], ...] = (
    ("NodeUnschedulable", filters.node_unschedulable),
    ("NodeName", filters.node_name),
    ("TaintToleration", filters.taint_toleration),
    ("NodeAffinity", filters.node_affinity),
    ("NodePorts", filters.node_ports),
    ("NodeResourcesFit", filters.node_resources),
    ("PodTopologySpread", spreading.topology_spread),
    ("InterPodAffinity", neighbours.inter_pod_affinity),
)
"""In the order in which a node is asked; the first refusal is the one that is told."""

COMPARED_NODES_MIN = 100
COMPARED_PERCENT_MIN = 5
"""In large clusters only a part of the nodes is compared. Upstream: minFeasibleNodesToFind and its percentage."""

NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Placement:
    node_name: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No node will do: by name, which filter refused and why."""

    refusals: Mapping[str, tuple[str, Refusal]]

    @property
    def plugins(self) -> frozenset[str]:
        return frozenset(plugin for plugin, _ in self.refusals.values())

    def message(self, afterwards: str = "") -> str:
        """What users read; `afterwards` is what preemption had to say."""
        if not self.refusals:
            return NO_NODES
        text = fit_message(len(self.refusals), (refusal for _, refusal in self.refusals.values()))
        return f"{text} {afterwards}" if afterwards else text


class Fitness:
    """Whether nodes will do for one pod, as the cluster is now."""

    def __init__(self, facts: PodFacts, cluster: Cluster) -> None:
        self._checks: list[tuple[str, Check]] = []
        for name, make in FILTERS:
            check = make(facts, cluster)
            if check is not None:
                self._checks.append((name, check))

    def refusal(self, node: NodeState) -> tuple[str, Refusal] | None:
        for name, check in self._checks:
            refusal = check(node)
            if refusal is not None:
                return name, refusal
        return None


def schedule(
    facts: PodFacts,
    cluster: Cluster,
    *,
    start: int = 0,
    choose: random.Random | None = None,
    laps: Laps | None = None,
) -> Placement | Unplaced:
    """Find the best node. `start` is where the search begins in a large cluster; `choose` decides between equals;
    `laps` is told how long it took."""
    laps = laps or Laps()
    nominated = cluster.nominated.get(facts.uid)
    others = [
        other
        for uid, other in cluster.nominated.items()
        if uid != facts.uid and other.priority >= facts.priority
    ]
    if nominated is not None and nominated.node_name in cluster.nodes:
        home = [cluster.nodes[nominated.node_name]]
        if find_feasible(facts, cluster, home, others=others, enough=1, laps=laps)[0]:
            return Placement(nominated.node_name)
    names = list(cluster.nodes.values())
    start %= max(1, len(names))
    feasible, refusals = find_feasible(
        facts,
        cluster,
        [*names[start:], *names[:start]],
        others=others,
        enough=compared_nodes(len(names)),
        laps=laps,
    )
    if not feasible:
        return Unplaced(refusals)
    if len(feasible) == 1:
        return Placement(feasible[0].name)
    laps.begin()
    totals = total_scores(facts, cluster, feasible)
    laps.end(SCORE)
    best = max(totals)
    equals = [node.name for node, total in zip(feasible, totals, strict=True) if total == best]
    return Placement((choose or random).choice(equals))


def find_feasible(
    facts: PodFacts,
    cluster: Cluster,
    nodes: Sequence[NodeState],
    *,
    others: Sequence[PodFacts] = (),
    enough: int,
    laps: Laps,
) -> tuple[list[NodeState], dict[str, tuple[str, Refusal]]]:
    """`(nodes that will do, refusals of the others by name)`; the search ends when there are `enough`.

    A node must do with and without `others`, which have a claim to resources and may be wanted as neighbours, but
    do not run yet.
    """
    refusals: dict[str, tuple[str, Refusal]] = {}
    laps.begin()
    if others:
        with cluster.including(*others):
            crowded = Fitness(facts, cluster)
            laps.end(PRE_FILTER)
            for node in nodes:
                refusal = crowded.refusal(node)
                if refusal is not None:
                    refusals[node.name] = refusal
            laps.end(FILTER)
    fitness = Fitness(facts, cluster)
    laps.end(PRE_FILTER)
    feasible: list[NodeState] = []
    for node in nodes:
        if node.name in refusals:
            continue
        refusal = fitness.refusal(node)
        if refusal is not None:
            refusals[node.name] = refusal
            continue
        feasible.append(node)
        if len(feasible) == enough:
            break
    laps.end(FILTER)
    return feasible, refusals


def compared_nodes(count: int) -> int:
    """How many nodes that will do are enough, in a cluster of `count`."""
    if count < COMPARED_NODES_MIN:
        return count
    percent = max(COMPARED_PERCENT_MIN, 50 - count // 125)
    return max(COMPARED_NODES_MIN, count * percent // 100)


def fit_message(count: int, refusals: Iterable[Refusal]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`"""
    reasons = Counter(reason for refusal in refusals for reason in refusal.reasons)
    told = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return f"0/{count} nodes are available: {told}." if told else f"0/{count} nodes are available:"
