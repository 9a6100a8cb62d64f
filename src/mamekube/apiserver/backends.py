"""Where a Service's pods can be reached from outside of a node.

Cluster addresses answer only inside of the nodes. The host of the API server has routes to the pods, so it goes
straight to a ready endpoint, as upstream does with `--enable-aggregator-routing`.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.writes import key_for, prefix_for
from mamekube.objects.meta import Object, labels_of
from mamekube.objects.status import StatusError, unavailable
from mamekube.store.store import Store

SERVICE_LABEL = "kubernetes.io/service-name"


class Backend(NamedTuple):
    """An address, or with an ExternalName a host name, and a port."""

    host: str
    port: int


async def choose(store: Store, *, namespace: str, name: str, port: int) -> Backend:
    """One of the places behind `port` of a Service, at random. Raises StatusError with upstream's words."""
    item = await store.get(key=key_for(builtin.SERVICES, namespace=namespace, name=name))
    if item is None:
        raise StatusError(404, "NotFound", f'service "{name}" not found')
    spec = item.object.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return Backend(spec.get("externalName") or "", port)
    for offered in spec.get("ports") or ():
        if offered.get("port") == port:
            break
    else:
        raise unavailable(f'no service port {port} found for service "{name}"')
    places = await ready(store, namespace=namespace, name=name, port_name=offered.get("name") or "")
    if not places:
        raise unavailable(f'no endpoints available for service "{name}"')
    return random.choice(places)


async def ready(store: Store, *, namespace: str, name: str, port_name: str) -> list[Backend]:
    """The ready endpoints of a Service behind the port of this name."""
    snapshot = await store.list(prefix=prefix_for(builtin.ENDPOINT_SLICES, namespace=namespace))
    return [
        place
        for item in snapshot.items
        if labels_of(item.object).get(SERVICE_LABEL) == name
        for place in _in_slice(item.object, port_name)
    ]


def _in_slice(piece: Object, port_name: str) -> list[Backend]:
    return [
        Backend(address, port["port"])
        for port in piece.get("ports") or ()
        if (port.get("name") or "") == port_name and port.get("port")
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    ]
