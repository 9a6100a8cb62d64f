"""Pod affinity and anti-affinity: which pods want to be near each other, or far apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mamekube.scheduler.cluster import Cluster, NodeState
from mamekube.scheduler.facts import Affinity, PodFacts, Term
from mamekube.scheduler.filters import Check, Refusal

HARD_AFFINITY_WEIGHT = 1
"""What a required affinity term of a pod that runs already adds to a node's score. Upstream: HardPodAffinityWeight."""

NOT_NEAR = Refusal(("node(s) didn't match pod affinity rules",), False)
TOO_NEAR = Refusal(("node(s) didn't match pod anti-affinity rules",))
UNWANTED = Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",))

Domain = tuple[str, str]
"""(topology key, value): all nodes with that label."""


def inter_pod_affinity(facts: PodFacts, cluster: Cluster) -> Check | None:
    """The filter: required terms of the pod, and required anti-affinity of those that run already."""
    own = Affinity(facts)
    unwanted = _domains_of_unwilling(facts, cluster)
    if not unwanted and not own.required and not own.required_anti:
        return None
    near = _domains_near(own.required, cluster)
    crowded = [_domains_of(term, cluster.count_term(term), cluster) for term in own.required_anti]
    first_of_its_kind = bool(own.required) and all(cluster.matches(term, facts) for term in own.required)

    def check(node: NodeState) -> Refusal | None:
        for term in own.required:
            if term.topology_key not in node.labels:
                return NOT_NEAR
        if not all(
            (term.topology_key, node.labels[term.topology_key]) in near for term in own.required
        ) and not (not near and first_of_its_kind):
            return NOT_NEAR
        for term, domains in zip(own.required_anti, crowded, strict=True):
            if (term.topology_key, node.labels.get(term.topology_key)) in domains:
                return TOO_NEAR
        if any(node.labels.get(key) == value for key, value in unwanted):
            return UNWANTED
        return None

    return check


def score_affinity(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> Sequence[int] | None:
    """The score: preferred terms of the pod, and those of the pods that run already, added up by domain."""
    own = Affinity(facts)
    if not own.preferred and not cluster.affine:
        return None
    weights: Counter[Domain] = Counter()
    for term in own.preferred:
        for name, count in cluster.count_term(term).items():
            _weigh(weights, term, cluster.nodes.get(name), term.weight * count)
    for existing, affinity in cluster.affine.values():
        home = cluster.nodes.get(existing.node_name)
        for term in affinity.required:
            if cluster.matches(term, facts):
                _weigh(weights, term, home, HARD_AFFINITY_WEIGHT)
        for term in affinity.preferred:
            if cluster.matches(term, facts):
                _weigh(weights, term, home, term.weight)
    if not weights:
        return None
    keys = {key for key, _ in weights}
    sums = [sum(weights[key, node.labels[key]] for key in keys if key in node.labels) for node in nodes]
    low, high = min(sums), max(sums)
    return [int(100 * (total - low) / (high - low)) if high > low else 0 for total in sums]


def _weigh(weights: Counter[Domain], term: Term, node: NodeState | None, weight: int) -> None:
    if node is not None and weight and term.topology_key in node.labels:
        weights[term.topology_key, node.labels[term.topology_key]] += weight


def _domains_near(terms: Sequence[Term], cluster: Cluster) -> set[Domain]:
    """Where pods run that all terms select together."""
    if not terms:
        return set()
    if len(terms) == 1:
        return _domains_of(terms[0], cluster.count_term(terms[0]), cluster)
    near: set[Domain] = set()
    for node in cluster.nodes.values():
        if any(all(cluster.matches(term, facts) for term in terms) for facts in node.pods.values()):
            near.update(
                (t.topology_key, node.labels[t.topology_key]) for t in terms if t.topology_key in node.labels
            )
    return near


def _domains_of(term: Term, counts: Counter[str], cluster: Cluster) -> set[Domain]:
    nodes: Iterable[NodeState | None] = (
        cluster.nodes.get(name) for name, count in counts.items() if count > 0
    )
    key = term.topology_key
    return {(key, node.labels[key]) for node in nodes if node is not None and key in node.labels}


def _domains_of_unwilling(facts: PodFacts, cluster: Cluster) -> set[Domain]:
    """Where pods run that must not have this one near them."""
    unwanted: set[Domain] = set()
    for existing, affinity in cluster.affine.values():
        home = cluster.nodes.get(existing.node_name)
        if home is None:
            continue
        for term in affinity.required_anti:
            if term.topology_key in home.labels and cluster.matches(term, facts):
                unwanted.add((term.topology_key, home.labels[term.topology_key]))
    return unwanted
