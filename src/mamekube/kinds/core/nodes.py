"""`Node` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, check_quantity, repeated, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import scheduling
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.kinds.podspec.resources import is_whole
from mamekube.objects import conditions, names
from mamekube.objects.fielderrors import Struct, duplicate, forbidden, invalid
from mamekube.objects.meta import Object, labels_of

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"

INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)

COLUMNS = (
    cells.NAME,
    Column(name="Status", description="The status of the node"),
    Column(name="Roles", description="The roles of the node"),
    cells.AGE,
    Column(name="Version", field="core.v1.NodeSystemInfo.kubeletVersion"),
    Column(name="Internal-IP", field="core.v1.NodeStatus.addresses", priority=1),
    Column(name="External-IP", field="core.v1.NodeStatus.addresses", priority=1),
    Column(name="OS-Image", field="core.v1.NodeSystemInfo.osImage", priority=1),
    Column(name="Kernel-Version", field="core.v1.NodeSystemInfo.kernelVersion", priority=1),
    Column(name="Container-Runtime", field="core.v1.NodeSystemInfo.containerRuntimeVersion", priority=1),
)


def default(node: Object) -> None:
    spec = section(node, "spec")
    # One range of addresses is written in both of its fields.
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs") and not spec.get("podCIDR"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    status = section(node, "status")
    # Structs of numbers and texts that Go writes even before a kubelet has filled them in.
    section(section(status, "daemonEndpoints"), "kubeletEndpoint").setdefault("Port", 0)
    info = section(status, "nodeInfo")
    for field in INFO:
        info.setdefault(field, "")
    for field in ("capacity", "allocatable"):
        canonicalize(status.get(field))
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def row(node: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(node), cells.status_of(node)
    info = status.get("nodeInfo") or {}
    return [
        cells.name(node),
        _status_text(spec, status),
        ",".join(roles_of(node)) or cells.NONE,
        cells.age(node, now_s),
        info.get("kubeletVersion") or "",
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def roles_of(node: Object) -> list[str]:
    """The roles that its labels give a node, in order of name."""
    roles = set()
    for key, value in labels_of(node).items():
        if key.startswith(ROLE_PREFIX):
            roles.add(key.removeprefix(ROLE_PREFIX))
        elif key == ROLE_LABEL:
            roles.add(value)
    return sorted(roles - {""})


def _status_text(spec: dict[str, Any], status: dict[str, Any]) -> str:
    ready = conditions.find(status.get("conditions") or (), "Ready")
    text = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{text},SchedulingDisabled" if spec.get("unschedulable") else text


def _address(status: dict[str, Any], address_type: str) -> str:
    for address in status.get("addresses") or ():
        if address.get("type") == address_type:
            return address.get("address") or ""
    return cells.NONE


def validate(node: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(node)
    # Upstream names metadata here, where taints once were as an annotation.
    scheduling.validate_taints(spec.get("taints") or [], "metadata.taints", found)
    validate_amounts(node, found)
    blocks = spec.get("podCIDRs") or ()
    for index, block in enumerate(blocks):
        check(block or "", f"spec.podCIDRs[{index}]", names.cidr, found)
    if len(blocks) > 1:
        if len(blocks) > 2 or len({":" in block for block in blocks}) < 2:
            detail = "may specify no more than one CIDR for each IP family"
            found.append(invalid("spec.podCIDRs", blocks, detail))
        for index in sorted(repeated(blocks)):
            found.append(duplicate(f"spec.podCIDRs[{index}]", blocks[index]))
    return found


def validate_amounts(node: Object, found: Found) -> None:
    """What the node has, and what of it pods may have."""
    status = cells.status_of(node)
    for field in ("capacity", "allocatable"):
        for name, amount in (status.get(field) or {}).items():
            check_quantity(amount, f"status.{field}.{name}", found, integer=is_whole(name))


def validate_update(new: Object, old: Object) -> Found:
    after, before = cells.spec_of(new), cells.spec_of(old)
    found: Found = []
    _validate_node_addresses(new, found)
    if before.get("podCIDRs") and after.get("podCIDRs") != before["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        found.append(forbidden("spec.podCIDRs", detail))
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        found.append(forbidden("spec.providerID", detail))
    return found


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    validate_amounts(new, found)
    _validate_node_addresses(new, found)
    return found


def _validate_node_addresses(node: Object, found: Found) -> None:
    seen: set[tuple[str, str]] = set()
    for index, address in enumerate(cells.status_of(node).get("addresses") or ()):
        kind, text = address.get("type") or "", address.get("address") or ""
        if (kind, text) in seen:
            found.append(duplicate(f"status.addresses[{index}]", Struct(Type=kind, Address=text)))
        seen.add((kind, text))


def warn(new: Object, old: Object | None) -> list[str]:
    spec, said = cells.spec_of(new), []
    if spec.get("configSource") is not None:
        said.append("spec.configSource: the feature is removed")
    if spec.get("externalID"):
        said.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    return said


KIND = Kind(
    group="",
    version="v1",
    plural="nodes",
    singular="node",
    kind="Node",
    namespaced=False,
    short_names=("no",),
    schema="io.k8s.api.core.v1.Node",
    has_status=True,
    keeps_first_status=True,
    subresources=("proxy",),
    default=default,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.unschedulable": lambda obj: "true" if cells.spec_of(obj).get("unschedulable") else "false"
    },
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warn,
)
