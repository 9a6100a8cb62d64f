"""ServiceCIDRs: ready as soon as they are there, and not gone before the addresses that only they have are."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from mamekube.controllers.resources import IP_ADDRESSES, SERVICE_CIDRS
from mamekube.controllers.runtime import Controller, Watch
from mamekube.foundation.clock import parse_time
from mamekube.objects.conditions import conditions_of, is_true, replaced
from mamekube.objects.meta import Object, being_deleted, edited, has_finalizer, labels_of, metadata, name_of

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
MANAGED_BY = "ipaddress.kubernetes.io/managed-by"
ALLOCATOR = "ipallocator.k8s.io"
GRACE_S = 10.0
"""Between a deletion and the end, so that every API server knows not to give out addresses of it any more."""

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "",
    "message": "Kubernetes Service CIDR is ready",
}
TERMINATING = {
    "type": "Ready",
    "status": "False",
    "reason": "Terminating",
    "message": (
        "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
    ),
}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def networks_of(service_cidr: Object) -> list[Network]:
    return [ipaddress.ip_network(text) for text in (service_cidr.get("spec") or {}).get("cidrs") or ()]


def can_go(service_cidr: Object, others: Sequence[Object], addresses: Iterable[Object]) -> bool:
    """Whether no address would be left without a range: another covers this one, or no Service has an address of it."""
    own = networks_of(service_cidr)
    rest = [network for other in others for network in networks_of(other)]
    if all(any(_within(network, other) for other in rest) for network in own):
        return True
    for obj in addresses:
        if labels_of(obj).get(MANAGED_BY) != ALLOCATOR:
            continue
        address = ipaddress.ip_address(name_of(obj))
        given = any(_gives(network, address) for network in own)
        if given and not any(_gives(network, address) for network in rest):
            return False
    return True


def _gives(network: Network, address: Address) -> bool:
    """A range gives out neither its first address nor, in IPv4, its last."""
    unused = (network.network_address, network.broadcast_address if network.version == 4 else None)
    return address in network and address not in unused


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]


def _overlapping(controller: Controller, service_cidr: Object) -> Iterable[str]:
    """A range that comes or goes may free others that are being deleted."""
    own = networks_of(service_cidr)
    yield name_of(service_cidr)
    for other in controller.cache(SERVICE_CIDRS).list():
        if any(mine.overlaps(theirs) for mine in own for theirs in networks_of(other)):
            yield name_of(other)


def _held_up(controller: Controller, obj: Object) -> Iterable[str]:
    """An address matters to ranges that are being deleted only."""
    leaving = [other for other in controller.cache(SERVICE_CIDRS).list() if being_deleted(other)]
    if leaving:
        address = ipaddress.ip_address(name_of(obj))
        for other in leaving:
            if any(_gives(network, address) for network in networks_of(other)):
                yield name_of(other)


class ServiceCidrController(Controller):
    """Duty: the finalizer and the `Ready` condition of each ServiceCIDR.

    Woken by ServiceCIDRs, by those that overlap, and by addresses of those that are being deleted.
    Invariant: the finalizer goes only when no Service's address is in this range alone.
    """

    name = "service-cidr-controller"
    account = "service-cidrs-controller"
    watches = (
        Watch(resource=SERVICE_CIDRS, keys=_overlapping),
        Watch(resource=IP_ADDRESSES, keys=_held_up, matters=lambda old, new: False),
    )

    async def reconcile(self, key: str) -> float | None:
        service_cidr = self.cache(SERVICE_CIDRS).get(key)
        if service_cidr is None:
            return None
        if being_deleted(service_cidr):
            return await self._let_go(service_cidr)
        if not has_finalizer(service_cidr, FINALIZER):
            finalizers = [*(metadata(service_cidr).get("finalizers") or ()), FINALIZER]
            await self.client.update(
                SERVICE_CIDRS, edited(service_cidr, ("metadata", "finalizers"), finalizers)
            )
        elif not is_true(service_cidr, "Ready"):
            await self._say(service_cidr, READY)
        return None

    async def _let_go(self, service_cidr: Object) -> float | None:
        if not has_finalizer(service_cidr, FINALIZER):
            return None
        others = [
            other
            for other in self.cache(SERVICE_CIDRS).list()
            if name_of(other) != name_of(service_cidr) and not being_deleted(other)
        ]
        if not can_go(service_cidr, others, self.cache(IP_ADDRESSES).list()):
            await self._say(service_cidr, TERMINATING)
            return None
        left_s = parse_time(metadata(service_cidr)["deletionTimestamp"]) + GRACE_S - self.clock.now()
        if left_s > 0:
            return left_s
        left = [text for text in metadata(service_cidr)["finalizers"] if text != FINALIZER]
        await self.client.update(
            SERVICE_CIDRS, edited(service_cidr, ("metadata", "finalizers"), left or None)
        )
        return None

    async def _say(self, service_cidr: Object, condition: dict[str, Any]) -> None:
        conditions = replaced(conditions_of(service_cidr), condition, now=self.clock.timestamp())
        if conditions != conditions_of(service_cidr):
            new = edited(service_cidr, ("status", "conditions"), conditions)
            await self.client.update(SERVICE_CIDRS, new, subresource="status")
