"""EndpointSlices of Services with a selector: the addresses behind a Service, at most a hundred to a slice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers import servicepods
from mamekube.controllers.adoption import typed_reference
from mamekube.controllers.expectations import Expectations
from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.foundation.clock import format_time
from mamekube.objects.meta import (
    Object,
    annotations_of,
    being_deleted,
    labels_of,
    make_key,
    name_of,
    namespace_of,
)
from mamekube.objects.owners import owners_of
from mamekube.objects.status import StatusError, is_reason

ENDPOINTS_PER_SLICE_MAX = 100
"""Upstream: --max-endpoints-per-slice."""

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"

Endpoint = dict[str, Any]
Ports = list[dict[str, Any]]


@dataclass(slots=True)
class Actions:
    """What to write so that the slices say what is wanted."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def endpoint(service: Object, pod: Object, node: Object | None, *, addresses: Sequence[str]) -> Endpoint:
    """The endpoint that a pod is."""
    serving = podfacts.is_ready(pod)
    terminating = being_deleted(pod)
    ready = servicepods.publishes_not_ready(service) or (serving and not terminating)
    result: Endpoint = {
        "addresses": list(addresses),
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": servicepods.reference_to(pod),
    }
    if podfacts.node_of(pod):
        result["nodeName"] = podfacts.node_of(pod)
    zone = labels_of(node).get(ZONE) if node is not None else None
    if zone:
        result["zone"] = zone
    hostname = servicepods.hostname_of(pod, service)
    if hostname:
        result["hostname"] = hostname
    hints = _hints(service, result)
    if hints:
        result["hints"] = hints
    return result


def _hints(service: Object, described: Endpoint) -> dict[str, Any]:
    """Where traffic for this endpoint should come from, if the Service wants it kept close."""
    distribution = service["spec"].get("trafficDistribution")
    hints: dict[str, Any] = {}
    if not distribution or not described["conditions"]["ready"]:
        return hints
    if described.get("zone"):
        hints["forZones"] = [{"name": described["zone"]}]
    if distribution == "PreferSameNode" and described.get("nodeName"):
        hints["forNodes"] = [{"name": described["nodeName"]}]
    return hints


def plan(
    service: Object,
    pods: Iterable[Object],
    *,
    nodes: Mapping[str, Object],
    slices: Sequence[Object],
    trigger: str = "",
) -> Actions:
    """Compare the endpoints that the pods make with what the slices say, and change as few slices as possible.

    `trigger` is the time of the change, to be noted in every slice that is written.
    """
    pods = list(pods)
    actions = Actions()
    families = servicepods.families_of(service)
    for family in families:
        existing = [slice_ for slice_ in slices if slice_.get("addressType") == family]
        part = Actions()
        _plan_family(service, pods, family, nodes=nodes, slices=existing, actions=part)
        _reuse(part)
        actions.create += part.create
        actions.update += part.update
        actions.delete += part.delete
    actions.delete += [slice_ for slice_ in slices if slice_.get("addressType") not in families]
    if trigger:
        for written in (*actions.create, *actions.update):
            annotations = {**annotations_of(written), servicepods.TRIGGER_TIME: trigger}
            written["metadata"] = {**written["metadata"], "annotations": annotations}
    return actions


def _reuse(actions: Actions) -> None:
    """Turn a deletion and a creation into one update: one write instead of two, and no moment without endpoints."""
    while actions.create and actions.delete:
        wanted, spare = actions.create.pop(), actions.delete.pop()
        described = {**spare["metadata"], "labels": labels_of(wanted)}
        actions.update.append({**spare, **wanted, "metadata": described})


