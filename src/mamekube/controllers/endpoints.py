"""Endpoints of Services with a selector: the older, single list of the addresses behind a Service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers import servicepods
from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import ENDPOINTS, PODS, SERVICES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.foundation.clock import format_time
from mamekube.objects.meta import (
    Object,
    annotations_of,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    split_key,
)
from mamekube.objects.status import StatusError, is_reason

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"

ADDRESSES_MAX = 1000
"""Addresses in one Endpoints object; upstream truncates beyond."""

Subset = dict[str, Any]


def subsets(service: Object, pods: Iterable[Object]) -> list[Subset]:
    """Addresses grouped by the ports they serve, ready ones and others, each sorted by address."""
    groups: dict[str, tuple[list[dict[str, Any]], list[Object], list[Object]]] = {}
    family = servicepods.families_of(service)[0]
    tolerant = servicepods.publishes_not_ready(service)
    headless = servicepods.is_headless(service)
    for pod in pods:
        if not servicepods.belongs(pod, terminating_too=tolerant):
            continue
        addresses = servicepods.addresses_in_family(pod, family)
        ports = servicepods.endpoint_ports(service, pod)
        if not addresses or (not ports and not (headless and not service["spec"].get("ports"))):
            continue
        ready = tolerant or podfacts.is_ready(pod)
        # Upstream makes one subset per port and merges those with equal addresses; per pod that is the same.
        _, good, bad = groups.setdefault(json.dumps(ports, sort_keys=True), (ports, [], []))
        (good if ready else bad).append(_address(service, pod, addresses[0]))
    result = []
    for ports, good, bad in groups.values():
        subset: Subset = {}
        if good:
            subset["addresses"] = sorted(good, key=_address_order)
        if bad:
            subset["notReadyAddresses"] = sorted(bad, key=_address_order)
        if ports:
            subset["ports"] = [_port(port) for port in ports]
        result.append(subset)
    return sorted(result, key=lambda subset: json.dumps(subset.get("ports"), sort_keys=True))


def _port(port: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in port.items() if value != ""}


def _address(service: Object, pod: Object, ip: str) -> Object:
    address: Object = {"ip": ip}
    hostname = servicepods.hostname_of(pod, service)
    if hostname:
        address["hostname"] = hostname
    if podfacts.node_of(pod):
        address["nodeName"] = podfacts.node_of(pod)
    address["targetRef"] = servicepods.reference_to(pod)
    return address


def _address_order(address: Object) -> tuple[str, str]:
    return address["ip"], address["targetRef"]["uid"]


def truncated(wanted: Sequence[Subset]) -> tuple[list[Subset], bool]:
    """At most `ADDRESSES_MAX` addresses, ready ones first; and whether any fell out."""
    total = sum(len(subset.get(field, ())) for subset in wanted for field in _FIELDS)
    if total <= ADDRESSES_MAX:
        return list(wanted), False
    room = ADDRESSES_MAX
    kept = [dict(subset) for subset in wanted]
    for field in _FIELDS:
        for subset in kept:
            part = subset.get(field, [])[:room]
            room -= len(part)
            subset.pop(field, None)
            if part:
                subset[field] = part
    return [subset for subset in kept if any(field in subset for field in _FIELDS)], True


_FIELDS = ("addresses", "notReadyAddresses")


def plan(
    service: Object, pods: Iterable[Object], current: Object | None, *, trigger: str = ""
) -> Object | None:
    """The Endpoints to write; None where the current ones are right."""
    wanted, over = truncated(subsets(service, pods))
    labels = {
        key: value
        for key, value in labels_of(service).items()
        if key not in (servicepods.HEADLESS_LABEL, MANAGED_BY)
    }
    if servicepods.is_headless(service):
        labels[servicepods.HEADLESS_LABEL] = ""
    labels[MANAGED_BY] = MANAGER
    annotations = dict(annotations_of(current)) if current is not None else {}
    if over:
        annotations[OVER_CAPACITY] = "truncated"
    else:
        annotations.pop(OVER_CAPACITY, None)
    if current is not None:
        same = (current.get("subsets") or []) == wanted and labels_of(current) == labels
        if same and annotations == annotations_of(current):
            return None
    if trigger:
        annotations[servicepods.TRIGGER_TIME] = trigger
    described: Object = {**metadata(current)} if current is not None else {}
    described.update(name=name_of(service), namespace=namespace_of(service), labels=labels)
    if annotations:
        described["annotations"] = annotations
    elif "annotations" in described:
        del described["annotations"]
    result: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": described}
    if wanted:
        result["subsets"] = wanted
    return result


def _observe_service(controller: EndpointsController, event: str, service: Object) -> None:
    (controller.bereft.add if event == "DELETED" else controller.bereft.discard)(key_of(service))


class EndpointsController(Controller):
    """Duty: for each Service with a selector, Endpoints of its name that list the addresses of its pods.

    Woken by Services, by pods they select, and by Endpoints.
    Invariants: Endpoints of Services without a selector are not touched, until their Service is deleted: then they
    go with it. Endpoints that never had a Service are left alone.
    """

    name = "endpoint-controller"
    account = "endpoint-controller"
    watches = (
        Watch(resource=SERVICES, keys=itself, observe=_observe_service),
        Watch(
            resource=PODS,
            keys=servicepods.selecting_services,
            matters=servicepods.pod_matters,
            indexes=podfacts.POD_INDEXES,
        ),
        Watch(resource=ENDPOINTS, keys=itself),
    )
    spacing_s = 0.1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.trigger_times = servicepods.TriggerTimes()
        self.bereft: set[str] = set()
        """Keys of Services whose deletion was seen, and whose Endpoints are still to go."""

    async def reconcile(self, key: str) -> float | None:
        service = self.cache(SERVICES).get(key)
        current = self.cache(ENDPOINTS).get(key)
        if service is None:
            self.trigger_times.forget(key)
            ours = current is not None and labels_of(current).get(MANAGED_BY) == MANAGER
            if current is not None and (ours or key in self.bereft):
                await self._delete(key)
            self.bereft.discard(key)
            return None
        if not servicepods.has_endpoints(service):
            return None
        pods = servicepods.pods_behind(self, service)
        changed_s = self.trigger_times.earliest_change(service, pods)
        wanted = plan(service, pods, current, trigger=format_time(changed_s) if changed_s else "")
        if wanted is not None:
            await self._write(service, current, wanted)
        return None

    async def _write(self, service: Object, current: Object | None, wanted: Object) -> None:
        verb = "create" if current is None else "update"
        try:
            if current is None:
                await self.client.create(ENDPOINTS, wanted, namespace=namespace_of(service))
            else:
                await self.client.update(ENDPOINTS, wanted)
        except StatusError as error:
            if namespace_terminating(error):
                return
            if not is_reason(error, "Conflict", "AlreadyExists", "NotFound"):
                message = f"Failed to {verb} endpoint {namespace_of(service)}/{name_of(service)}: {error}"
                self.record(service, f"FailedTo{verb.capitalize()}Endpoint", message, warning=True)
            raise

    async def _delete(self, key: str) -> None:
        namespace, name = split_key(key)
        try:
            await self.client.delete(ENDPOINTS, name, namespace=namespace)
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
