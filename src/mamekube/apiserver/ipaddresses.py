"""`IPAddress` objects: one for each cluster IP of a Service, made and removed with it.

Who holds an address is what stored Services say (`addresses`); these objects tell of it, so one that is removed or
refers to another Service is made again. An IPAddress that somebody else made keeps its address from Services.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.addresses import ServiceAddresses
from mamekube.apiserver.mirror import Mirror
from mamekube.client.client import Client
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.workqueue import WorkQueue
from mamekube.objects.meta import Object, labels_of, name_of, split_key, uid_of
from mamekube.objects.status import StatusError, is_reason
from mamekube.store.store import Store

log = logging.getLogger(__name__)

MANAGED_BY = "ipaddress.kubernetes.io/managed-by"
FAMILY = "ipaddress.kubernetes.io/ip-family"
ALLOCATOR = "ipallocator.k8s.io"


class Told(NamedTuple):
    """What matters of a stored IPAddress."""

    address: str
    right_for: str
    """The key of the Service that it tells of rightly; `""` where there is none."""
    ours: bool


class IpAddresses(Component):
    """Runs as long as the API server does."""

    def __init__(self, store: Store, client: Client, addresses: ServiceAddresses) -> None:
        super().__init__()
        self._client = client
        self._addresses = addresses
        self._queue: WorkQueue[str] = WorkQueue()
        self._mirror: Mirror[Told] = Mirror(
            store, builtin.IP_ADDRESSES, digest=lambda obj, _: told_by(obj), handler=self._objects_changed
        )

    async def start(self) -> None:
        for address in self._addresses.follow(self._queue.add):
            self._queue.add(address)
        await self._mirror.__aenter__()
        self.spawn(self._run(), name="ipaddresses")

    async def stop(self) -> None:
        await self._mirror.__aexit__(None, None, None)

    def _objects_changed(self, old: Told | None, new: Told | None) -> None:
        if old is not None:
            self._addresses.reserved.discard(old.address)
            self._queue.add(old.address)
        if new is not None:
            if not new.ours:
                self._addresses.reserved.add(new.address)
            self._queue.add(new.address)

    async def _run(self) -> None:
        while True:
            address = await self._queue.take()
            try:
                await self._reconcile(address)
                self._queue.forget(address)
            except StatusError as error:
                log.warning("ipaddress %s: %s", address, error)
                self._queue.retry(address)
            finally:
                self._queue.done(address)

    async def _reconcile(self, address: str) -> None:
        holder, there = self._addresses.holder_of(address), await self._find(address)
        if there is not None:
            told = told_by(there)
            if told.right_for == holder or not (told.ours or holder):
                return
            await self._remove(there)
        if holder:
            await self._create(address, holder)

    async def _find(self, address: str) -> Object | None:
        try:
            return await self._client.get(builtin.IP_ADDRESSES, address)
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
        return None

    async def _create(self, address: str, holder: str) -> None:
        try:
            await self._client.create(builtin.IP_ADDRESSES, ip_address(address, holder))
        except StatusError as error:
            if not is_reason(error, "AlreadyExists"):
                raise

    async def _remove(self, obj: Object) -> None:
        try:
            await self._client.delete(builtin.IP_ADDRESSES, name_of(obj), uid=uid_of(obj))
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise


def ip_address(address: str, service: str) -> Object:
    """The object for an address of the Service with this key."""
    namespace, name = split_key(service)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": _labels(address)},
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": name}},
    }


def told_by(obj: Object) -> Told:
    address, labels = name_of(obj), labels_of(obj)
    parent = (obj.get("spec") or {}).get("parentRef") or {}
    of_service = parent.get("resource") == "services" and not parent.get("group")
    right = of_service and labels.items() >= _labels(address).items()
    key = f"{parent.get('namespace') or ''}/{parent.get('name') or ''}" if right else ""
    return Told(address, key, labels.get(MANAGED_BY) == ALLOCATOR)


def _labels(address: str) -> dict[str, str]:
    return {FAMILY: "IPv6" if ":" in address else "IPv4", MANAGED_BY: ALLOCATOR}
