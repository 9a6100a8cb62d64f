"""Which nodes a pod can run on: the filters, in upstream's order, and upstream's words for each refusal.

A filter looks at the pod and the cluster once, and answers a check to be asked for every node, or None where the pod
does not care. A check answers None for a node that will do, or the refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mamekube.objects import selectors
from mamekube.objects.selectors import Requirement, Selector
from mamekube.scheduler.cluster import Cluster, NodeState
from mamekube.scheduler.facts import PodFacts, ports_conflict


class Refusal(NamedTuple):
    """Why a node will not do. `resolvable`: the removal of other pods could change that."""

    reasons: tuple[str, ...]
    resolvable: bool = True


Check = Callable[[NodeState], Refusal | None]
Filter = Callable[[PodFacts, Cluster], Check | None]

UNSCHEDULABLE = Refusal(("node(s) were unschedulable",), False)
OTHER_NODE = Refusal(("node(s) didn't match the requested node name",), False)
TAINTED = Refusal(("node(s) had untolerated taint(s)",), False)
NOT_SELECTED = Refusal(("node(s) didn't match Pod's node affinity/selector",), False)
PORT_TAKEN = Refusal(("node(s) didn't have free ports for the requested pod ports",))
TOO_MANY_PODS = "Too many pods"

UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def node_unschedulable(facts: PodFacts, cluster: Cluster) -> Check | None:
    if tolerates(facts.spec.get("tolerations") or (), UNSCHEDULABLE_TAINT):
        return None
    return lambda node: UNSCHEDULABLE if node.unschedulable else None


def node_name(facts: PodFacts, cluster: Cluster) -> Check | None:
    wanted = facts.spec.get("nodeName")
    if not wanted:
        return None
    return lambda node: None if node.name == wanted else OTHER_NODE


def taint_toleration(facts: PodFacts, cluster: Cluster) -> Check | None:
    tolerations = facts.spec.get("tolerations") or ()

    def check(node: NodeState) -> Refusal | None:
        for taint in node.taints:
            if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint):
                return TAINTED
        return None

    return check


def node_affinity(facts: PodFacts, cluster: Cluster) -> Check | None:
    matches = required_nodes(facts)
    if matches is None:
        return None
    return lambda node: None if matches(node) else NOT_SELECTED


def node_ports(facts: PodFacts, cluster: Cluster) -> Check | None:
    if not facts.ports:
        return None

    def check(node: NodeState) -> Refusal | None:
        taken = any(ports_conflict(wanted, used) for wanted in facts.ports for used in node.ports)
        return PORT_TAKEN if taken else None

    return check


def node_resources(facts: PodFacts, cluster: Cluster) -> Check | None:
    wanted = [(name, amount) for name, amount in facts.requests.items() if amount > 0]

    def check(node: NodeState) -> Refusal | None:
        reasons: list[str] = []
        resolvable = True
        allocatable, requested = node.allocatable, node.requested
        if len(node.pods) + 1 > allocatable.get("pods", 0):
            reasons.append(TOO_MANY_PODS)
        for name, amount in wanted:
            there = allocatable.get(name, 0)
            if amount > there - requested.get(name, 0):
                reasons.append(f"Insufficient {name}")
                resolvable = resolvable and amount <= there
        return Refusal(tuple(reasons), resolvable) if reasons else None

    return check


def tolerates(tolerations: Sequence[Mapping[str, Any]], taint: Mapping[str, Any]) -> bool:
    """Whether any of the tolerations tolerates the taint."""
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    if operator in ("Lt", "Gt"):
        return _compares(operator, toleration.get("value") or "", taint.get("value") or "")
    # Without a key only Exists is valid: it tolerates everything.
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _compares(operator: str, bound: str, value: str) -> bool:
    try:
        return int(value) < int(bound) if operator == "Lt" else int(value) > int(bound)
    except ValueError:
        return False


NodeMatch = Callable[[NodeState], bool]


def required_nodes(facts: PodFacts) -> NodeMatch | None:
    """The nodes that `nodeSelector` and required node affinity allow together; None: all."""
    selector = facts.spec.get("nodeSelector")
    required = (facts.affinity.get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if not selector and required is None:
        return None
    labels = selectors.from_labels(selector)
    terms = (
        None if required is None else [node_term(term) for term in required.get("nodeSelectorTerms") or ()]
    )

    def matches(node: NodeState) -> bool:
        if not labels.matches(node.labels):
            return False
        return terms is None or any(term(node) for term in terms)

    return matches


def node_term(term: Mapping[str, Any]) -> NodeMatch:
    """The nodes that a node selector term selects; an empty term selects none."""
    expressions = Selector(tuple(selectors.from_expression(e) for e in term.get("matchExpressions") or ()))
    fields = tuple(selectors.from_expression(e) for e in term.get("matchFields") or ())
    if not expressions.requirements and not fields:
        return lambda node: False
    return lambda node: expressions.matches(node.labels) and _fields_match(fields, node)


def _fields_match(fields: Sequence[Requirement], node: NodeState) -> bool:
    return all(requirement.matches({"metadata.name": node.name}) for requirement in fields)
