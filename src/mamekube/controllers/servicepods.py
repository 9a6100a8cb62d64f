"""Which pods stand behind a Service, at which addresses and ports. Pure; shared by Endpoints and EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.resources import PODS, SERVICES
from mamekube.controllers.runtime import Controller
from mamekube.foundation.clock import parse_time
from mamekube.objects.conditions import conditions_of, find
from mamekube.objects.meta import (
    Object,
    being_deleted,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from mamekube.objects.selectors import from_labels

HEADLESS_LABEL = "service.kubernetes.io/headless"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


def has_endpoints(service: Object) -> bool:
    """Whether controllers keep endpoints for it: those without a selector are someone else's."""
    spec = service.get("spec") or {}
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"


def publishes_not_ready(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("publishNotReadyAddresses"))


def addresses_of(pod: Object) -> list[str]:
    status = pod.get("status") or {}
    addresses = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")]
    if not addresses and status.get("podIP"):
        addresses = [status["podIP"]]
    return addresses


def addresses_in_family(pod: Object, family: str) -> list[str]:
    """Those of `IPv4` or `IPv6`."""
    return [address for address in addresses_of(pod) if (":" in address) == (family == "IPv6")]


def families_of(service: Object) -> list[str]:
    spec = service.get("spec") or {}
    if spec.get("ipFamilies"):
        return list(spec["ipFamilies"])
    return ["IPv6" if ":" in (spec.get("clusterIP") or "") else "IPv4"]


def belongs(pod: Object, *, terminating_too: bool) -> bool:
    """Whether a selected pod is an endpoint at all, ready or not."""
    if podfacts.is_terminal(pod) or not addresses_of(pod):
        return False
    return terminating_too or not being_deleted(pod)


def hostname_of(pod: Object, service: Object) -> str:
    """The pod's own name below the service's domain, if it asked for one."""
    spec = pod.get("spec") or {}
    same = spec.get("subdomain") == name_of(service) and namespace_of(pod) == namespace_of(service)
    return str(spec.get("hostname") or "") if same else ""


def reference_to(pod: Object) -> dict[str, str]:
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}


def target_port(pod: Object, service_port: dict[str, Any]) -> int | None:
    """The number behind a service port; None where the pod has no container port of that name."""
    target = service_port.get("targetPort", service_port["port"])
    if isinstance(target, int):
        return target or int(service_port["port"])
    protocol = service_port.get("protocol", "TCP")
    for container in _serving_containers(pod):
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _serving_containers(pod: Object) -> Iterator[dict[str, Any]]:
    spec = pod.get("spec") or {}
    yield from spec.get("containers") or ()
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def endpoint_ports(service: Object, pod: Object) -> list[dict[str, Any]]:
    """The ports of an EndpointSlice for this pod."""
    ports = []
    for service_port in service["spec"].get("ports") or ():
        number = target_port(pod, service_port)
        if number is None:
            continue
        port = {
            "name": service_port.get("name", ""),
            "protocol": service_port.get("protocol", "TCP"),
            "port": number,
        }
        if service_port.get("appProtocol"):
            port["appProtocol"] = service_port["appProtocol"]
        ports.append(port)
    return ports


# What wakes the controllers ---------------------------------------------------------------------------


def selecting_services(controller: Controller, pod: Object) -> Iterable[str]:
    """Every Service of the namespace that selects the pod."""
    labels = labels_of(pod)
    for service in controller.cache(SERVICES).list(namespace=namespace_of(pod)):
        if has_endpoints(service) and from_labels(service["spec"]["selector"]).matches(labels):
            yield key_of(service)


def pod_matters(old: Object, new: Object) -> bool:
    """Whether an endpoint made from the pod could differ."""
    return (
        podfacts.is_ready(old) != podfacts.is_ready(new)
        or addresses_of(old) != addresses_of(new)
        or being_deleted(old) != being_deleted(new)
        or podfacts.is_terminal(old) != podfacts.is_terminal(new)
        or podfacts.node_of(old) != podfacts.node_of(new)
        or labels_of(old) != labels_of(new)
    )


def pods_behind(controller: Controller, service: Object) -> list[Object]:
    selector = from_labels(service["spec"]["selector"])
    pods = controller.cache(PODS).list(namespace=namespace_of(service))
    return [pod for pod in pods if selector.matches(labels_of(pod))]


class TriggerTimes:
    """When the change happened that a write of endpoints answers: what their propagation delay is counted from."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, dict[str, float]]] = {}

    def earliest_change(self, service: Object, pods: Iterable[Object]) -> float | None:
        """The earliest change since the last call for this service, in seconds since the epoch."""
        key = key_of(service)
        known_service_s, known_pods = self._known.get(key, (0.0, {}))
        created = metadata(service).get("creationTimestamp")
        service_s = parse_time(created) if created else 0.0
        pods_s: dict[str, float] = {}
        for pod in pods:
            condition = find(conditions_of(pod), "Ready")
            if condition is not None and condition.get("lastTransitionTime"):
                pods_s[name_of(pod)] = parse_time(condition["lastTransitionTime"])
        self._known[key] = (service_s, pods_s)
        changed = [since for name, since in pods_s.items() if since > known_pods.get(name, 0.0)]
        if service_s > known_service_s:
            changed.append(service_s)
        return min(changed, default=None)

    def forget(self, key: str) -> None:
        self._known.pop(key, None)
