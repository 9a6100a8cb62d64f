"""What a Service says that is ignored, deprecated or easily misread: texts for the `Warning` header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core.servicerules import TOPOLOGY_HINTS, TOPOLOGY_MODE, is_headless
from mamekube.objects.addresses import cidr_warnings, ip_warnings
from mamekube.objects.meta import Object, metadata


def of_service(new: Object, old: Object | None) -> list[str]:
    spec = cells.spec_of(new)
    said = []
    if TOPOLOGY_HINTS in (metadata(new).get("annotations") or {}):
        said.append(f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead")
    if spec.get("clusterIP") not in (None, "", "None"):
        for index, address in enumerate(spec.get("clusterIPs") or ()):
            said += ip_warnings(address or "", f"spec.clusterIPs[{index}]")
    if spec.get("type") == "ClusterIP" and is_headless(spec):
        said += [f"{path} is ignored for headless services" for path in _needless(spec)]
    if spec.get("externalIPs"):
        said.append("spec.externalIPs is deprecated")
        for index, address in enumerate(spec["externalIPs"]):
            said += ip_warnings(address or "", f"spec.externalIPs[{index}]")
    said += ip_warnings(spec.get("loadBalancerIP") or "", "spec.loadBalancerIP")
    for index, block in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        said += cidr_warnings(block or "", f"spec.loadBalancerSourceRanges[{index}]")
    if spec.get("type") == "ExternalName":
        if spec.get("externalIPs"):
            said.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    elif spec.get("externalName"):
        said.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        said.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return said


def _needless(spec: dict[str, Any]) -> Iterator[str]:
    """What means nothing where there is no address of its own."""
    if spec.get("loadBalancerIP"):
        yield "spec.loadBalancerIP"
    if spec.get("externalIPs"):
        yield "spec.externalIPs"
    if spec.get("sessionAffinity") != "None":
        yield "spec.SessionAffinity"


def of_balancers(new: Object, old: Object | None) -> list[str]:
    """Of a status that tells where a Service or an Ingress is reached."""
    ingresses = (cells.status_of(new).get("loadBalancer") or {}).get("ingress") or ()
    return [
        warning
        for index, ingress in enumerate(ingresses)
        for warning in ip_warnings(ingress.get("ip") or "", f"status.loadBalancer.ingress[{index}]")
    ]