def _plan_family(
    service: Object,
    pods: Sequence[Object],
    family: str,
    *,
    nodes: Mapping[str, Object],
    slices: Sequence[Object],
    actions: Actions,
) -> None:
    wanted: dict[str, tuple[Ports, dict[str, Endpoint]]] = {}
    for pod in pods:
        if not servicepods.belongs(pod, terminating_too=True):
            continue
        addresses = servicepods.addresses_in_family(pod, family)
        node = nodes.get(podfacts.node_of(pod))
        lost = podfacts.node_of(pod) and node is None and not servicepods.publishes_not_ready(service)
        if not addresses or lost:
            continue
        ports = servicepods.endpoint_ports(service, pod)
        _, endpoints = wanted.setdefault(_ports_key(ports), (ports, {}))
        described = endpoint(service, pod, node, addresses=addresses)
        endpoints[_identity(described)] = described
    by_ports: dict[str, list[Object]] = {}
    for slice_ in slices:
        by_ports.setdefault(_ports_key(slice_.get("ports") or []), []).append(slice_)
    unused = [slice_ for key, group in by_ports.items() if key not in wanted for slice_ in group]
    if not wanted:
        # One slice without endpoints remains, so that "no endpoints" can be told from "not looked at yet".
        wanted[_ports_key([])] = ([], {})
        unused = [slice_ for slice_ in unused if slice_.get("ports")]
    for key, (ports, endpoints) in wanted.items():
        _plan_ports(
            service, family, ports, endpoints=endpoints, slices=by_ports.get(key, []), actions=actions
        )
    actions.delete += unused


def _plan_ports(
    service: Object,
    family: str,
    ports: Ports,
    *,
    endpoints: dict[str, Endpoint],
    slices: Sequence[Object],
    actions: Actions,
) -> None:
    """Keep every endpoint in the slice it is in; put new ones where there is room, in changed slices first."""
    rest = dict(endpoints)
    kept: list[tuple[Object, list[Endpoint]]] = []
    for slice_ in slices:
        kept.append((slice_, [rest.pop(key) for key in map(_identity, _endpoints(slice_)) if key in rest]))
    kept.sort(key=lambda entry: entry[1] == _endpoints(entry[0]))
    fresh = list(rest.values())
    for _, endpoints_kept in kept:
        room = ENDPOINTS_PER_SLICE_MAX - len(endpoints_kept)
        endpoints_kept += fresh[:room]
        fresh = fresh[room:]
    placeholder = not endpoints
    for position, (slice_, endpoints_kept) in enumerate(kept):
        if not endpoints_kept and not (placeholder and position == 0):
            actions.delete.append(slice_)
            continue
        changed = _filled(service, slice_, endpoints_kept, ports=ports)
        if changed != slice_:
            actions.update.append(changed)
    if placeholder and not kept:
        actions.create.append(_filled(service, _new(service, family), [], ports=ports))
    for start in range(0, len(fresh), ENDPOINTS_PER_SLICE_MAX):
        part = fresh[start : start + ENDPOINTS_PER_SLICE_MAX]
        actions.create.append(_filled(service, _new(service, family), part, ports=ports))


def _endpoints(slice_: Object) -> list[Endpoint]:
    return slice_.get("endpoints") or []


def _ports_key(ports: Ports) -> str:
    return json.dumps(sorted(ports, key=lambda port: (port.get("name", ""), port["port"])), sort_keys=True)


def _identity(described: Endpoint) -> str:
    uid = (described.get("targetRef") or {}).get("uid", "")
    return uid + "/" + ",".join(described["addresses"])


def _new(service: Object, family: str) -> Object:
    prefix = name_of(service) + "-"
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {"generateName": prefix, "namespace": namespace_of(service)},
        "addressType": family,
    }


def _filled(service: Object, slice_: Object, endpoints: list[Endpoint], *, ports: Ports) -> Object:
    """The slice as it should be; equal to `slice_` where nothing changes."""
    result = dict(slice_)
    result["metadata"] = {
        **slice_["metadata"],
        "labels": _labels(service),
        "ownerReferences": owners_of(slice_) or [typed_reference(SERVICES, service)],
    }
    if endpoints != _endpoints(slice_) or "endpoints" not in slice_:
        result["endpoints"] = endpoints
    if _ports_key(ports) != _ports_key(slice_.get("ports") or []) or "ports" not in slice_:
        result["ports"] = ports
    return result


def _labels(service: Object) -> dict[str, str]:
    """The Service's own labels and the three that say whose slice it is."""
    reserved = (servicepods.HEADLESS_LABEL, SERVICE_NAME, MANAGED_BY)
    labels = {key: value for key, value in labels_of(service).items() if key not in reserved}
    labels[SERVICE_NAME] = name_of(service)
    labels[MANAGED_BY] = MANAGER
    if servicepods.is_headless(service):
        labels[servicepods.HEADLESS_LABEL] = ""
    return labels


