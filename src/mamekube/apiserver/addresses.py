"""Cluster IPs and node ports of Services: given out by the API server, each at most once.

What is taken is what stored Services say, followed by a watch, and besides that what this server has promised
to writes that are under way. A promise ends when the Service is stored, or lapses; so a write that fails in
the end loses nothing, and nobody has to be told. Addresses come from the configured ranges and, when these are full,
from those of ServiceCIDRs: from the upper part of a range unless a user names one, so that the lower part stays free
for those who do.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.mirror import Mirror
from mamekube.apiserver.writes import CREATE, Reader, Write
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.objects import conditions, fielderrors, status
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, being_deleted, key_of, make_key, name_of, split_key
from mamekube.store.store import Store

PROMISE_S = 60.0
"""As long as a request may take: a promise of this age was not kept."""
RANDOM_TRIES = 16

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Taken = tuple[str, Hashable]
"""("ip", address) or ("port", number)."""


class Full(Exception):
    """The range has nothing left."""


class Claims(NamedTuple):
    """What one stored Service holds."""

    service: str
    held: frozenset[Taken]


class Further(NamedTuple):
    """The ranges of a ServiceCIDR that may be used."""

    name: str
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers to choose from; those below `dynamic` are chosen last."""

    first: int
    last: int
    dynamic: int

    def candidates(self) -> Iterator[int]:
        """Every number, each once or more, the random ones of the upper part first."""
        for _ in range(RANDOM_TRIES):
            yield random.randint(self.dynamic, self.last)
        yield from range(self.dynamic, self.last + 1)
        yield from range(self.first, self.dynamic)


