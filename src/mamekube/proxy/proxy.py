"""The service proxy: keeps the node's nftables table in step with Services and EndpointSlices.

What wakes it: any change of a Service or an EndpointSlice. It looks only at the services that changed, and
several changes that arrive while a transaction runs become one. Invariant: what `Table` believes is what the
kernel has; after a failed transaction both start over from the skeleton.
"""

from __future__ import annotations

import asyncio
import logging

from mamekube.client.client import Client
from mamekube.client.informer import Informer
from mamekube.foundation.backoff import Backoff
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.core import services as service_kind
from mamekube.kinds.discovery import endpointslices as slice_kind
from mamekube.objects.meta import Object, key_of, labels_of, make_key, namespace_of
from mamekube.proxy import nft
from mamekube.proxy.rules import EMPTY, ServiceRules, plan

log = logging.getLogger(__name__)

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
RETRY_INITIAL_S = 0.5
RETRY_LIMIT_S = 30.0


def service_key(endpoint_slice: Object) -> str:
    """The key of the service that a slice belongs to; `""` for a slice of none."""
    name = labels_of(endpoint_slice).get(SERVICE_NAME_LABEL, "")
    return make_key(namespace_of(endpoint_slice), name) if name else ""


class ServiceProxy(Component):
    """Serves ClusterIPs, node ports and external addresses in this process's network namespace."""

    def __init__(self, client: Client, *, node_name: str, pod_cidr: str) -> None:
        super().__init__()
        self._node_name = node_name
        self._pod_cidr = pod_cidr
        self._services = Informer(client, service_kind.KIND)
        self._slices = Informer(client, slice_kind.KIND, indexes={"service": lambda obj: [service_key(obj)]})
        self._table = nft.Table()
        self._dirty: set[str] = set()
        self._wakeup = asyncio.Event()
        self._backoff = Backoff(initial_s=RETRY_INITIAL_S, limit_s=RETRY_LIMIT_S)
        self.synced = asyncio.Event()
        """Set once the table has served everything that was known at the start."""

    async def start(self) -> None:
        self._services.subscribe(self._service_changed)
        self._slices.subscribe(self._slice_changed)
        await self._services.__aenter__()
        await self._slices.__aenter__()
        self.spawn(self._run(), name="service-proxy")

    async def stop(self) -> None:
        await self._slices.__aexit__(None, None, None)
        await self._services.__aexit__(None, None, None)

    def _service_changed(self, kind: str, old: Object | None, new: Object | None) -> None:
        self._touch(key_of(new or old or {}))

    def _slice_changed(self, kind: str, old: Object | None, new: Object | None) -> None:
        for endpoint_slice in (old, new):
            if endpoint_slice is not None:
                self._touch(service_key(endpoint_slice))

    def _touch(self, key: str) -> None:
        if key:
            self._dirty.add(key)
            self._wakeup.set()

    async def _run(self) -> None:
        await self._services.synced()
        await self._slices.synced()
        commands = nft.skeleton(pod_network=self._pod_cidr)
        while True:
            keys = sorted(self._dirty)
            self._dirty.clear()
            self._wakeup.clear()
            commands += self._table.change({key: self._plan(key) for key in keys})
            try:
                if commands:
                    await nft.run(commands)
            except (nft.NftError, OSError) as error:
                delay_s = self._backoff.next_s("table")
                log.error("the service table was refused, building it anew in %.1f s: %s", delay_s, error)
                await asyncio.sleep(delay_s)
                self._start_over()
                commands = nft.skeleton(pod_network=self._pod_cidr)
                continue
            self._backoff.forget("table")
            commands = ""
            self.synced.set()
            await self._wakeup.wait()

    def _plan(self, key: str) -> ServiceRules:
        service = self._services.cache.get(key)
        if service is None:
            return EMPTY
        return plan(service, self._slices.cache.by_index("service", key), node_name=self._node_name)

    def _start_over(self) -> None:
        self._table.reset()
        self._dirty.update(key_of(service) for service in self._services.cache.list())