# The controller ---------------------------------------------------------------------------------------


def slice_service(slice_: Object) -> Iterable[str]:
    """Index: the Service that a slice of ours belongs to."""
    labels = labels_of(slice_)
    if labels.get(MANAGED_BY) == MANAGER and labels.get(SERVICE_NAME):
        yield make_key(namespace_of(slice_), labels[SERVICE_NAME])


def _observe_slice(controller: EndpointSliceController, event: str, slice_: Object) -> None:
    if event == "ADDED":
        for key in slice_service(slice_):
            controller.expectations.created(key)


def _services_on_node(controller: Controller, node: Object) -> Iterable[str]:
    for pod in controller.cache(PODS).by_index(podfacts.NODE, name_of(node)):
        yield from servicepods.selecting_services(controller, pod)


def _zone_changed(old: Object, new: Object) -> bool:
    return labels_of(old).get(ZONE) != labels_of(new).get(ZONE)


class EndpointSliceController(Controller):
    """Duty: for each Service with a selector, slices that list the pods it selects, ready or not.

    Woken by Services, by pods they select, by their slices, and by nodes on which such pods are.
    Invariants: an endpoint stands in one slice of its address family; slices that need no change are not written;
    nothing is created while the cache has not shown the slices created before.
    """

    name = "endpoint-slice-controller"
    account = "endpointslice-controller"
    watches = (
        Watch(resource=SERVICES, keys=itself),
        Watch(
            resource=PODS,
            keys=servicepods.selecting_services,
            matters=servicepods.pod_matters,
            indexes=podfacts.POD_INDEXES,
        ),
        Watch(
            resource=ENDPOINT_SLICES,
            keys=lambda controller, slice_: slice_service(slice_),
            indexes={"service": slice_service},
            observe=_observe_slice,
        ),
        Watch(resource=NODES, keys=_services_on_node, matters=_zone_changed),
    )
    spacing_s = 0.1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.expectations = Expectations()
        self.trigger_times = servicepods.TriggerTimes()

    async def reconcile(self, key: str) -> float | None:
        service = self.cache(SERVICES).get(key)
        if service is None or not servicepods.has_endpoints(service):
            self.expectations.forget(key)
            self.trigger_times.forget(key)
            return None
        if not self.expectations.satisfied(key):
            return None
        pods = servicepods.pods_behind(self, service)
        nodes = self.cache(NODES)
        known = {name: node for name in set(map(podfacts.node_of, pods)) if (node := nodes.get(name))}
        changed_s = self.trigger_times.earliest_change(service, pods)
        slices = self.cache(ENDPOINT_SLICES).by_index("service", key)
        actions = plan(
            service,
            pods,
            nodes=known,
            slices=[slice_ for slice_ in slices if not being_deleted(slice_)],
            trigger=format_time(changed_s) if changed_s else "",
        )
        await self._execute(key, service, actions)
        return None

    async def _execute(self, key: str, service: Object, actions: Actions) -> None:
        try:
            await self._write(key, service, actions)
        except StatusError as error:
            if namespace_terminating(error) or being_deleted(service):
                return
            if not is_reason(error, "Conflict", "NotFound"):
                message = f"Error updating Endpoint Slices for Service {key}: {error}"
                self.record(service, "FailedToUpdateEndpointSlices", message, warning=True)
            raise

    async def _write(self, key: str, service: Object, actions: Actions) -> None:
        if actions.create:
            self.expectations.expect_creations(key, len(actions.create))
        for slice_ in actions.create:
            try:
                await self.client.create(ENDPOINT_SLICES, slice_, namespace=namespace_of(service))
            except Exception:
                self.expectations.forget(key)
                raise
        for slice_ in actions.update:
            await self.client.update(ENDPOINT_SLICES, slice_)
        for slice_ in actions.delete:
            try:
                await self.client.delete(ENDPOINT_SLICES, name_of(slice_), namespace=namespace_of(slice_))
            except StatusError as error:
                if not is_reason(error, "NotFound"):
                    raise
