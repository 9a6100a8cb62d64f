"""Preemption, purely: whom to evict so that a pod of higher priority fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.objects import selectors
from mamekube.objects.meta import Object, metadata, namespace_of
from mamekube.scheduler.cluster import Cluster, NodeState
from mamekube.scheduler.cycle import Fitness, Unplaced, fit_message
from mamekube.scheduler.facts import PodFacts
from mamekube.scheduler.filters import Refusal

NO_CLAIMS = "no new claims to deallocate"
"""What the plugin of dynamic resources, asked before preemption, says about a pod without claims."""
NEVER = "not eligible due to preemptionPolicy=Never."
VICTIM_ENDS = "not eligible due to a terminating pod on the nominated node."
NOT_HELPFUL = Refusal(("Preemption is not helpful for scheduling",), False)
NO_VICTIMS = Refusal(("No preemption victims found for incoming pod",), False)


@dataclass(frozen=True, slots=True)
class Preemption:
    """Evict `victims` from a node, of which `violations` are against a disruption budget."""

    node_name: str
    victims: Sequence[PodFacts]
    violations: int


def preempt(
    facts: PodFacts, cluster: Cluster, unplaced: Unplaced, *, budgets: Sequence[Object] = ()
) -> Preemption | str:
    """The least painful preemption, or what users read about why there is none."""
    why_not = _not_eligible(facts, cluster)
    if why_not:
        return f"{NO_CLAIMS}, preemption: {why_not}"
    candidates: list[Preemption] = []
    refusals: list[Refusal] = []
    for name, (_, refusal) in unplaced.refusals.items():
        if not refusal.resolvable:
            refusals.append(NOT_HELPFUL)
            continue
        found = select_victims(facts, cluster, cluster.nodes[name], budgets=budgets)
        if isinstance(found, Preemption):
            candidates.append(found)
        else:
            refusals.append(found)
    if candidates:
        return min(candidates, key=_pain)
    return f"{NO_CLAIMS}, preemption: {fit_message(len(unplaced.refusals), refusals)}"


def select_victims(
    facts: PodFacts, cluster: Cluster, node: NodeState, *, budgets: Sequence[Object] = ()
) -> Preemption | Refusal:
    """The fewest and least important pods of a node whose removal makes the pod fit."""
    lower = [pod for pod in node.pods.values() if pod.priority < facts.priority]
    if not lower:
        return NO_VICTIMS
    with cluster.without(*lower):
        refused = Fitness(facts, cluster).refusal(node)
        if refused is not None:
            return refused[1]
        # The most important are spared first; those that a budget protects before all others.
        lower.sort(key=_importance)
        protected, others = split_by_budget(lower, budgets)
        victims: list[PodFacts] = []
        violations = 0
        for group in (protected, others):
            for pod in group:
                cluster.place(pod)
                if Fitness(facts, cluster).refusal(node) is not None:
                    cluster.displace(pod.uid)
                    victims.append(pod)
                    violations += group is protected
    return Preemption(node.name, sorted(victims, key=_importance), violations)


def split_by_budget(
    pods: Sequence[PodFacts], budgets: Sequence[Object]
) -> tuple[list[PodFacts], list[PodFacts]]:
    """`(pods whose eviction violates a disruption budget, the others)`."""
    allowed = [(budget.get("status") or {}).get("disruptionsAllowed", 0) for budget in budgets]
    protected: list[PodFacts] = []
    others: list[PodFacts] = []
    for pod in pods:
        violates = False
        for index, budget in enumerate(budgets):
            if not _protects(budget, pod):
                continue
            allowed[index] -= 1
            violates = violates or allowed[index] < 0
        (protected if violates else others).append(pod)
    return protected, others


def _protects(budget: Object, pod: PodFacts) -> bool:
    if namespace_of(budget) != pod.namespace or not pod.labels:
        return False
    selector = selectors.from_label_selector((budget.get("spec") or {}).get("selector"))
    disrupted: Mapping[str, Any] = (budget.get("status") or {}).get("disruptedPods") or {}
    return not selector.empty and selector.matches(pod.labels) and metadata(pod.pod)["name"] not in disrupted


def _not_eligible(facts: PodFacts, cluster: Cluster) -> str:
    if facts.spec.get("preemptionPolicy") == "Never":
        return NEVER
    nominated = cluster.nominated.get(facts.uid)
    node = cluster.nodes.get(nominated.node_name) if nominated is not None else None
    if node is not None and any(p.being_deleted and p.priority < facts.priority for p in node.pods.values()):
        return VICTIM_ENDS
    return ""


def _importance(facts: PodFacts) -> tuple[int, float]:
    """Sorts the more important first: higher priority, then longer running."""
    return -facts.priority, started_s(facts)


def _pain(candidate: Preemption) -> tuple[int, int, int, int, float]:
    """Sorts the least painful first, by upstream's criteria in their order."""
    priorities = [victim.priority for victim in candidate.victims]
    highest = max(priorities, default=-(2**31))
    earliest = min((started_s(v) for v in candidate.victims if v.priority == highest), default=0.0)
    return candidate.violations, highest, sum(p + 2**31 for p in priorities), len(priorities), -earliest


def started_s(facts: PodFacts) -> float:
    """When the pod started; not yet counts as last."""
    started = (facts.pod.get("status") or {}).get("startTime")
    return parse_time(started) if started else float("inf")
