"""EndpointSlices for Endpoints that someone keeps by hand, so that whoever reads slices sees those too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mamekube.controllers import servicepods
from mamekube.controllers.adoption import typed_reference
from mamekube.controllers.endpointslice import MANAGED_BY, SERVICE_NAME, Actions
from mamekube.controllers.expectations import Expectations
from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects.meta import (
    Object,
    annotations_of,
    being_deleted,
    labels_of,
    make_key,
    name_of,
    namespace_of,
)
from mamekube.objects.status import StatusError, is_reason

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

ADDRESSES_PER_SUBSET_MAX = 1000
"""Upstream: --mirroring-max-endpoints-per-subset. What is beyond is left out."""


def is_mirrored(endpoints: Object, service: Object | None) -> bool:
    """Whether the Endpoints belong to a Service without a selector, and nobody asked to leave them alone."""
    if service is None or service["spec"].get("selector"):
        return False
    return labels_of(endpoints).get(SKIP) != "true" and LEADER not in annotations_of(endpoints)


def wanted_slices(endpoints: Object) -> list[Object]:
    """One slice per subset and address family."""
    slices = []
    for subset in endpoints.get("subsets") or ():
        for family in ("IPv4", "IPv6"):
            described = list(_endpoints(subset, family))[:ADDRESSES_PER_SUBSET_MAX]
            if described:
                slices.append(_slice(endpoints, family, subset.get("ports") or [], described))
    return slices


def _endpoints(subset: dict[str, Any], family: str) -> Iterator[dict[str, Any]]:
    for field, ready in (("addresses", True), ("notReadyAddresses", False)):
        for address in subset.get(field) or ():
            if (":" in address["ip"]) != (family == "IPv6"):
                continue
            described = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
            for name in ("hostname", "nodeName", "targetRef"):
                if address.get(name):
                    described[name] = address[name]
            yield described


def _slice(
    endpoints: Object, family: str, ports: Sequence[dict[str, Any]], described: list[dict[str, Any]]
) -> Object:
    labels = {key: value for key, value in labels_of(endpoints).items() if key != servicepods.HEADLESS_LABEL}
    metadata: dict[str, Any] = {
        "generateName": f"{name_of(endpoints)}-",
        "namespace": namespace_of(endpoints),
        "labels": {**labels, SERVICE_NAME: name_of(endpoints), MANAGED_BY: MANAGER},
        "ownerReferences": [typed_reference(ENDPOINTS, endpoints)],
    }
    annotations = {key: value for key, value in annotations_of(endpoints).items() if key != LAST_APPLIED}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": metadata,
        "addressType": family,
        "ports": [{"name": "", "protocol": "TCP", **port} for port in ports],
        "endpoints": described,
    }


def plan(endpoints: Object | None, service: Object | None, slices: Sequence[Object]) -> Actions:
    """Reuse slices of the same family and ports; remove all where nothing is to be mirrored."""
    actions = Actions()
    mirrored = endpoints is not None and not being_deleted(endpoints) and is_mirrored(endpoints, service)
    spare = list(slices)
    for wanted in wanted_slices(endpoints) if mirrored and endpoints is not None else ():
        known = next((entry for entry in spare if _shape(entry) == _shape(wanted)), None)
        if known is None:
            actions.create.append(wanted)
            continue
        spare.remove(known)
        kept = {key: value for key, value in wanted["metadata"].items() if key != "generateName"}
        changed = {**known, **wanted, "metadata": {**known["metadata"], **kept}}
        if changed != known:
            actions.update.append(changed)
    actions.delete = spare
    return actions


def _shape(slice_: Object) -> str:
    ports = sorted(slice_.get("ports") or [], key=lambda port: (port.get("name", ""), port.get("port", 0)))
    return str(slice_["addressType"]) + json.dumps(ports, sort_keys=True)


def mirrored_service(slice_: Object) -> Iterable[str]:
    """Index: the Endpoints that a slice of ours mirrors."""
    labels = labels_of(slice_)
    if labels.get(MANAGED_BY) == MANAGER and labels.get(SERVICE_NAME):
        yield make_key(namespace_of(slice_), labels[SERVICE_NAME])


def _observe_slice(controller: EndpointSliceMirroringController, event: str, slice_: Object) -> None:
    if event == "ADDED":
        for key in mirrored_service(slice_):
            controller.expectations.created(key)


class EndpointSliceMirroringController(Controller):
    """Duty: for Endpoints of a Service without a selector, EndpointSlices that say the same.

    Woken by Endpoints, their Services, and its slices.
    Invariant: only slices that carry its name as their manager are ever changed.
    """

    name = "endpoint-slice-mirroring-controller"
    account = "endpointslicemirroring-controller"
    watches = (
        Watch(resource=ENDPOINTS, keys=itself),
        Watch(resource=SERVICES, keys=itself),
        Watch(
            resource=ENDPOINT_SLICES,
            keys=lambda controller, slice_: mirrored_service(slice_),
            indexes={"mirrored": mirrored_service},
            observe=_observe_slice,
        ),
    )
    spacing_s = 0.1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.expectations = Expectations()

    async def reconcile(self, key: str) -> float | None:
        if not self.expectations.satisfied(key):
            return None
        slices = self.cache(ENDPOINT_SLICES).by_index("mirrored", key)
        endpoints = self.cache(ENDPOINTS).get(key)
        actions = plan(endpoints, self.cache(SERVICES).get(key), slices)
        if actions.create:
            self.expectations.expect_creations(key, len(actions.create))
        try:
            for slice_ in actions.create:
                await self.client.create(ENDPOINT_SLICES, slice_, namespace=namespace_of(slice_))
        except StatusError as error:
            self.expectations.forget(key)
            if namespace_terminating(error):
                return None
            raise
        for slice_ in actions.update:
            await self.client.update(ENDPOINT_SLICES, slice_)
        for slice_ in actions.delete:
            await self._delete(slice_)
        return None

    async def _delete(self, slice_: Object) -> None:
        try:
            await self.client.delete(ENDPOINT_SLICES, name_of(slice_), namespace=namespace_of(slice_))
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
