"""Descriptions of services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kubectl.describe.writer import Writer
from mamekube.objects.meta import Object, annotations_of, labels_of, name_of, namespace_of
from mamekube.objects.selectors import from_labels

ENDPOINTS_SHOWN_MAX = 3


def describe_service(writer: Writer, service: Object, slices: Sequence[Object]) -> None:
    spec, status = service["spec"], service.get("status") or {}
    writer.line(0, f"Name:\t{name_of(service)}")
    writer.line(0, f"Namespace:\t{namespace_of(service)}")
    writer.mapping("Labels", labels_of(service))
    writer.annotations("Annotations", annotations_of(service))
    writer.line(0, f"Selector:\t{from_labels(spec.get('selector')) if spec.get('selector') else '<none>'}")
    writer.line(0, f"Type:\t{spec.get('type', '')}")
    if spec.get("ipFamilyPolicy"):
        writer.line(0, f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    if spec.get("ipFamilies"):
        writer.line(0, f"IP Families:\t{','.join(spec['ipFamilies'])}")
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    writer.line(0, f"IP:\t{spec.get('clusterIP', '')}")
    writer.line(0, f"IPs:\t{','.join(addresses) if addresses else '<none>'}")
    if spec.get("externalIPs"):
        writer.line(0, f"External IPs:\t{','.join(spec['externalIPs'])}")
    if spec.get("loadBalancerIP"):
        writer.line(0, f"Desired LoadBalancer IP:\t{spec['loadBalancerIP']}")
    if spec.get("externalName"):
        writer.line(0, f"External Name:\t{spec['externalName']}")
    if ingress := (status.get("loadBalancer") or {}).get("ingress"):
        texts = [str(entry.get("ip") or entry.get("hostname")) for entry in ingress]
        writer.line(0, f"LoadBalancer Ingress:\t{', '.join(texts)}")
    for port in spec.get("ports") or ():
        _port(writer, port, slices)
    writer.line(0, f"Session Affinity:\t{spec.get('sessionAffinity', '')}")
    for field, label in (
        ("externalTrafficPolicy", "External Traffic Policy"),
        ("internalTrafficPolicy", "Internal Traffic Policy"),
        ("trafficDistribution", "TrafficDistribution"),
    ):
        if spec.get(field):
            writer.line(0, f"{label}:\t{spec[field]}")
    if spec.get("healthCheckNodePort"):
        writer.line(0, f"HealthCheck NodePort:\t{spec['healthCheckNodePort']}")


def _port(writer: Writer, port: Mapping[str, Any], slices: Sequence[Object]) -> None:
    name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
    writer.line(0, f"Port:\t{name}\t{port['port']}/{protocol}")
    writer.line(0, f"TargetPort:\t{port.get('targetPort', port['port'])}/{protocol}")
    if port.get("nodePort"):
        writer.line(0, f"NodePort:\t{name}\t{port['nodePort']}/{protocol}")
    writer.line(0, f"Endpoints:\t{endpoints_text(slices, port.get('name') or '')}")


def endpoints_text(slices: Sequence[Object], port_name: str) -> str:
    """`10.244.0.5:8080,10.244.0.6:8080 + 2 more...`: the ready endpoints of one port."""
    if not slices:
        return "<none>"
    found = []
    for endpoint_slice in slices:
        for port in endpoint_slice.get("ports") or ():
            if (port.get("name") or "") != port_name:
                continue
            for entry in endpoint_slice.get("endpoints") or ():
                if (entry.get("conditions") or {}).get("ready", True) is not False:
                    found += [f"{address}:{port.get('port')}" for address in entry["addresses"]]
    if len(found) > ENDPOINTS_SHOWN_MAX:
        return f"{','.join(found[:ENDPOINTS_SHOWN_MAX])} + {len(found) - ENDPOINTS_SHOWN_MAX} more..."
    return ",".join(found)
