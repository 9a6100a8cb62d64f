"""What the scheduler needs to know of a pod, read out of its object once.

Amounts are integers: CPU in thousandths, everything else in whole units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from mamekube.objects import quantity, selectors
from mamekube.objects.meta import Object, key_of, labels_of, metadata, namespace_of, uid_of
from mamekube.objects.podresources import spec_as_held
from mamekube.objects.selectors import Selector

DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
"""What a container that requests nothing counts for when nodes are compared. Upstream: DefaultMilliCPURequest, …"""

Amounts = dict[str, int]
Port = tuple[str, str, int]
"""(host IP, protocol, host port)."""

ANY_IP = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Term:
    """A pod affinity term: pods of some namespaces that a selector selects, near in the sense of a topology."""

    topology_key: str
    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector | None = None
    weight: int = 0


@dataclass(slots=True, eq=False)
class PodFacts:
    pod: Object
    key: str
    uid: str
    namespace: str
    labels: Mapping[str, str]
    node_name: str
    priority: int
    requests: Amounts
    counted_cpu: int
    counted_memory: int
    """Requests with defaults for containers that name none."""
    ports: tuple[Port, ...]
    being_deleted: bool
    siblings: Selector | None = None
    """Selects the pods of the same services and controller, among which it is spread by default."""

    @property
    def spec(self) -> dict[str, Any]:
        return self.pod["spec"]

    @property
    def affinity(self) -> dict[str, Any]:
        return self.spec.get("affinity") or {}


class Affinity:
    """The pod affinity terms of one pod."""

    def __init__(self, facts: PodFacts) -> None:
        self._facts = facts

    @cached_property
    def required(self) -> tuple[Term, ...]:
        return self._terms("podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")

    @cached_property
    def required_anti(self) -> tuple[Term, ...]:
        return self._terms("podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")

    @cached_property
    def preferred(self) -> tuple[Term, ...]:
        """Anti-affinity has negative weights."""
        wanted = self._terms("podAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
        return wanted + self._terms(
            "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution", sign=-1
        )

    def _terms(self, kind: str, strength: str, *, sign: int = 1) -> tuple[Term, ...]:
        entries = (self._facts.affinity.get(kind) or {}).get(strength) or ()
        return tuple(_term(entry, self._facts, sign) for entry in entries)


def _term(entry: Mapping[str, Any], facts: PodFacts, sign: int) -> Term:
    weight = sign * int(entry.get("weight", 0))
    term = entry.get("podAffinityTerm") or entry
    selector = selectors.from_label_selector(term.get("labelSelector"))
    namespaces = frozenset(term.get("namespaces") or ())
    namespace_selector = None
    if term.get("namespaceSelector") is not None:
        namespace_selector = selectors.from_label_selector(term["namespaceSelector"])
    elif not namespaces:
        namespaces = frozenset((facts.namespace,))
    return Term(term["topologyKey"], selector, namespaces, namespace_selector, weight)


def read_pod(pod: Object, *, node_name: str | None = None) -> PodFacts:
    """The facts of a pod, as if it ran on `node_name` where that is given."""
    spec = pod.get("spec") or {}
    requests, counted = pod_requests(spec_as_held(pod))
    return PodFacts(
        pod=pod,
        key=key_of(pod),
        uid=uid_of(pod),
        namespace=namespace_of(pod),
        labels=labels_of(pod),
        node_name=spec.get("nodeName", "") if node_name is None else node_name,
        priority=spec.get("priority") or 0,
        requests=requests,
        counted_cpu=counted.get("cpu", 0),
        counted_memory=counted.get("memory", 0),
        ports=tuple(_host_ports(spec)),
        being_deleted="deletionTimestamp" in metadata(pod),
    )


def has_affinity(facts: PodFacts) -> bool:
    return "podAffinity" in facts.affinity or "podAntiAffinity" in facts.affinity


def pod_requests(spec: Mapping[str, Any]) -> tuple[Amounts, Amounts]:
    """`(requests, requests with defaults)` of the whole pod.

    Init containers run one after the other before the containers, except restartable ones, which stay; the pod needs
    what it needs at its hungriest moment. Requests of the pod itself stand in for those of its containers.
    """
    plain = _sum(spec, _container_requests)
    counted = _sum(spec, _counted_requests)
    for name, amount in ((spec.get("resources") or {}).get("requests") or {}).items():
        plain[name] = counted[name] = amount_of(name, amount)
    for name, amount in (spec.get("overhead") or {}).items():
        plain[name] = plain.get(name, 0) + amount_of(name, amount)
        counted[name] = counted.get(name, 0) + amount_of(name, amount)
    return plain, counted


def _sum(spec: Mapping[str, Any], requests_of: Any) -> Amounts:
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, requests_of(container))
    init_containers = spec.get("initContainers")
    if not init_containers:
        return total
    staying: Amounts = {}
    highest: Amounts = {}
    for container in init_containers:
        requests = requests_of(container)
        if container.get("restartPolicy") == "Always":
            _add(total, requests)
            _add(staying, requests)
            _raise(highest, staying)
        else:
            moment = dict(staying)
            _add(moment, requests)
            _raise(highest, moment)
    _raise(total, highest)
    return total


def _container_requests(container: Mapping[str, Any]) -> Amounts:
    requests = (container.get("resources") or {}).get("requests") or {}
    return {name: amount_of(name, amount) for name, amount in requests.items()}


def _counted_requests(container: Mapping[str, Any]) -> Amounts:
    defaults = {"cpu": DEFAULT_CPU_MILLI, "memory": DEFAULT_MEMORY_BYTES}
    return {**defaults, **_container_requests(container)}


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise(total: Amounts, least: Mapping[str, int]) -> None:
    for name, amount in least.items():
        total[name] = max(total.get(name, 0), amount)


def amount_of(resource: str, amount: Any) -> int:
    return _milli(str(amount)) if resource == "cpu" else _whole(str(amount))


@lru_cache(maxsize=4096)
def _milli(text: str) -> int:
    return quantity.milli_value(text)


@lru_cache(maxsize=4096)
def _whole(text: str) -> int:
    return quantity.value(text)


def _host_ports(spec: Mapping[str, Any]) -> Iterable[Port]:
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("hostIP") or ANY_IP, port.get("protocol") or "TCP", port["hostPort"]


def ports_conflict(wanted: Port, used: Port) -> bool:
    """Two host ports clash unless their addresses differ and neither is any address."""
    if wanted[1:] != used[1:]:
        return False
    return wanted[0] == used[0] or ANY_IP in (wanted[0], used[0])
