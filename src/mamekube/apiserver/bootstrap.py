"""What every cluster is born with, made at the first start and mended at every later one.

Namespaces, default roles and bindings, priority classes, flow control, the `kubernetes` Service with its
endpoints, the front proxy's trust, and the APIServices of the built-in groups. Writes run side by side, so that
the store commits them together; a later start lists and writes only what is missing or has to change.
"""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import orjson

from mamekube.apiserver import builtin
from mamekube.apiserver.access import legacy_tokens
from mamekube.apiserver.access.escalation import covers
from mamekube.apiserver.access.role_aggregation import aggregated
from mamekube.apiserver.aggregation import priorities
from mamekube.apiserver.flow import flow_control
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.objects.meta import Object, annotations_of, key_of, name_of, namespace_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

log = logging.getLogger(__name__)

KEEP_PERIOD_S = 10.0
"""Between looks at what is kept, as upstream's lease reconciler."""

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}

NODE_SERVICES_ROLE = "mamekube:node-services"
"""The service proxy and the DNS server of a node act as the node, so nodes may read what those two serve."""


class BootstrapConfig(Protocol):
    """The part of the server's configuration that shows in objects."""

    @property
    def address(self) -> str: ...
    @property
    def advertise_address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def service_cidr(self) -> str: ...
    @property
    def client_ca_file(self) -> str: ...
    @property
    def requestheader_ca_file(self) -> str: ...


async def bootstrap(
    client: Client,
    config: BootstrapConfig,
    clock: Clock,
    *,
    group_versions: Iterable[tuple[str, Sequence[str]]] = (),
) -> None:
    """Make or mend all of it, as a client in `system:masters`. Raises StatusError where a write is refused."""
    await _ensure(client, builtin.NAMESPACES, [_namespace(name) for name in NAMESPACES])
    await asyncio.gather(
        _ensure(client, builtin.CLUSTER_ROLES, cluster_roles(), mend=mended_role),
        _ensure(client, builtin.CLUSTER_ROLE_BINDINGS, cluster_role_bindings(), mend=mended_binding),
        _ensure(client, builtin.ROLES, namespace_roles(), mend=mended_role),
        _ensure(client, builtin.ROLE_BINDINGS, role_bindings(), mend=mended_binding),
        _ensure(client, builtin.PRIORITY_CLASSES, priority_classes()),
        _ensure(client, builtin.PRIORITY_LEVELS, flow_control.priority_levels(), mend=mended_spec),
        _ensure(
            client,
            builtin.FLOW_SCHEMAS,
            flow_control.flow_schemas(),
            mend=mended_spec,
            conditions=lambda schema: [flow_control.dangling_condition(schema, clock.timestamp())],
        ),
        _ensure_service(client, config),
        _ensure(
            client,
            builtin.SERVICE_CIDRS,
            [default_service_cidr(config)],
            conditions=lambda _: [ready_condition(clock.timestamp())],
        ),
        _ensure_one(client, builtin.CONFIG_MAPS, proxy_trust(config), fields=("data",)),
        _ensure_one(
            client,
            builtin.CONFIG_MAPS,
            legacy_tokens.tracking(clock.now()),
            fields=("data",),
            create_only=True,
        ),
        _ensure(client, builtin.API_SERVICES, api_services(group_versions)),
    )


async def keep(client: Client, config: BootstrapConfig) -> None:
    """Bring back what must not go while the server runs: the first namespaces and the way to this server."""
    while True:
        await asyncio.sleep(KEEP_PERIOD_S)
        try:
            await restore(client, config)
        except StatusError as error:
            log.warning("cannot keep the kubernetes service: %s", error)


async def restore(client: Client, config: BootstrapConfig) -> None:
    """Make what is missing of it. Raises StatusError."""
    await _ensure(client, builtin.NAMESPACES, [_namespace(name) for name in NAMESPACES])
    await _ensure_service(client, config)


# What there should be ----------------------------------------------------------------------------------


def cluster_roles() -> list[Object]:
    """All default cluster roles; those that collect others have their rules already."""
    roles = {
        name_of(role): role for role in (_role("ClusterRole", entry) for entry in _facts("clusterRoles"))
    }
    roles[NODE_SERVICES_ROLE] = _role("ClusterRole", {"name": NODE_SERVICES_ROLE, "rules": _NODE_SERVICES})
    # `admin` collects `edit`, which collects `view`'s parts: with each pass one more level is complete.
    collecting = [role for role in roles.values() if "aggregationRule" in role]
    while any(role["rules"] != aggregated(role, roles) for role in collecting):
        for role in collecting:
            role["rules"] = aggregated(role, roles)
    return list(roles.values())


