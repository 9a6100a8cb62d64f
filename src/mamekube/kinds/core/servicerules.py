"""Is a Service well formed, and may it become what an update makes of it? Upstream's rules, paths and wording."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import (
    PROTOCOLS,
    Found,
    check,
    check_choice,
    check_labels,
    check_port,
    check_public_ip,
    repeated,
)
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, duplicate, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object, annotations_of

TYPES = frozenset(("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"))
AFFINITIES = frozenset(("ClientIP", "None"))
POLICIES = frozenset(("Cluster", "Local"))
FAMILIES = frozenset(("IPv4", "IPv6"))
FAMILY_POLICIES = frozenset(("SingleStack", "PreferDualStack", "RequireDualStack"))
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
IP_MODES = frozenset(("Proxy", "VIP"))
AFFINITY_S_MAX = 86400
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
SET_ONCE = "may not change once set"


def is_headless(spec: Mapping[str, Any]) -> bool:
    return spec.get("clusterIP") == "None" or (spec.get("clusterIPs") or [""])[0] == "None"


def externally_accessible(spec: Mapping[str, Any]) -> bool:
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Mapping[str, Any]) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate_create(service: Object) -> Found:
    found: Found = []
    _validate(service, found, known=frozenset())
    return found


def _validate(service: Object, found: Found, *, known: Set[str]) -> None:
    """`known`: addresses and blocks of them that are not looked at."""
    spec, annotations = cells.spec_of(service), annotations_of(service)
    ports, kind = spec.get("ports") or [], spec.get("type") or ""
    hints, mode = annotations.get(TOPOLOGY_HINTS), annotations.get(TOPOLOGY_MODE)
    if hints is not None and mode is not None and hints != mode:
        detail = f"must match annotations[{TOPOLOGY_HINTS}] when both are specified"
        found.append(invalid(f"metadata.annotations[{TOPOLOGY_MODE}]", mode, detail))
    if not ports and not is_headless(spec) and kind != "ExternalName":
        found.append(required("spec.ports"))
    _validate_by_type(spec, kind, found)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        _validate_port(port, f"spec.ports[{index}]", seen, found, named=len(ports) > 1)
    check_labels(spec.get("selector"), "spec.selector", found)
    _validate_affinity(spec, found)
    if kind != "ExternalName":
        _validate_addresses(spec, found, known=known)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        path, before = f"spec.externalIPs[{index}]", len(found)
        if address in known:
            continue
        check(address or "", path, names.ip, found)
        if len(found) == before:
            check_public_ip(address, path, found)
    check_choice(kind, "spec.type", TYPES, found)
    _validate_unique_ports(ports, kind, found)
    _validate_balancing(spec, kind, annotations, found, known=known)
    _validate_traffic(spec, kind, found)


def _addresses_of(service: Object) -> Set[str]:
    """All that may have been written when less was refused."""
    spec = cells.spec_of(service)
    texts = [*(spec.get("clusterIPs") or ()), *(spec.get("externalIPs") or ())]
    texts += spec.get("loadBalancerSourceRanges") or annotations_of(service).get(SOURCE_RANGES, "").split(",")
    return {(text or "").strip() for text in texts} - {""}


def _validate_by_type(spec: Mapping[str, Any], kind: str, found: Found) -> None:
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
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


def _validate_port(port: Mapping[str, Any], path: str, seen: set[str], found: Found, *, named: bool) -> None:
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
    if port.get("appProtocol") is not None:
        check(port["appProtocol"], f"{path}.appProtocol", names.qualified_name, found)


def _validate_affinity(spec: Mapping[str, Any], found: Found) -> None:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    check_choice(affinity, "spec.sessionAffinity", AFFINITIES, found)
    path = "spec.sessionAffinityConfig"
    if affinity == "None" and config is not None:
        found.append(forbidden(path, "must not be set when session affinity is None"))
    if affinity != "ClientIP":
        return
    detail = "when session affinity type is ClientIP"
    client_ip = (config or {}).get("clientIP")
    seconds = (client_ip or {}).get("timeoutSeconds")
    if config is None:
        found.append(required(path, detail))
    elif client_ip is None:
        found.append(required(f"{path}.clientIP", detail))
    elif seconds is None:
        found.append(required(f"{path}.clientIP.timeoutSeconds", detail))
    elif not 0 < seconds <= AFFINITY_S_MAX:
        detail = f"must be greater than 0 and less than {AFFINITY_S_MAX}"
        found.append(invalid(f"{path}.clientIP.timeoutSeconds", seconds, detail))


def _validate_addresses(spec: Mapping[str, Any], found: Found, *, known: Set[str]) -> None:
    addresses, first = spec.get("clusterIPs") or [], spec.get("clusterIP") or ""
    path = "spec.clusterIPs"
    if first and addresses and addresses[0] != first:
        found.append(invalid(path, addresses, "first value must match `clusterIP`"))
    elif addresses and not first:
        found.append(invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    families = spec.get("ipFamilies") or ()
    twice = repeated(families)
    for index, family in enumerate(families):
        if family not in FAMILIES:
            found.append(not_supported(f"spec.ipFamilies[{index}]", family, FAMILIES))
        if index in twice:
            found.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in FAMILY_POLICIES:
        found.append(not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES))
    given = addresses or ([first] if first else [])
    before = len(found)
    for index, address in enumerate(given):
        if index or address != "None":
            if address not in known:
                check(address or "", f"{path}[{index}]", names.ip, found)
        elif len(given) > 1:
            found.append(invalid(path, addresses, "'None' must be the first and only value"))
    wrong = len(found) > before
    if len(given) > 2:
        found.append(invalid(path, addresses, "may only hold up to 2 values"))
    if wrong:
        return
    if len(given) > 1 and len({":" in address for address in given}) < 2:
        found.append(invalid(path, addresses, "may specify no more than one IP for each IP family"))
    if given and given[0] != "None":
        for index, (address, family) in enumerate(zip(given, families, strict=False)):
            if family in FAMILIES and family != ("IPv6" if ":" in address else "IPv4"):
                detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
                found.append(invalid(f"{path}[{index}]", address, detail))


def _validate_unique_ports(ports: list[dict[str, Any]], kind: str, found: Found) -> None:
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                detail = "may not be used when `type` is 'ClusterIP'"
                found.append(forbidden(f"spec.ports[{index}].nodePort", detail))
    node_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("nodePort") or 0)
        if key[1] and key in node_ports:
            found.append(duplicate(f"spec.ports[{index}].nodePort", key[1]))
        node_ports.add(key)
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("port") or 0)
        if key in numbers:
            shown = Struct(Name="", Protocol=key[0], AppProtocol=None, Port=key[1], TargetPort=0, NodePort=0)
            found.append(duplicate(f"spec.ports[{index}]", shown))
        numbers.add(key)


def _validate_balancing(
    spec: Mapping[str, Any], kind: str, annotations: Mapping[str, str], found: Found, *, known: Set[str]
) -> None:
    """What only services behind a load balancer may say."""
    balanced, ranges = kind == "LoadBalancer", spec.get("loadBalancerSourceRanges")
    if ranges:
        path = "spec.LoadBalancerSourceRanges"
        if not balanced:
            found.append(forbidden(path, ONLY_BALANCED))
        for index, block in enumerate(ranges):
            if (text := (block or "").strip()) not in known:
                check(text, f"{path}[{index}]", names.cidr, found)
    elif SOURCE_RANGES in annotations:
        path, text = f"metadata.annotations[{SOURCE_RANGES}]", annotations[SOURCE_RANGES].strip()
        if not balanced:
            found.append(forbidden(path, ONLY_BALANCED))
        for block in text.split(",") if text else ():
            if block.strip() not in known:
                check(block.strip(), path, names.cidr, found)
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        found.append(forbidden("spec.allocateLoadBalancerNodePorts", ONLY_BALANCED))
    elif spec.get("allocateLoadBalancerNodePorts") is None and balanced:
        found.append(required("allocateLoadBalancerNodePorts"))
    _validate_class(spec, kind, found)


def _validate_class(spec: Mapping[str, Any], kind: str, found: Found) -> None:
    balancer = spec.get("loadBalancerClass")
    if balancer is None:
        return
    if kind == "LoadBalancer":
        check(balancer, "spec.loadBalancerClass", names.qualified_name, found)
    else:
        found.append(forbidden("spec.loadBalancerClass", ONLY_BALANCED))


def _validate_traffic(spec: Mapping[str, Any], kind: str, found: Found) -> None:
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if not externally_accessible(spec):
        if external:
            detail = "may only be set for externally-accessible services"
            found.append(invalid("spec.externalTrafficPolicy", external, detail))
    else:
        check_choice(external, "spec.externalTrafficPolicy", POLICIES, found)
    health = spec.get("healthCheckNodePort") or 0
    if health and not needs_health_check(spec):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid("spec.healthCheckNodePort", health, detail))
    elif health:
        for message in names.port_number(health):
            found.append(invalid("spec.healthCheckNodePort", health, message))
    if internal is None and kind in ("ClusterIP", "LoadBalancer", "NodePort"):
        found.append(required("spec.internalTrafficPolicy"))
    elif internal is not None and internal not in POLICIES:
        found.append(not_supported("spec.internalTrafficPolicy", internal, POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in DISTRIBUTIONS:
        found.append(not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS))


def validate_update(new: Object, old: Object) -> Found:
    """The address that a service has been given stays, unless it becomes or was an ExternalName."""
    found: Found = []
    after, before = cells.spec_of(new), cells.spec_of(old)
    if "ExternalName" not in (after.get("type"), before.get("type")):
        headless, was_headless = is_headless(after), is_headless(before)
        if not (headless and was_headless):
            _validate_kept(after, before, "clusterIPs", found)
        if not headless and not was_headless:
            _validate_kept(after, before, "ipFamilies", found)
    if after.get("type") == before.get("type") == "LoadBalancer":
        balancer = after.get("loadBalancerClass")
        if balancer != before.get("loadBalancerClass"):
            shown = "null" if balancer is None else balancer
            found.append(invalid("spec.loadBalancerClass", shown, SET_ONCE))
    _validate_class(after, after.get("type") or "", found)
    port, had = (spec.get("healthCheckNodePort") or 0 for spec in (after, before))
    if needs_health_check(after) and needs_health_check(before) and port != had:
        found.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    _validate(new, found, known=_addresses_of(old))
    return found


def _validate_kept(after: Mapping[str, Any], before: Mapping[str, Any], field: str, found: Found) -> None:
    """The first address or family stays; the second may come, and go where one is asked for."""
    now, had = after.get(field) or [], before.get(field) or []
    addresses = field == "clusterIPs"
    one = "clusterIP" if addresses else "ipFamily"
    if len(now) == len(had):
        for index, (value, old) in enumerate(zip(now, had, strict=True)):
            if value != old:
                # Upstream names the first family whichever it is.
                found.append(invalid(f"spec.{field}[{index if addresses else 0}]", now, SET_ONCE))
        return
    if now and had and now[0] != had[0]:
        # Upstream shows addresses where families changed.
        found.append(invalid(f"spec.{field}[0]", after.get("clusterIPs"), SET_ONCE))
    if len(now) > len(had):
        return
    if not after.get("clusterIPs"):
        found.append(invalid(f"spec.{field}[0]", after.get(field), f"primary {one} can not be unset"))
    policy = after.get("ipFamilyPolicy")
    if len(now) == 1 and policy != "SingleStack":
        detail = f"must be set to 'SingleStack' when releasing the secondary {one}"
        found.append(invalid("spec.ipFamilyPolicy", "null" if policy is None else policy, detail))


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    path = "status.loadBalancer.ingress"
    ingresses = (cells.status_of(new).get("loadBalancer") or {}).get("ingress") or ()
    if ingresses and cells.spec_of(new).get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    told = (cells.status_of(old).get("loadBalancer") or {}).get("ingress") or ()
    known = {ingress.get("ip") for ingress in told}
    for index, ingress in enumerate(ingresses):
        _validate_ingress(ingress, f"{path}[{index}]", found, known=known)
    return found


def _validate_ingress(ingress: Mapping[str, Any], path: str, found: Found, *, known: Set[str | None]) -> None:
    address, mode, host = ingress.get("ip"), ingress.get("ipMode"), ingress.get("hostname")
    if address:
        if address not in known:
            check(address, f"{path}.ip", names.ip, found)
        if mode is None:
            found.append(required(f"{path}.ipMode", "must be specified when `ip` is set"))
    elif mode is not None:
        found.append(forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set"))
    if address and mode is not None and mode not in IP_MODES:
        found.append(not_supported(f"{path}.ipMode", mode, IP_MODES))
    if host:
        check(host, f"{path}.hostname", names.dns1123_subdomain, found)
        if names.is_ip(host):
            found.append(invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address"))
