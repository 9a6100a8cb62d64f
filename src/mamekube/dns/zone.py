"""What the cluster's zone holds: names of services, endpoints and pods, as answers to single questions.

The names are those of the Kubernetes DNS specification 1.1.0. Pure: `Zone` reads the caches it is given and
never waits. Names are lower-case label tuples without the root, the zone's own labels cut off.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mamekube.objects.meta import Object, make_key, name_of, namespace_of

SPECIFICATION_VERSION = "1.1.0"
SRV_WEIGHT_TOTAL = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """Records of the type asked for (or the CNAME that stands for them); `exists` is false for NXDOMAIN."""

    records: tuple[tuple[str, str], ...] = ()
    """(type, text as in a zone file); names in the text are absolute."""
    exists: bool = True
    extra: tuple[tuple[str, str, str], ...] = ()
    """Additional records: (owner name, type, text)."""


MISSING = Answer(exists=False)
EMPTY = Answer()


class Services(Protocol):
    """Where services and their endpoint slices are read from."""

    def service(self, key: str) -> Object | None: ...
    def slices(self, key: str) -> Iterable[Object]: ...
    def namespace_exists(self, namespace: str) -> bool: ...
    def services_at(self, address: str) -> Iterable[Object]: ...
    def slices_at(self, address: str) -> Iterable[Object]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint of a headless service."""

    hostname: str
    address: str
    ports: tuple[tuple[str, str, int], ...]
    """(name, protocol, number)"""


class Zone:
    """Answers questions about names under `domain`."""

    def __init__(self, services: Services, *, domain: str) -> None:
        self._services = services
        self.domain = domain.strip(".").lower()

    def owns(self, name: str) -> bool:
        return name == self.domain or name.endswith(f".{self.domain}")

    def answer(self, name: str, record_type: str) -> Answer:
        """The answer for `name` (lower case, without the final dot), which the zone owns."""
        labels = tuple(name[: -len(self.domain)].rstrip(".").split(".")) if name != self.domain else ()
        match labels:
            case () | ("svc",) | ("pod",):
                return EMPTY
            case ("dns-version",):
                return Answer((("TXT", f'"{SPECIFICATION_VERSION}"'),)) if record_type == "TXT" else EMPTY
            case (namespace, "svc" | "pod"):
                return EMPTY if self._services.namespace_exists(namespace) else MISSING
            case (address, namespace, "pod"):
                return self._pod(address, namespace, record_type)
            case (*rest, service, namespace, "svc"):
                return self._service(tuple(rest), service, namespace, record_type)
        return MISSING

    def reverse(self, address: str) -> list[str]:
        """The names of an address: of the service that has it, else of the endpoints at it."""
        names = [
            f"{name_of(service)}.{namespace_of(service)}.svc.{self.domain}."
            for service in self._services.services_at(address)
        ]
        if names:
            return names
        for endpoint_slice in self._services.slices_at(address):
            service = endpoint_slice["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
            for entry in endpoint_slice.get("endpoints") or ():
                if service and address in entry.get("addresses", ()):
                    host = f"{entry.get('hostname') or dashed(address)}.{service}"
                    names.append(f"{host}.{namespace_of(endpoint_slice)}.svc.{self.domain}.")
        return names

    def _pod(self, label: str, namespace: str, record_type: str) -> Answer:
        try:
            address = ipaddress.IPv4Address(label.replace("-", "."))
        except ValueError:
            return MISSING
        if not self._services.namespace_exists(namespace):
            return MISSING
        return Answer((("A", str(address)),)) if record_type == "A" else EMPTY

    def _service(self, rest: tuple[str, ...], name: str, namespace: str, record_type: str) -> Answer:
        key = make_key(namespace, name)
        service = self._services.service(key)
        if service is None:
            return MISSING
        spec = service.get("spec") or {}
        if spec.get("type") == "ExternalName":
            return Answer((("CNAME", spec["externalName"].rstrip(".") + "."),)) if not rest else MISSING
        owner = f"{name}.{namespace}.svc.{self.domain}."
        if spec.get("clusterIP") == "None":
            targets = _targets(self._services.slices(key), service)
            return _headless(rest, owner, targets, record_type)
        return _cluster_ip(rest, owner, spec, record_type)


def _cluster_ip(rest: tuple[str, ...], owner: str, spec: dict[str, Any], record_type: str) -> Answer:
    addresses = [address for address in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if address]
    match rest:
        case ():
            return Answer(tuple(_address_records(addresses, record_type)))
        case (port_label, protocol_label):
            numbers = [
                port["port"]
                for port in spec.get("ports") or ()
                if _port_matches(port.get("name"), port.get("protocol"), port_label, protocol_label)
            ]
            return _srv([(owner, number) for number in numbers], record_type, {owner: addresses})
    return MISSING


def _headless(rest: tuple[str, ...], owner: str, targets: Sequence[Target], record_type: str) -> Answer:
    match rest:
        case ():
            addresses = list(dict.fromkeys(target.address for target in targets))
            return Answer(tuple(_address_records(addresses, record_type)))
        case (hostname,):
            addresses = [target.address for target in targets if target.hostname == hostname]
            return Answer(tuple(_address_records(addresses, record_type))) if addresses else MISSING
        case (port_label, protocol_label):
            hosts: dict[str, list[str]] = {}
            pairs = []
            for target in targets:
                for name, protocol, number in target.ports:
                    if _port_matches(name, protocol, port_label, protocol_label):
                        host = f"{target.hostname}.{owner}"
                        hosts.setdefault(host, []).append(target.address)
                        pairs.append((host, number))
            return _srv(pairs, record_type, hosts)
    return MISSING


def _srv(pairs: Sequence[tuple[str, int]], record_type: str, hosts: dict[str, list[str]]) -> Answer:
    if not pairs:
        return MISSING
    if record_type != "SRV":
        return EMPTY
    unique = list(dict.fromkeys(pairs))
    weight = max(1, SRV_WEIGHT_TOTAL // len(unique))
    records = tuple(("SRV", f"0 {weight} {number} {host}") for host, number in unique)
    extra = tuple((host, "A", address) for host, addresses in hosts.items() for address in addresses)
    return Answer(records, extra=extra)


def _targets(slices: Iterable[Object], service: Object) -> list[Target]:
    publish_all = bool((service.get("spec") or {}).get("publishNotReadyAddresses"))
    targets = []
    for endpoint_slice in slices:
        ports = tuple(
            (port.get("name") or "", (port.get("protocol") or "TCP"), port.get("port") or 0)
            for port in endpoint_slice.get("ports") or ()
        )
        for entry in endpoint_slice.get("endpoints") or ():
            ready = (entry.get("conditions") or {}).get("ready", True) is not False
            for address in entry.get("addresses") or () if ready or publish_all else ():
                targets.append(Target(entry.get("hostname") or dashed(address), address, ports))
    return targets


def _address_records(addresses: Iterable[str], record_type: str) -> list[tuple[str, str]]:
    family = {"A": False, "AAAA": True}.get(record_type)
    return [(record_type, address) for address in addresses if (":" in address) is family]


def _port_matches(name: str | None, protocol: str | None, port_label: str, protocol_label: str) -> bool:
    return port_label == f"_{name}" and protocol_label == f"_{(protocol or 'TCP').lower()}"


def dashed(address: str) -> str:
    """The label that stands for an endpoint without a host name."""
    return address.replace(".", "-").replace(":", "-")
