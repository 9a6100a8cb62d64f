"""Pod address ranges of nodes that come without one."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from mamekube.controllers.resources import NODES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects.meta import Object, name_of

Network = IPv4Network | IPv6Network


def pod_cidrs(node: Object) -> list[str]:
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else ()))


def plan(cluster: Network, *, mask_size: int, used: Iterable[str]) -> str | None:
    """The first free range of the cluster's; None where all are taken."""
    taken = [ip_network(text, strict=False) for text in used]
    numbers = {network for network in taken if network.prefixlen == mask_size}
    odd = [network for network in taken if network.prefixlen != mask_size]
    for candidate in cluster.subnets(new_prefix=mask_size):
        if candidate not in numbers and not any(_overlap(candidate, network) for network in odd):
            return str(candidate)
    return None


def _overlap(first: Network, second: Network) -> bool:
    return first.version == second.version and first.overlaps(second)


class NodeIpamController(Controller):
    """Duty: a range of pod addresses for each node, out of the cluster's, none given twice.

    Woken by nodes. A node that registers with a range keeps it.
    Invariant: one worker, and a range counts as used from the moment it is given, seen in the cache or not.
    """

    name = "cidrAllocator"
    account = "node-controller"
    watches = (Watch(resource=NODES, keys=itself, matters=lambda old, new: pod_cidrs(old) != pod_cidrs(new)),)
    workers = 1

    def __init__(self, context: Context, *, cluster_cidr: str, mask_size: int) -> None:
        super().__init__(context)
        self.cluster = ip_network(cluster_cidr)
        self.mask_size = mask_size
        self.given: dict[str, str] = {}

    async def reconcile(self, key: str) -> float | None:
        node = self.cache(NODES).get(key)
        if node is None or pod_cidrs(node):
            self.given.pop(key, None)
            return None
        used = [cidr for other in self.cache(NODES).list() for cidr in pod_cidrs(other)]
        used += [cidr for name, cidr in self.given.items() if name != key]
        cidr = self.given.get(key) or plan(self.cluster, mask_size=self.mask_size, used=used)
        if cidr is None:
            message = f"Node {name_of(node)} status is now: CIDRNotAvailable"
            self.record(node, "CIDRNotAvailable", message)
            return 30.0
        self.given[key] = cidr
        patch = {"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}
        await self.client.patch(NODES, key, patch, patch_type="strategic")
        return None