def cluster_role_bindings() -> list[Object]:
    nodes = {"apiGroup": builtin.RBAC_GROUP, "kind": "Group", "name": "system:nodes"}
    own = {
        "name": NODE_SERVICES_ROLE,
        "role": NODE_SERVICES_ROLE,
        "roleKind": "ClusterRole",
        "subjects": [nodes],
    }
    return [_binding("ClusterRoleBinding", entry) for entry in (*_facts("clusterRoleBindings"), own)]


def namespace_roles() -> list[Object]:
    return [_role("Role", entry) for entry in _facts("roles")]


def role_bindings() -> list[Object]:
    return [_binding("RoleBinding", entry) for entry in _facts("roleBindings")]


def priority_classes() -> list[Object]:
    entries = (
        (
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if "
            "necessary.",
        ),
        (
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    )
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, value, description in entries
    ]


def kubernetes_service(config: BootstrapConfig) -> Object:
    address = str(ipaddress.ip_network(config.service_cidr)[1])
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": config.port or 443}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [port],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def default_service_cidr(config: BootstrapConfig) -> Object:
    """The range of service addresses, as an object to look at."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": config.service_cidr.split(",")},
    }


def advertised(config: BootstrapConfig) -> str:
    """Where pods and nodes find this server; `""` where only this machine does, and endpoints cannot say so."""
    text = config.advertise_address or config.address
    address = ipaddress.ip_address(text)
    return "" if address.is_loopback or address.is_unspecified else text


def kubernetes_endpoints(config: BootstrapConfig) -> Object:
    port = {"name": "https", "port": config.port, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": advertised(config)}], "ports": [port]}],
    }


def kubernetes_endpoint_slice(config: BootstrapConfig) -> Object:
    version = ipaddress.ip_address(advertised(config)).version
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": f"IPv{version}",
        "endpoints": [{"addresses": [advertised(config)], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": config.port, "protocol": "TCP"}],
    }


def proxy_trust(config: BootstrapConfig) -> Object:
    """What an extension API server reads to trust the same clients and the same front proxy."""
    data: dict[str, str] = {}
    if config.client_ca_file:
        data["client-ca-file"] = Path(config.client_ca_file).read_text()
    if config.requestheader_ca_file:
        data |= {
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-client-ca-file": Path(config.requestheader_ca_file).read_text(),
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": data,
    }


def api_services(group_versions: Iterable[tuple[str, Sequence[str]]]) -> list[Object]:
    """One per built-in group and version. Better versions have the higher priority."""
    found: list[Object] = []
    for group, versions in group_versions:
        for place in priorities.builtin(group, versions):
            spec: dict[str, Any] = {
                "version": place.version,
                "groupPriorityMinimum": place.group_minimum,
                "versionPriority": place.version_priority,
            }
            if group:
                spec["group"] = group
            found.append(
                {
                    "apiVersion": "apiregistration.k8s.io/v1",
                    "kind": "APIService",
                    "metadata": {
                        "name": f"{place.version}.{group}",
                        "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
                    },
                    "spec": spec,
                }
            )
    return found


def ready_condition(now: str) -> dict[str, Any]:
    return {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
    }


# Mending ------------------------------------------------------------------------------------------------

Mend = Callable[[Object, Object], Object | None]
"""`(live, wanted)` -> the live object with what it lacks, None where it lacks nothing."""


Conditions = Callable[[Object], list[dict[str, Any]]]
"""The conditions that a new object starts with."""


def mended_role(live: Object, wanted: Object) -> Object | None:
    """Add the rules, labels and annotations that are missing; what an administrator added stays."""
    if annotations_of(live).get(AUTO_UPDATE) == "false":
        return None
    rules = live.get("rules") or []
    missing = [] if "aggregationRule" in wanted else covers(rules, wanted["rules"])
    changed = {**live, "rules": [*rules, *missing]} if missing else live
    if "aggregationRule" in wanted and live.get("aggregationRule") != wanted["aggregationRule"]:
        changed = {**changed, "aggregationRule": wanted["aggregationRule"]}
    return _with_metadata(changed, live, wanted)


def mended_binding(live: Object, wanted: Object) -> Object | None:
    """Add the subjects, labels and annotations that are missing."""
    if annotations_of(live).get(AUTO_UPDATE) == "false":
        return None
    subjects = live.get("subjects") or []
    missing = [subject for subject in wanted["subjects"] if not _names(subjects, subject)]
    changed = {**live, "subjects": [*subjects, *missing]} if missing else live
    return _with_metadata(changed, live, wanted)


def mended_spec(live: Object, wanted: Object) -> Object | None:
    """Give it the spec of this release, unless somebody took charge of it."""
    if (
        annotations_of(live).get("apf.kubernetes.io/autoupdate-spec") != "true"
        or live["spec"] == wanted["spec"]
    ):
        return None
    return {**live, "spec": wanted["spec"]}


def _names(subjects: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any]) -> bool:
    return any(
        all(subject.get(field) == wanted.get(field) for field in ("kind", "name", "namespace"))
        for subject in subjects
    )


def _with_metadata(changed: Object, live: Object, wanted: Object) -> Object | None:
    metadata = dict(live["metadata"])
    for field in ("labels", "annotations"):
        have, want = metadata.get(field) or {}, wanted["metadata"].get(field) or {}
        if any(have.get(key) != value for key, value in want.items()):
            metadata[field] = {**have, **want}
    if metadata != live["metadata"]:
        return {**changed, "metadata": metadata}
    return changed if changed is not live else None


# Doing it -----------------------------------------------------------------------------------------------


async def _ensure(
    client: Client,
    resource: Resource,
    wanted: Sequence[Object],
    *,
    mend: Mend | None = None,
    conditions: Conditions | None = None,
) -> None:
    live = {key_of(obj): obj for obj in (await client.list(resource)).items}
    work: list[Awaitable[Any]] = []
    for obj in wanted:
        known = live.get(key_of(obj))
        if known is None:
            work.append(_create(client, resource, obj, conditions))
        elif "roleRef" in obj and known.get("roleRef") != obj["roleRef"]:
            work.append(_replace(client, resource, known, obj))
        elif mend is not None and (changed := mend(known, obj)) is not None:
            work.append(_update(client, resource, changed))
    await asyncio.gather(*work)


async def _ensure_one(
    client: Client, resource: Resource, wanted: Object, *, fields: Sequence[str], create_only: bool = False
) -> None:
    """Make `wanted`, or give the one there is its `fields`."""
    try:
        live = await client.get(resource, name_of(wanted), namespace=namespace_of(wanted))
    except StatusError as error:
        if error.reason != "NotFound":
            raise
        await _create(client, resource, wanted)
        return
    if not create_only and any(live.get(field) != wanted.get(field) for field in fields):
        await _update(client, resource, {**live, **{field: wanted[field] for field in fields}})


async def _ensure_service(client: Client, config: BootstrapConfig) -> None:
    await _ensure_one(client, builtin.SERVICES, kubernetes_service(config), fields=(), create_only=True)
    if not advertised(config) or not config.port:
        return
    await _ensure_one(client, builtin.ENDPOINTS, kubernetes_endpoints(config), fields=("subsets",))
    await _ensure_one(
        client, builtin.ENDPOINT_SLICES, kubernetes_endpoint_slice(config), fields=("endpoints", "ports")
    )


async def _create(
    client: Client, resource: Resource, obj: Object, conditions: Conditions | None = None
) -> None:
    """Make it; its status, which a creation cannot set, follows."""
    try:
        made = await client.create(resource, obj, namespace=namespace_of(obj))
        if conditions is not None:
            status = {"conditions": conditions(made)}
            await client.update(resource, {**made, "status": status}, subresource="status")
    except StatusError as error:
        if not is_reason(error, "AlreadyExists", "Conflict"):
            raise


async def _update(client: Client, resource: Resource, obj: Object) -> None:
    try:
        await client.update(resource, obj)
    except StatusError as error:
        # Somebody wrote it meanwhile: the next start looks again.
        if not is_reason(error, "Conflict"):
            raise


async def _replace(client: Client, resource: Resource, live: Object, wanted: Object) -> None:
    """A binding cannot be pointed to another role, so it is made anew."""
    if annotations_of(live).get(AUTO_UPDATE) == "false":
        return
    await client.delete(resource, name_of(live), namespace=namespace_of(live))
    await _create(client, resource, wanted)


# Reading the facts --------------------------------------------------------------------------------------

_NODE_SERVICES: list[Object] = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["endpoints", "services"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def _facts(section: str) -> list[dict[str, Any]]:
    text = resources.files("mamekube.apiserver.access").joinpath("rbac_defaults.json").read_bytes()
    facts: list[dict[str, Any]] = orjson.loads(text)[section]
    return facts


def _metadata(entry: Mapping[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": entry["name"]}
    if "namespace" in entry:
        metadata["namespace"] = entry["namespace"]
    metadata["labels"] = {**BOOTSTRAPPING, **entry.get("labels", {})}
    metadata["annotations"] = {AUTO_UPDATE: "true"}
    return metadata


def _role(kind: str, entry: Mapping[str, Any]) -> Object:
    role: Object = {"apiVersion": f"{builtin.RBAC_GROUP}/v1", "kind": kind, "metadata": _metadata(entry)}
    if "aggregationRule" in entry:
        role["aggregationRule"] = entry["aggregationRule"]
    role["rules"] = copy.copy(entry["rules"])
    return role


def _binding(kind: str, entry: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": f"{builtin.RBAC_GROUP}/v1",
        "kind": kind,
        "metadata": _metadata(entry),
        "roleRef": {"apiGroup": builtin.RBAC_GROUP, "kind": entry["roleKind"], "name": entry["role"]},
        "subjects": entry["subjects"],
    }


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