def address_range(network: Network) -> Range:
    """All but the network's own and the broadcast address; the static part is a sixteenth, 16 to 256 addresses."""
    first = int(network.network_address) + 1
    last = int(network.broadcast_address) - (1 if network.version == 4 else 0)
    size = last - first + 1
    static = min(max(16, size // 16), 256) if size >= 16 else 0
    return Range(first, last, first + static if static < size else first)


def port_range(text: str) -> Range:
    """`30000-32767`, or `30000+2767`. The static part is a thirty-second, 16 to 128 ports."""
    low, separator, high = text.partition("+" if "+" in text else "-")
    first = int(low)
    last = first + int(high) if separator == "+" else int(high)
    size = last - first + 1
    static = min(max(16, size // 32), 128) if size > 16 else 0
    return Range(first, last, first + static if static < size else first)


class ServiceAddresses(Component):
    """`prepare` before a Service is validated, `assign` after."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        clock: Clock,
        *,
        service_cidr: str,
        node_port_range: str = "30000-32767",
    ) -> None:
        super().__init__()
        networks = [ipaddress.ip_network(part) for part in service_cidr.split(",")]
        self._networks: dict[str, Network] = {f"IPv{network.version}": network for network in networks}
        self._further: dict[str, Further] = {}
        self._ports = port_range(node_port_range)
        self._ports_text = f"{self._ports.first}-{self._ports.last}"
        self._reader = reader
        self._clock = clock
        self._held: dict[Taken, str] = {}
        """Owner of everything that stored Services hold."""
        self._promised: dict[Taken, tuple[str, float]] = {}
        """Owner and end of every promise."""
        self.reserved: set[str] = set()
        """Addresses that are somebody else's."""
        self._follower: Callable[[str], None] | None = None
        self._mirror: Mirror[Claims] = Mirror(
            store, builtin.SERVICES, digest=claims_of, handler=self._services_changed
        )
        self._range_mirror: Mirror[Further] = Mirror(
            store, builtin.SERVICE_CIDRS, digest=further_of, handler=self._ranges_changed
        )

    async def start(self) -> None:
        await self._mirror.__aenter__()
        await self._range_mirror.__aenter__()

    async def stop(self) -> None:
        await self._range_mirror.__aexit__(None, None, None)
        await self._mirror.__aexit__(None, None, None)

    def prepare(self, write: Write) -> None:
        """Complete what the client may leave out, from the Service as it was; drop what its new type has not."""
        assert write.object is not None
        spec = write.object.setdefault("spec", {})
        if write.old is not None:
            old = write.old.get("spec") or {}
            keep_assigned(spec, old)
            drop_by_type(spec, old)
        normalize_addresses(spec)

    async def assign(self, write: Write) -> None:
        """Give the Service what it needs and does not have. Raises 422, and 500 where a range is used up."""
        service = write.object
        assert service is not None
        spec, old = service.setdefault("spec", {}), (write.old or {}).get("spec") or {}
        owner = make_key(write.namespace, write.name or service["metadata"].get("name", ""))
        promised: list[Taken] = []
        try:
            self._choose_families(write, spec)
            await self._assign_addresses(write, spec, owner, promised)
            if (
                write.operation == CREATE
                or spec.get("ports") != old.get("ports")
                or _type(spec) != _type(old)
            ):
                await self._assign_ports(write, spec, owner, promised)
            await self._assign_health_port(spec, owner, promised)
        except BaseException:
            self._forget(promised)
            raise
        if write.dry_run:
            self._forget(promised)

    def release(self, service: Object) -> None:
        """Take back what was promised to a Service that will not be stored after all."""
        owner = key_of(service)
        self._forget([taken for taken, (holder, _) in self._promised.items() if holder == owner])

    def holder_of(self, address: str) -> str:
        """The key of the stored Service that has the address; empty where none has."""
        return self._held.get(("ip", address), "")

    def follow(self, follower: Callable[[str], None]) -> list[str]:
        """Tell `follower` of every address that is taken or freed from now on. Answers those that are taken."""
        self._follower = follower
        return [str(what) for kind, what in self._held if kind == "ip"]

    # Families and addresses -----------------------------------------------------------------------------

    def _choose_families(self, write: Write, spec: dict[str, Any]) -> None:
        if _type(spec) == "ExternalName":
            return
        given = [address for address in spec.get("clusterIPs") or () if address not in ("", "None")]
        families = list(spec.get("ipFamilies") or ())
        for address in given[len(families) :]:
            families.append(f"IPv{ipaddress.ip_address(address).version}")
        own = next(iter(self._networks))
        if spec.get("clusterIP") == "None" and not spec.get("selector"):
            _choose_any_families(spec, families or [own])
            return
        policy = spec.get("ipFamilyPolicy") or ("RequireDualStack" if len(families) > 1 else "SingleStack")
        errors = [
            fielderrors.invalid(f"spec.ipFamilies[{place}]", family, "not configured on this cluster")
            for place, family in enumerate(families)
            if family not in self._networks
        ]
        if policy == "RequireDualStack" and len(self._networks) < 2:
            detail = "this cluster is not configured for dual-stack services"
            errors.append(fielderrors.invalid("spec.ipFamilyPolicy", policy, detail))
        if errors:
            raise _invalid(write, errors)
        families = families or [own]
        if policy != "SingleStack" and len(families) == 1:
            families += [family for family in self._networks if family not in families]
        spec["ipFamilies"], spec["ipFamilyPolicy"] = families, policy

    async def _assign_addresses(
        self, write: Write, spec: dict[str, Any], owner: str, promised: list[Taken]
    ) -> None:
        if _type(spec) == "ExternalName":
            return
        addresses: list[str] = list(spec.get("clusterIPs") or ())
        if addresses[:1] == ["None"]:
            spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
            return
        for address in addresses:
            why = await self._take_address(address, owner, promised)
            if why:
                detail = f"failed to allocate IP {address}: {why}"
                raise _invalid(write, [fielderrors.invalid("spec.clusterIPs", addresses, detail)])
        for family in spec["ipFamilies"][len(addresses) :]:
            addresses.append(await self._find_address(family, owner, promised))
        spec["clusterIP"], spec["clusterIPs"] = addresses[0], addresses

    async def _take_address(self, text: str, owner: str, promised: list[Taken]) -> str:
        """Take a chosen address; answer why not, or `""`."""
        address = ipaddress.ip_address(text)
        ranges = (address_range(network) for network in self._networks_of(f"IPv{address.version}"))
        if not any(bounds.first <= int(address) <= bounds.last for bounds in ranges):
            return "the provided network does not match the current range"
        taken = await self._take(("ip", str(address)), owner, promised)
        return "" if taken else "provided IP is already allocated"

    async def _find_address(self, family: str, owner: str, promised: list[Taken]) -> str:
        for network in self._networks_of(family):
            for number in address_range(network).candidates():
                address = str(type(network.network_address)(number))
                if self._free(("ip", address)):
                    self._promise(("ip", address), owner, promised)
                    return address
        raise status.internal_error("failed to allocate a serviceIP: range is full")

    def _networks_of(self, family: str) -> list[Network]:
        further = [network for ranges in self._further.values() for network in ranges.networks]
        own = self._networks.get(family)
        more = [network for network in further if f"IPv{network.version}" == family and network != own]
        return ([own] if own is not None else []) + more

    def _ranges_changed(self, old: Further | None, new: Further | None) -> None:
        if old is not None:
            del self._further[old.name]
        if new is not None:
            self._further[new.name] = new

    # Ports ----------------------------------------------------------------------------------------------

    async def _assign_ports(
        self, write: Write, spec: dict[str, Any], owner: str, promised: list[Taken]
    ) -> None:
        needs = needs_node_ports(spec)
        chosen: dict[Any, dict[str, int]] = {}
        """Node port by service port and protocol: one port for several protocols has one node port."""
        for place, port in enumerate(spec.get("ports") or ()):
            number = port.get("nodePort") or 0
            others = chosen.setdefault(port.get("port"), {})
            protocol = port.get("protocol") or "TCP"
            if number and protocol not in others and number in others.values():
                pass  # shared with the same port of another protocol
            elif number:
                why = await self._take_port(number, owner, promised)
                if why:
                    raise _invalid(write, [fielderrors.invalid(f"spec.ports[{place}].nodePort", number, why)])
            elif needs:
                shared = next(iter(others.values()), 0) if protocol not in others else 0
                number = port["nodePort"] = shared or self._find_port(owner, promised)
            if number:
                others[protocol] = number

    async def _assign_health_port(self, spec: dict[str, Any], owner: str, promised: list[Taken]) -> None:
        if not needs_health_port(spec):
            return
        number = spec.get("healthCheckNodePort") or 0
        if not number:
            spec["healthCheckNodePort"] = self._find_port(owner, promised)
            return
        why = await self._take_port(number, owner, promised)
        if why:
            raise status.internal_error(f"failed to allocate requested HealthCheck NodePort {number}: {why}")

    async def _take_port(self, number: int, owner: str, promised: list[Taken]) -> str:
        if not self._ports.first <= number <= self._ports.last:
            return f"provided port is not in the valid range. The range of valid ports is {self._ports_text}"
        taken = await self._take(("port", number), owner, promised, exclusive=True)
        return "" if taken else "provided port is already allocated"

    def _find_port(self, owner: str, promised: list[Taken]) -> int:
        for number in self._ports.candidates():
            if self._free(("port", number)):
                self._promise(("port", number), owner, promised)
                return number
        raise status.internal_error("failed to allocate a nodePort: range is full")

    # Who holds what -------------------------------------------------------------------------------------

    async def _take(
        self, taken: Taken, owner: str, promised: list[Taken], *, exclusive: bool = False
    ) -> bool:
        """Promise it to `owner`, unless somebody else has it, or this very write has it already."""
        if (exclusive and taken in promised) or self._is_reserved(taken):
            return False
        holder = self._held.get(taken)
        if holder is not None and holder != owner and await self._still_holds(holder, taken):
            return False
        promise = self._promised.get(taken)
        if promise is not None and promise[0] != owner and promise[1] > self._clock.now():
            return False
        self._promise(taken, owner, promised)
        return True

    async def _still_holds(self, holder: str, taken: Taken) -> bool:
        """The watch may be a moment behind a deletion that has been acknowledged: look again."""
        namespace, name = split_key(holder)
        service = await self._reader.get(builtin.SERVICES, name, namespace=namespace)
        claims = claims_of(service, None) if service is not None else None
        return claims is not None and taken in claims.held

    def _free(self, taken: Taken) -> bool:
        promise = self._promised.get(taken)
        if self._is_reserved(taken):
            return False
        return taken not in self._held and (promise is None or promise[1] <= self._clock.now())

    def _is_reserved(self, taken: Taken) -> bool:
        return taken[0] == "ip" and taken[1] in self.reserved and taken not in self._held

    def _promise(self, taken: Taken, owner: str, promised: list[Taken]) -> None:
        if self._held.get(taken) != owner:
            self._promised[taken] = (owner, self._clock.now() + PROMISE_S)
        promised.append(taken)

    def _forget(self, promised: Iterable[Taken]) -> None:
        for taken in promised:
            self._promised.pop(taken, None)

    def _services_changed(self, old: Claims | None, new: Claims | None) -> None:
        for taken in old.held if old is not None else ():
            if old is not None and self._held.get(taken) == old.service:
                del self._held[taken]
                self._note_change(taken)
        for taken in new.held if new is not None else ():
            if new is not None:
                self._held[taken] = new.service
                self._promised.pop(taken, None)
                self._note_change(taken)

    def _note_change(self, taken: Taken) -> None:
        if taken[0] == "ip" and self._follower is not None:
            self._follower(str(taken[1]))


def claims_of(service: Object, old: Claims | None) -> Claims | None:
    """The addresses and ports that a stored Service holds; None where it holds nothing."""
    spec = service.get("spec") or {}
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    held: set[Taken] = {("ip", address) for address in addresses if address not in ("", "None")}
    held |= {("port", port["nodePort"]) for port in spec.get("ports") or () if port.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        held.add(("port", spec["healthCheckNodePort"]))
    claims = Claims(key_of(service), frozenset(held)) if held else None
    return old if claims == old else claims


def further_of(service_cidr: Object, old: Further | None) -> Further | None:
    """None for one that is going, or said not to be ready. Without a word it is: controllers need not run for it."""
    ready = conditions.find(conditions.conditions_of(service_cidr), "Ready")
    if being_deleted(service_cidr) or (ready is not None and ready.get("status") != "True"):
        return None
    cidrs = (service_cidr.get("spec") or {}).get("cidrs") or ()
    further = Further(name_of(service_cidr), tuple(ipaddress.ip_network(cidr) for cidr in cidrs))
    return old if further == old else further


def keep_assigned(spec: dict[str, Any], old: dict[str, Any]) -> None:
    """Carry over what was assigned and the client did not repeat: an update without it is no wish to lose it."""
    if _type(spec) != "ExternalName" and _type(old) != "ExternalName":
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                if old.get(field):
                    spec[field] = old[field]
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if not spec.get(field) and old.get(field):
                spec[field] = old[field]
    if needs_node_ports(spec) and needs_node_ports(old):
        _keep_node_ports(spec, old)
    if needs_health_port(spec) and needs_health_port(old) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = old.get("healthCheckNodePort")


def _keep_node_ports(spec: dict[str, Any], old: dict[str, Any]) -> None:
    used = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    known = {
        (port.get("protocol"), port.get("port")): port.get("nodePort") for port in old.get("ports") or ()
    }
    for port in spec.get("ports") or ():
        number = known.get((port.get("protocol"), port.get("port")))
        if not port.get("nodePort") and number and number not in used:
            port["nodePort"] = number


def drop_by_type(spec: dict[str, Any], old: dict[str, Any]) -> None:
    """Drop what only the old type had, if the client sent it back unchanged: it meant to change the type."""
    dropped: list[str] = []
    if _type(old) != "ExternalName" and _type(spec) == "ExternalName":
        dropped += ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]
    if needs_health_port(old) and not needs_health_port(spec):
        dropped.append("healthCheckNodePort")
    if _type(old) == "LoadBalancer" and _type(spec) != "LoadBalancer":
        dropped += ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
    if _external(old) and not _external(spec):
        dropped.append("externalTrafficPolicy")
    for field in dropped:
        if spec.get(field) == old.get(field):
            spec.pop(field, None)
    if needs_node_ports(old) and not needs_node_ports(spec) and _node_ports(spec) == _node_ports(old):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)


def _choose_any_families(spec: dict[str, Any], families: list[str]) -> None:
    """Where no address is given out and no pods are chosen, the cluster need not have the families."""
    policy = spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "RequireDualStack"
    if policy != "SingleStack" and len(families) == 1:
        families = [*families, "IPv6" if families[0] == "IPv4" else "IPv4"]
    spec["ipFamilies"] = families


def normalize_addresses(spec: dict[str, Any]) -> None:
    """`clusterIP` is the first of `clusterIPs`, which old clients do not know and need not send."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def needs_node_ports(spec: dict[str, Any]) -> bool:
    if _type(spec) == "NodePort":
        return True
    return _type(spec) == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False


def needs_health_port(spec: dict[str, Any]) -> bool:
    return _type(spec) == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _external(spec: dict[str, Any]) -> bool:
    return _type(spec) in ("NodePort", "LoadBalancer") or bool(spec.get("externalIPs"))


def _type(spec: dict[str, Any]) -> str:
    return spec.get("type") or "ClusterIP"


def _node_ports(spec: dict[str, Any]) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _invalid(write: Write, errors: list[FieldError]) -> status.StatusError:
    name = write.name or (write.object or {}).get("metadata", {}).get("name", "")
    return status.invalid(write.kind, name, errors)
