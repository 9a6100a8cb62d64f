"""`NetworkPolicy` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.fields import PROTOCOLS, Found, check, check_port, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Pod-Selector"), cells.AGE)


def default(policy: Object) -> None:
    spec = section(policy, "spec")
    if spec.get("podSelector") is None:
        spec["podSelector"] = {}
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            if port.get("protocol") is None:
                port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def row(policy: Object, now_s: float) -> list[Any]:
    selector = cells.selector_or_none(cells.spec_of(policy).get("podSelector"))
    return [cells.name(policy), selector, cells.age(policy, now_s)]


POLICY_TYPES = ("Ingress", "Egress")


def validate(policy: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(policy)
    selectors.validate(spec.get("podSelector"), "spec.podSelector", found)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for port_index, port in enumerate(rule.get("ports") or ()):
                _validate_port(port, f"{path}.ports[{port_index}]", found)
            for peer_index, peer in enumerate(rule.get(peers) or ()):
                _validate_peer(peer, f"{path}.{peers}[{peer_index}]", found)
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        if kind not in POLICY_TYPES:
            found.append(not_supported(f"spec.policyTypes[{index}]", kind, POLICY_TYPES))
    return found


def _validate_port(port: dict[str, Any], path: str, found: Found) -> None:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        found.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    if number is not None:
        check_port(number, f"{path}.port", found)
    if end is None:
        return
    if number is None:
        found.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(number, str):
        found.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
    elif end < number:
        detail = "must be greater than or equal to `port`"
        found.append(invalid(f"{path}.endPort", end, detail))


def _validate_peer(peer: dict[str, Any], path: str, found: Found) -> None:
    for field in ("podSelector", "namespaceSelector"):
        selectors.validate(peer.get(field), f"{path}.{field}", found)
    block = peer.get("ipBlock")
    if not any(peer.get(field) is not None for field in ("podSelector", "namespaceSelector", "ipBlock")):
        found.append(required(path, "must specify a peer"))
    elif block is not None:
        if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
            detail = "may not specify both ipBlock and another peer"
            found.append(forbidden(path, detail))
        _validate_block(block, f"{path}.ipBlock", found)


def _validate_block(block: dict[str, Any], path: str, found: Found) -> None:
    if not block.get("cidr"):
        found.append(required(f"{path}.cidr"))
        return
    check(block["cidr"], f"{path}.cidr", names.cidr, found)
    for index, excepted in enumerate(block.get("except") or ()):
        check(excepted or "", f"{path}.except[{index}]", names.cidr, found)


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="networkpolicies",
    singular="networkpolicy",
    kind="NetworkPolicy",
    short_names=("netpol",),
    schema="io.k8s.api.networking.v1.NetworkPolicy",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
    validate=validate,
)
