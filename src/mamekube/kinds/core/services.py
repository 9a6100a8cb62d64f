"""`Service` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core import servicerules, servicewarnings
from mamekube.kinds.core.servicerules import externally_accessible
from mamekube.kinds.fields import section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Type", field="core.v1.ServiceSpec.type"),
    Column(name="Cluster-IP", field="core.v1.ServiceSpec.clusterIP"),
    Column(name="External-IP", field="core.v1.ServiceSpec.externalIPs"),
    Column(name="Port(s)", field="core.v1.ServiceSpec.ports"),
    cells.AGE,
    Column(name="Selector", field="core.v1.ServiceSpec.selector", priority=1),
)

AFFINITY_TIMEOUT_S = 10800


def default(service: Object) -> None:
    spec = section(service, "spec")
    affinity = spec.get("sessionAffinity") or "None"
    spec["sessionAffinity"] = affinity
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        _default_affinity(spec)
    kind = spec["type"] = spec.get("type") or "ClusterIP"
    for port in spec.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port")
    if externally_accessible(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind != "ExternalName" and not spec.get("internalTrafficPolicy"):
        spec["internalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is None:
            spec["allocateLoadBalancerNodePorts"] = True
        for ingress in (cells.status_of(service).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip") and ingress.get("ipMode") is None:
                ingress["ipMode"] = "VIP"


def _default_affinity(spec: dict[str, Any]) -> None:
    config = section(spec, "sessionAffinityConfig")
    client_ip = section(config, "clientIP")
    if client_ip.get("timeoutSeconds") is None:
        client_ip["timeoutSeconds"] = AFFINITY_TIMEOUT_S


def prepare_create(service: Object) -> None:
    service["status"] = {"loadBalancer": {}}
    _drop_traffic_policy(cells.spec_of(service))


def _drop_traffic_policy(spec: dict[str, Any]) -> None:
    """A name in another cluster has no traffic here. Clients of old say that it has."""
    if spec.get("type") == "ExternalName" and spec.get("internalTrafficPolicy") in servicerules.POLICIES:
        del spec["internalTrafficPolicy"]


def row(service: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(service)
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or cells.NONE]
    return [
        cells.name(service),
        spec.get("type") or "",
        addresses[0],
        _external_text(service),
        ",".join(_port_text(port) for port in spec.get("ports") or ()) or cells.NONE,
        cells.age(service, now_s),
        cells.labels_text(spec.get("selector")),
    ]


def _external_text(service: Object) -> str:
    spec = cells.spec_of(service)
    kind, external = spec.get("type"), spec.get("externalIPs") or []
    if kind in ("ClusterIP", "NodePort"):
        return ",".join(external) or cells.NONE
    if kind == "LoadBalancer":
        balanced = cells.load_balancer_text(cells.status_of(service).get("loadBalancer"))
        return ",".join([*filter(None, [balanced]), *external]) or "<pending>"
    return (spec.get("externalName") or "") if kind == "ExternalName" else "<unknown>"


def _port_text(port: dict[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port') or 0}{node_port}/{port.get('protocol') or ''}"


def prepare_update(new: Object, old: Object) -> None:
    """A client that changes `clusterIP` alone means the first of `clusterIPs`, which it may not know.

    What is no longer balanced has no balancer from now on, however long it takes to be taken down.
    """
    status = cells.status_of(new)
    if cells.spec_of(new).get("type") != "LoadBalancer" and status.get("loadBalancer"):
        new["status"] = {**status, "loadBalancer": {}}
    after, before = cells.spec_of(new), cells.spec_of(old)
    _drop_traffic_policy(after)
    address = after.get("clusterIP") or ""
    changed = address != (before.get("clusterIP") or "")
    if changed and after.get("clusterIPs") and after["clusterIPs"] == before.get("clusterIPs"):
        if address:
            after["clusterIPs"] = [address]
        else:
            del after["clusterIPs"]


KIND = Kind(
    group="",
    version="v1",
    plural="services",
    singular="service",
    kind="Service",
    short_names=("svc",),
    categories=("all",),
    schema="io.k8s.api.core.v1.Service",
    has_status=True,
    subresources=("proxy",),
    name_rule="label",
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.clusterIP": lambda obj: cells.spec_of(obj).get("clusterIP") or "",
        "spec.type": lambda obj: cells.spec_of(obj).get("type") or "",
    },
    validate_create=servicerules.validate_create,
    validate_update=servicerules.validate_update,
    validate_status=servicerules.validate_status,
    prepare_update=prepare_update,
    warnings=servicewarnings.of_service,
    status_warnings=servicewarnings.of_balancers,
)
