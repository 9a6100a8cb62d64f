"""From a Service and its EndpointSlices to nftables elements and chains: pure, one service at a time.

The table has a fixed skeleton (`proxy.nft`). A service adds elements to flat maps, so a packet costs two hash
lookups however many services there are:

    services        address . protocol . port          -> goto a chain of its policy and endpoint count
    endpoints       address . protocol . port . index  -> endpoint address . port
    nodeports       protocol . port                    -> goto …
    node_endpoints  protocol . port . index            -> endpoint address . port

`cluster_3` picks one of three endpoints at random by index; all services with three share it. Only session
affinity needs chains of the service's own: one to choose, and one per endpoint with the set of its clients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mamekube.objects.meta import Object, labels_of, metadata, name_of, namespace_of

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
MASQUERADE_BIT = 0x4000
AFFINITY_TIMEOUT_DEFAULT_S = 10_800


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One backend: where it is, and whether it is on this node."""

    address: str
    port: int
    local: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.address} . {self.port}"


class Maps(NamedTuple):
    """Where clients' places are looked up, where their endpoints, and which places refuse."""

    places: str
    endpoints: str
    refused: str


ADDRESSES = Maps("services", "endpoints", "no_endpoints")
NODE_PORTS = Maps("nodeports", "node_endpoints", "no_node_endpoints")


@dataclass(slots=True)
class ServiceRules:
    """What one service contributes to the table."""

    elements: dict[tuple[str, str], str] = field(default_factory=dict)
    """(set or map, key) -> value; `""` in sets."""
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    """Sets of the service's own: name -> definition."""
    pickers: set[tuple[str, int]] = field(default_factory=set)
    """The shared chains that it goes to: (policy, number of endpoints)."""


EMPTY = ServiceRules()


def plan(service: Object, slices: Iterable[Object], *, node_name: str) -> ServiceRules:
    """The rules of one service. A service that is not the proxy's business has none."""
    if not _is_ours(service):
        return EMPTY
    rules = ServiceRules()
    slices = list(slices)
    for port in service["spec"].get("ports") or ():
        _plan_port(rules, service, port, usable_endpoints(slices, port, node_name=node_name))
    return rules


def usable_endpoints(
    slices: Iterable[Object], port: Mapping[str, Any], *, node_name: str
) -> list[tuple[Endpoint, bool]]:
    """The port's endpoints with their readiness: ready ones, and those still serving while they terminate."""
    found: dict[Endpoint, bool] = {}
    for endpoint_slice in slices:
        if endpoint_slice.get("addressType", "IPv4") != "IPv4":
            continue
        number = _slice_port(endpoint_slice, port)
        if number is None:
            continue
        for entry in endpoint_slice.get("endpoints") or ():
            conditions = entry.get("conditions") or {}
            ready = conditions.get("ready", True) is not False
            serving = bool(conditions.get("serving")) and bool(conditions.get("terminating"))
            addresses = entry.get("addresses") or ()
            if addresses and (ready or serving):
                endpoint = Endpoint(addresses[0], number, entry.get("nodeName") == node_name)
                found[endpoint] = found.get(endpoint, False) or ready
    return sorted(found.items())


def _is_ours(service: Object) -> bool:
    spec = service.get("spec") or {}
    labels = labels_of(service)
    return (
        spec.get("type") != "ExternalName"
        and spec.get("clusterIP") not in (None, "", "None")
        and PROXY_NAME_LABEL not in labels
        and HEADLESS_LABEL not in labels
        and not metadata(service).get("deletionTimestamp")
    )


def _slice_port(endpoint_slice: Object, port: Mapping[str, Any]) -> int | None:
    for candidate in endpoint_slice.get("ports") or ():
        if (candidate.get("name") or "") == (port.get("name") or "") and (
            candidate.get("protocol") or "TCP"
        ) == (port.get("protocol") or "TCP"):
            return candidate.get("port")
    return None


def _choose(endpoints: Sequence[tuple[Endpoint, bool]], *, only_local: bool) -> list[Endpoint]:
    """Ready endpoints; where there are none, terminating ones that still serve."""
    candidates = [(endpoint, ready) for endpoint, ready in endpoints if endpoint.local or not only_local]
    return [endpoint for endpoint, ready in candidates if ready] or [endpoint for endpoint, _ in candidates]


