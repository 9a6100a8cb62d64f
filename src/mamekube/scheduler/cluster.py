"""The scheduler's picture of the cluster: nodes, what runs on them, and counts that are kept up to date.

One picture for the whole program, changed by events, by assumptions and by nobody else. A scheduling cycle reads it
without a pause, so it needs no copy. Invariant: the sums of a node are those of the pods in `NodeState.pods`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mamekube.objects.meta import Object, labels_of, name_of
from mamekube.objects.selectors import Selector
from mamekube.scheduler.facts import Affinity, Amounts, PodFacts, Term, amount_of, has_affinity

COUNTS_MAX = 128
"""Selections whose counts are kept; the least recently used is forgotten, and counted anew when it is needed."""


class NodeState:
    """A node and the pods that run on it, or will."""

    __slots__ = (
        "allocatable",
        "counted_cpu",
        "counted_memory",
        "images",
        "labels",
        "name",
        "node",
        "pods",
        "ports",
        "requested",
        "taints",
        "unschedulable",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.pods: dict[str, PodFacts] = {}
        self.requested: Amounts = {}
        self.counted_cpu = 0
        self.counted_memory = 0
        self.ports: Counter[tuple[str, str, int]] = Counter()
        self.describe(None)

    def describe(self, node: Object | None) -> None:
        """Take over the node's own object; None: pods are known to run there, the node itself is not."""
        self.node = node
        node = node or {}
        spec, status = node.get("spec") or {}, node.get("status") or {}
        self.labels: Mapping[str, str] = labels_of(node)
        self.taints: tuple[Mapping[str, Any], ...] = tuple(spec.get("taints") or ())
        self.unschedulable = bool(spec.get("unschedulable"))
        allocatable = status.get("allocatable") or {}
        self.allocatable: Amounts = {name: amount_of(name, amount) for name, amount in allocatable.items()}
        self.images: dict[str, int] = {
            name: image.get("sizeBytes", 0)
            for image in status.get("images") or ()
            for name in image.get("names") or ()
        }

    def add(self, facts: PodFacts) -> None:
        self.pods[facts.uid] = facts
        self._count(facts, 1)

    def remove(self, facts: PodFacts) -> None:
        del self.pods[facts.uid]
        self._count(facts, -1)

    def _count(self, facts: PodFacts, sign: int) -> None:
        requested = self.requested
        for name, amount in facts.requests.items():
            requested[name] = requested.get(name, 0) + sign * amount
        self.counted_cpu += sign * facts.counted_cpu
        self.counted_memory += sign * facts.counted_memory
        for port in facts.ports:
            self.ports[port] += sign
            if not self.ports[port]:
                del self.ports[port]


class Cluster:
    def __init__(self) -> None:
        self.nodes: dict[str, NodeState] = {}
        """The nodes that exist."""
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """Labels of each namespace."""
        self.affine: dict[str, tuple[PodFacts, Affinity]] = {}
        """Pods on nodes that have pod affinity terms, by uid: others mind them."""
        self.nominated: dict[str, PodFacts] = {}
        """Pods that wait for their victims on a node to end, by uid; `node_name` is that node."""
        self.images: Counter[str] = Counter()
        """On how many nodes an image is."""
        self._all: dict[str, NodeState] = {}
        self._placed: dict[str, PodFacts] = {}
        self._counts: OrderedDict[Hashable, tuple[Callable[[PodFacts], bool], Counter[str]]] = OrderedDict()

    def set_node(self, node: Object) -> None:
        state = self._state(name_of(node))
        self.images.subtract(state.images.keys())
        state.describe(node)
        self.images.update(state.images.keys())
        self.nodes[state.name] = state

    def remove_node(self, name: str) -> None:
        state = self.nodes.pop(name, None)
        if state is None:
            return
        self.images.subtract(state.images.keys())
        state.describe(None)
        if not state.pods:
            del self._all[name]

    def place(self, facts: PodFacts) -> None:
        """Note that a pod runs, or will run, on `facts.node_name`; what was known of it is replaced."""
        if facts.uid in self._placed:
            self.displace(facts.uid)
        self._placed[facts.uid] = facts
        self._state(facts.node_name).add(facts)
        if has_affinity(facts):
            self.affine[facts.uid] = (facts, Affinity(facts))
        self._recount(facts, 1)

    def displace(self, uid: str) -> PodFacts | None:
        """Note that a pod is gone; answer what was known of it."""
        facts = self._placed.pop(uid, None)
        if facts is None:
            return None
        state = self._all[facts.node_name]
        state.remove(facts)
        if not state.pods and state.node is None:
            del self._all[state.name]
        self.affine.pop(uid, None)
        self._recount(facts, -1)
        return facts

    def placed(self, uid: str) -> PodFacts | None:
        return self._placed.get(uid)

    @contextmanager
    def without(self, *pods: PodFacts) -> Iterator[None]:
        """The same cluster, as if these pods were gone."""
        for facts in pods:
            self.displace(facts.uid)
        try:
            yield
        finally:
            for facts in pods:
                self.place(facts)

    @contextmanager
    def including(self, *pods: PodFacts) -> Iterator[None]:
        """The same cluster, as if these pods ran already."""
        for facts in pods:
            self.place(facts)
        try:
            yield
        finally:
            for facts in pods:
                self.displace(facts.uid)

    def namespaces_of(self, term: Term) -> frozenset[str]:
        if term.namespace_selector is None:
            return term.namespaces
        selected = (
            name for name, labels in self.namespaces.items() if term.namespace_selector.matches(labels)
        )
        return term.namespaces.union(selected)

    def matches(self, term: Term, facts: PodFacts) -> bool:
        """Whether a term selects a pod."""
        return facts.namespace in self.namespaces_of(term) and term.selector.matches(facts.labels)

    def count_term(self, term: Term) -> Counter[str]:
        """How many pods a term selects, by node."""
        namespaces, selector = self.namespaces_of(term), term.selector

        def matches(facts: PodFacts) -> bool:
            return facts.namespace in namespaces and selector.matches(facts.labels)

        return self._counted((namespaces, selector), matches)

    def count_living(self, namespace: str, selector: Selector) -> Counter[str]:
        """How many pods of a namespace, not being deleted, a selector selects, by node."""

        def matches(facts: PodFacts) -> bool:
            return facts.namespace == namespace and not facts.being_deleted and selector.matches(facts.labels)

        return self._counted((namespace, selector), matches)

    def _counted(self, key: Hashable, matches: Callable[[PodFacts], bool]) -> Counter[str]:
        kept = self._counts.get(key)
        if kept is None:
            counts = Counter(facts.node_name for facts in self._placed.values() if matches(facts))
            kept = self._counts[key] = (matches, counts)
            if len(self._counts) > COUNTS_MAX:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(key)
        return kept[1]

    def _recount(self, facts: PodFacts, sign: int) -> None:
        for matches, counts in self._counts.values():
            if matches(facts):
                counts[facts.node_name] += sign

    def _state(self, name: str) -> NodeState:
        state = self._all.get(name)
        if state is None:
            state = self._all[name] = NodeState(name)
        return state
