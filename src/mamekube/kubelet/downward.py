"""What a container may read about itself and its pod: field paths and resource fields. Pure.

Specification: `pkg/fieldpath`, `pkg/api/v1/resource` of upstream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.kubelet import resources
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known only on the node."""

    node_name: str = ""
    host_ips: tuple[str, ...] = ()
    pod_ips: tuple[str, ...] = ()
    allocatable: Mapping[str, str] | None = None


def field_value(pod: Object, path: str, facts: Facts) -> str:
    """The text of a fieldRef. Raises ValueError for a path that is not supported."""
    match = _SUBSCRIPT.fullmatch(path)
    if match:
        values = labels_of(pod) if match[1].endswith("labels") else annotations_of(pod)
        return values.get(match[2], "")
    spec = pod.get("spec") or {}
    known = {
        "metadata.name": lambda: metadata(pod).get("name", ""),
        "metadata.namespace": lambda: metadata(pod).get("namespace", ""),
        "metadata.uid": lambda: metadata(pod).get("uid", ""),
        "metadata.labels": lambda: format_map(labels_of(pod)),
        "metadata.annotations": lambda: format_map(annotations_of(pod)),
        "spec.nodeName": lambda: spec.get("nodeName", "") or facts.node_name,
        "spec.serviceAccountName": lambda: spec.get("serviceAccountName", ""),
        "status.hostIP": lambda: facts.host_ips[0] if facts.host_ips else "",
        "status.hostIPs": lambda: ",".join(facts.host_ips),
        "status.podIP": lambda: facts.pod_ips[0] if facts.pod_ips else "",
        "status.podIPs": lambda: ",".join(facts.pod_ips),
    }
    if path not in known:
        raise ValueError(f"unsupported fieldPath: {path}")
    return str(known[path]())


def format_map(values: Mapping[str, str]) -> str:
    """`key="value"` lines in order of keys, quoted as Go quotes."""
    return "\n".join(f"{key}={_quote(values[key])}" for key in sorted(values))


def _quote(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def resource_value(
    pod: Object, container: Mapping[str, Any], reference: Mapping[str, Any], facts: Facts
) -> str:
    """The text of a resourceFieldRef: a count of `divisor`s, rounded up."""
    name = reference.get("containerName")
    if name:
        spec = pod.get("spec") or {}
        everyone = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
        container = next((other for other in everyone if other["name"] == name), container)
    scope, _, resource = reference["resource"].partition(".")
    amounts = resources.limits_of(container) if scope == "limits" else resources.requests_of(container)
    amount = amounts.get(resource)
    if amount is None:
        # A limit that is not set is what the node has.
        amount = (facts.allocatable or {}).get(resource, "0") if scope == "limits" else "0"
    divisor = reference.get("divisor") or "1"
    if str(divisor) == "0":
        divisor = "1"
    return str(-(-resources.milli(amount) // resources.milli(divisor)))