def _plan_port(
    rules: ServiceRules,
    service: Object,
    port: Mapping[str, Any],
    endpoints: Sequence[tuple[Endpoint, bool]],
) -> None:
    spec = service["spec"]
    protocol = (port.get("protocol") or "TCP").lower()
    number = port["port"]
    internal = _choose(endpoints, only_local=spec.get("internalTrafficPolicy") == "Local")
    external_local = spec.get("externalTrafficPolicy") == "Local"
    external = _choose(endpoints, only_local=external_local)
    # Traffic that keeps its client's address is not masqueraded: the policy is "local".
    external_policy = "local" if external_local else "external"

    for address in _addresses(spec.get("clusterIPs") or [spec["clusterIP"]]):
        key = f"{address} . {protocol} . {number}"
        _plan_place(rules, service, key, "cluster", internal, maps=ADDRESSES)
    for address in _external_addresses(service):
        key = f"{address} . {protocol} . {number}"
        _plan_place(rules, service, key, external_policy, external, maps=ADDRESSES)
    node_port = port.get("nodePort")
    if node_port:
        key, policy = f"{protocol} . {node_port}", f"node_{external_policy}"
        _plan_place(rules, service, key, policy, external, maps=NODE_PORTS)
    for endpoint, _ in endpoints:
        if endpoint.local:
            rules.elements["hairpin", f"{endpoint.address} . {endpoint.address}"] = ""


def _addresses(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if ":" not in address]


def _external_addresses(service: Object) -> list[str]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    balanced = [entry["ip"] for entry in ingress if entry.get("ip") and entry.get("ipMode", "VIP") == "VIP"]
    return _addresses(dict.fromkeys([*(service["spec"].get("externalIPs") or ()), *balanced]))


def _plan_place(
    rules: ServiceRules, service: Object, key: str, policy: str, endpoints: Sequence[Endpoint], *, maps: Maps
) -> None:
    if not endpoints:
        # With no endpoint at all the client is refused; with none on this node only (Local) it is dropped.
        rules.elements[maps.refused, key] = ""
        return
    rules.elements[maps.places, key] = f"goto {_target(rules, service, key, policy, endpoints)}"
    for index, endpoint in enumerate(endpoints):
        rules.elements[maps.endpoints, f"{key} . {index}"] = str(endpoint)


def _target(
    rules: ServiceRules, service: Object, key: str, policy: str, endpoints: Sequence[Endpoint]
) -> str:
    """The chain that picks an endpoint."""
    if service["spec"].get("sessionAffinity") != "ClientIP":
        rules.pickers.add((policy, len(endpoints)))
        return f"{policy}_{len(endpoints)}"
    return _affinity_chain(rules, service, key, policy, endpoints)


def _affinity_chain(
    rules: ServiceRules, service: Object, key: str, policy: str, endpoints: Sequence[Endpoint]
) -> str:
    """A chain that sends a client to the endpoint it used last, and else to a random one.

    A set of clients is named after its endpoint, so it outlives changes of the other endpoints.
    """
    client_ip = (service["spec"].get("sessionAffinityConfig") or {}).get("clientIP") or {}
    timeout_s = client_ip.get("timeoutSeconds", AFFINITY_TIMEOUT_DEFAULT_S)
    identity = f"{namespace_of(service)}/{name_of(service)}/{key}"
    chain = f"affinity_{_digest(identity)}"
    known_clients: list[str] = []
    members: list[str] = []
    for endpoint in endpoints:
        member = f"{chain}_{_digest(str(endpoint))}"
        rules.sets[member] = f"type ipv4_addr; flags dynamic, timeout; timeout {timeout_s}s;"
        rules.chains[member] = (
            f"update @{member} {{ ip saddr timeout {timeout_s}s }}",
            f"meta l4proto {{ tcp, udp, sctp }} dnat to {endpoint.address}:{endpoint.port}",
        )
        known_clients.append(f"ip saddr @{member} goto {member}")
        members.append(member)
    picks = ", ".join(f"{index} : goto {member}" for index, member in enumerate(members))
    rules.chains[chain] = (
        *mark_rules(policy),
        *known_clients,
        f"numgen random mod {len(members)} vmap {{ {picks} }}",
    )
    return chain


def mark_rules(policy: str) -> tuple[str, ...]:
    """What a policy does about the client's address before the endpoint is picked."""
    mark = f"ct mark set ct mark or {MASQUERADE_BIT:#x}"
    if policy == "cluster":
        return (f"ip saddr != @pod_network {mark}",)
    return (mark,) if policy.endswith("external") else ()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
