"""`Service` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import PROTOCOLS, Found, check, check_choice, check_labels, check_port, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, duplicate, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Type"),
    Column(name="Cluster-IP"),
    Column(name="External-IP"),
    Column(name="Port(s)"),
    cells.AGE,
    cells.SELECTOR,
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
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True


def _default_affinity(spec: dict[str, Any]) -> None:
    config = section(spec, "sessionAffinityConfig")
    client_ip = section(config, "clientIP")
    if client_ip.get("timeoutSeconds") is None:
        client_ip["timeoutSeconds"] = AFFINITY_TIMEOUT_S


def externally_accessible(spec: dict[str, Any]) -> bool:
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def prepare_create(service: Object) -> None:
    service["status"] = {"loadBalancer": {}}


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


TYPES = frozenset(("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"))
AFFINITIES = frozenset(("ClientIP", "None"))
POLICIES = ("Cluster", "Local")
FAMILIES = frozenset(("IPv4", "IPv6"))
FAMILY_POLICIES = frozenset(("SingleStack", "PreferDualStack", "RequireDualStack"))
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
AFFINITY_S_MAX = 86400
KUBELET_PORT = 10250


def is_headless(spec: dict[str, Any]) -> bool:
    return spec.get("clusterIP") == "None" or (spec.get("clusterIPs") or [""])[0] == "None"


def validate(service: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(service)
    ports, kind = spec.get("ports") or [], spec.get("type") or ""
    headless = is_headless(spec)
    if not ports and not headless and kind != "ExternalName":
        found.append(required("spec.ports"))
    _validate_by_type(spec, kind, found, headless=headless)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        _validate_port(port, f"spec.ports[{index}]", seen, found, named=len(ports) > 1)
    check_labels(spec.get("selector"), "spec.selector", found)
    _validate_affinity(spec, found)
    _validate_addresses(spec, kind, found)
    check_choice(kind, "spec.type", TYPES, found)
    _validate_unique_ports(ports, kind, found)
    _validate_traffic(spec, kind, found)
    return found


def _validate_by_type(spec: dict[str, Any], kind: str, found: Found, *, headless: bool) -> None:
    if kind == "LoadBalancer":
        for index, port in enumerate(spec.get("ports") or ()):
            if port.get("port") == KUBELET_PORT:
                detail = f"may not expose port {KUBELET_PORT} externally since it is used by kubelet"
                found.append(invalid(f"spec.ports[{index}]", KUBELET_PORT, detail))
    if kind in ("LoadBalancer", "NodePort") and headless:
        detail = f"may not be set to 'None' for {kind} services"
        found.append(invalid("spec.clusterIPs[0]", "None", detail))
    if kind == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                found.append(forbidden(f"spec.{field}", "may not be set for ExternalName services"))
        external = (spec.get("externalName") or "").removesuffix(".")
        if external:
            check(external, "spec.externalName", names.dns1123_subdomain, found)
        else:
            found.append(required("spec.externalName"))


def _validate_port(port: dict[str, Any], path: str, seen: set[str], found: Found, *, named: bool) -> None:
    name = port.get("name")
    if name:
        check(name, f"{path}.name", names.dns1123_label, found)
        if name in seen:
            found.append(duplicate(f"{path}.name", name))
        seen.add(name)
    elif named:
        found.append(required(f"{path}.name"))
    number = port.get("port") or 0
    for message in names.port_number(number):
        found.append(invalid(f"{path}.port", number, message))
    check_choice(port.get("protocol"), f"{path}.protocol", PROTOCOLS, found)
    check_port(port.get("targetPort"), f"{path}.targetPort", found)
    if port.get("appProtocol"):
        check(port["appProtocol"], f"{path}.appProtocol", names.qualified_name, found)


def _validate_affinity(spec: dict[str, Any], found: Found) -> None:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    check_choice(affinity, "spec.sessionAffinity", AFFINITIES, found)
    path = "spec.sessionAffinityConfig"
    if affinity == "None" and config is not None:
        found.append(forbidden(path, "must not be set when session affinity is None"))
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            detail = "when session affinity type is ClientIP"
            found.append(required(f"{path}.clientIP.timeoutSeconds", detail))
        elif not 0 < seconds <= AFFINITY_S_MAX:
            detail = f"must be greater than 0 and less than {AFFINITY_S_MAX}"
            found.append(invalid(f"{path}.clientIP.timeoutSeconds", seconds, detail))


def _validate_addresses(spec: dict[str, Any], kind: str, found: Found) -> None:
    addresses, first = spec.get("clusterIPs") or [], spec.get("clusterIP") or ""
    if kind != "ExternalName":
        if first and addresses and addresses[0] != first:
            found.append(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
        for index, address in enumerate(addresses or ([first] if first else ())):
            if address == "None":
                if len(addresses) > 1:
                    detail = "'None' must be the first and only value"
                    found.append(invalid("spec.clusterIPs", addresses, detail))
            else:
                check(address or "", f"spec.clusterIPs[{index}]", names.ip, found)
        for index, family in enumerate(spec.get("ipFamilies") or ()):
            if family not in FAMILIES:
                found.append(not_supported(f"spec.ipFamilies[{index}]", family, FAMILIES))
        policy = spec.get("ipFamilyPolicy")
        if policy and policy not in FAMILY_POLICIES:
            found.append(not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES))
    for index, address in enumerate(spec.get("externalIPs") or ()):
        check(address or "", f"spec.externalIPs[{index}]", names.ip, found)


def _validate_unique_ports(ports: list[dict[str, Any]], kind: str, found: Found) -> None:
    node_ports: set[tuple[str, int]] = set()
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        path, protocol = f"spec.ports[{index}]", port.get("protocol") or ""
        node_port = port.get("nodePort")
        if node_port and kind == "ClusterIP":
            found.append(forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'"))
        if node_port and (protocol, node_port) in node_ports:
            found.append(duplicate(f"{path}.nodePort", node_port))
        node_ports.add((protocol, node_port or 0))
        key = (protocol, port.get("port") or 0)
        if key in numbers:
            shown = Struct(
                Name="", Protocol=protocol, AppProtocol=None, Port=key[1], TargetPort=0, NodePort=0
            )
            found.append(duplicate(path, shown))
        numbers.add(key)


def _validate_traffic(spec: dict[str, Any], kind: str, found: Found) -> None:
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if external and not externally_accessible(spec):
        detail = "may only be set for externally-accessible services"
        found.append(invalid("spec.externalTrafficPolicy", external, detail))
    elif external and external not in POLICIES:
        found.append(not_supported("spec.externalTrafficPolicy", external, POLICIES))
    if spec.get("healthCheckNodePort") and not (kind == "LoadBalancer" and external == "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], detail))
    if internal is None and kind in ("ClusterIP", "LoadBalancer", "NodePort"):
        found.append(required("spec.internalTrafficPolicy"))
    elif internal is not None and internal not in POLICIES:
        found.append(not_supported("spec.internalTrafficPolicy", internal, POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in DISTRIBUTIONS:
        found.append(not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS))


def validate_update(new: Object, old: Object) -> Found:
    """The address that a service has been given stays, unless it becomes or was an ExternalName."""
    after, before = cells.spec_of(new), cells.spec_of(old)
    if "ExternalName" in (after.get("type"), before.get("type")):
        return []
    addresses, had = after.get("clusterIPs") or [], before.get("clusterIPs") or []
    if had and not addresses:
        return [invalid("spec.clusterIPs[0]", addresses, "primary clusterIP can not be unset")]
    if had and addresses[0] != had[0]:
        return [invalid("spec.clusterIPs[0]", addresses, "may not change once set")]
    return []


def prepare_update(new: Object, old: Object) -> None:
    """A client that changes `clusterIP` alone means the first of `clusterIPs`, which it may not know."""
    after, before = cells.spec_of(new), cells.spec_of(old)
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
    name_rule="label1035",
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.clusterIP": lambda obj: cells.spec_of(obj).get("clusterIP") or "",
        "spec.type": lambda obj: cells.spec_of(obj).get("type") or "",
    },
    validate=validate,
    validate_update=validate_update,
    prepare_update=prepare_update,
)
