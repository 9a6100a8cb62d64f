"""`NetworkPolicy` of `networking.k8s.io/v1`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.fields import PROTOCOLS, Found, check, check_port, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import addresses, names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Pod-Selector", field="networking.v1.NetworkPolicySpec.podSelector"),
    cells.AGE,
)


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
_PEERS = (("ingress", "from"), ("egress", "to"))


def validate_create(policy: Object) -> Found:
    found: Found = []
    _validate(cells.spec_of(policy), found, known=frozenset())
    return found


def validate_update(new: Object, old: Object) -> Found:
    """Blocks that it had may stay, in whichever rule they stand now."""
    found: Found = []
    known = frozenset(text for _, text in _blocks_of(cells.spec_of(old)))
    _validate(cells.spec_of(new), found, known=known)
    return found


def _blocks_of(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All blocks of addresses, each with its path."""
    for direction, peers in _PEERS:
        for index, rule in enumerate(spec.get(direction) or ()):
            for peer_index, peer in enumerate(rule.get(peers) or ()):
                path = f"spec.{direction}[{index}].{peers}[{peer_index}].ipBlock"
                block = peer.get("ipBlock") or {}
                if block:
                    yield f"{path}.cidr", block.get("cidr") or ""
                for except_index, excepted in enumerate(block.get("except") or ()):
                    yield f"{path}.except[{except_index}]", excepted or ""


def _validate(spec: dict[str, Any], found: Found, *, known: Collection[str]) -> None:
    """`known`: blocks that are not looked at."""
    selectors.validate(spec.get("podSelector"), "spec.podSelector", found)
    for direction, peers in _PEERS:
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for port_index, port in enumerate(rule.get("ports") or ()):
                _validate_port(port, f"{path}.ports[{port_index}]", found)
            for peer_index, peer in enumerate(rule.get(peers) or ()):
                _validate_peer(peer, f"{path}.{peers}[{peer_index}]", found, known=known)
    types = spec.get("policyTypes") or ()
    if len(types) > len(POLICY_TYPES):
        found.append(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
        return
    for index, kind in enumerate(types):
        if kind not in POLICY_TYPES:
            found.append(not_supported(f"spec.policyTypes[{index}]", kind, POLICY_TYPES))


def _validate_port(port: dict[str, Any], path: str, found: Found) -> None:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        found.append(not_supported(f"{path}.protocol", protocol, ("TCP", "UDP", "SCTP")))
    if isinstance(number, str) and end is not None:
        found.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
    if number is not None:
        check_port(number, f"{path}.port", found)
    elif end is not None:
        found.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    if isinstance(number, int) and end is not None:
        if end < number:
            found.append(invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
        for message in names.port_number(end):
            found.append(invalid(f"{path}.endPort", end, message))


def _validate_peer(peer: dict[str, Any], path: str, found: Found, *, known: Collection[str]) -> None:
    selecting = [field for field in ("podSelector", "namespaceSelector") if peer.get(field) is not None]
    for field in selecting:
        selectors.validate(peer[field], f"{path}.{field}", found)
    block = peer.get("ipBlock")
    if block is not None:
        _validate_block(block, f"{path}.ipBlock", found, known=known)
        if selecting:
            found.append(forbidden(path, "may not specify both ipBlock and another peer"))
    elif not selecting:
        found.append(required(path, "must specify a peer"))


def _validate_block(block: dict[str, Any], path: str, found: Found, *, known: Collection[str]) -> None:
    text = block.get("cidr") or ""
    if not text:
        found.append(required(f"{path}.cidr"))
        return
    if text not in known:
        check(text, f"{path}.cidr", addresses.cidr, found)
    whole = addresses.sloppy_cidr(text)
    if whole is None:
        return
    for index, excepted in enumerate(block.get("except") or ()):
        except_path, text = f"{path}.except[{index}]", excepted or ""
        if text not in known:
            check(text, except_path, addresses.cidr, found)
        part = addresses.sloppy_cidr(text)
        if part is not None and not part.is_strictly_within(whole):
            found.append(invalid(except_path, text, "must be a strict subset of `cidr`"))


def warn(new: Object, old: Object | None) -> list[str]:
    blocks = _blocks_of(cells.spec_of(new))
    return [warning for path, text in blocks for warning in addresses.cidr_warnings(text, path)]


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
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warn,
)
