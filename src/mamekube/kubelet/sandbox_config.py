"""A pod as CRI's PodSandboxConfig. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamekube.kubelet import cri_messages as cri
from mamekube.kubelet.runtime import POD_NAME, POD_NAMESPACE, POD_UID
from mamekube.objects.meta import Object, annotations_of, labels_of, name_of, namespace_of, uid_of

HOSTNAME_LENGTH_MAX = 63
RESOLV_SEARCHES_MAX = 32
RESOLV_SERVERS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """A resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def sandbox_config(
    pod: Object, *, attempt: int, dns: Dns, log_directory: Path, cgroup_parent: str = ""
) -> dict[str, Any]:
    spec = pod.get("spec") or {}
    config: dict[str, Any] = {
        "metadata": {
            "name": name_of(pod),
            "namespace": namespace_of(pod),
            "uid": uid_of(pod),
            "attempt": attempt,
        },
        "log_directory": str(log_directory),
        "dns_config": {
            "servers": list(dns.servers),
            "searches": list(dns.searches),
            "options": list(dns.options),
        },
        "port_mappings": port_mappings(pod),
        "labels": {**labels_of(pod), **identity(pod)},
        "annotations": dict(annotations_of(pod)),
        "linux": _linux(pod, cgroup_parent),
    }
    if not spec.get("hostNetwork"):
        config["hostname"] = hostname(pod)
    return config


def identity(pod: Object) -> dict[str, str]:
    """The labels by which a restarted kubelet finds the pod again."""
    return {POD_NAME: name_of(pod), POD_NAMESPACE: namespace_of(pod), POD_UID: uid_of(pod)}


def hostname(pod: Object, *, node_name: str = "", cluster_domain: str = "") -> str:
    """What `hostname` prints in the pod; the fully qualified name where setHostnameAsFQDN asks for it."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return node_name
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])
    short = str(spec.get("hostname") or name_of(pod))[:HOSTNAME_LENGTH_MAX].rstrip("-.")
    if spec.get("setHostnameAsFQDN") and spec.get("subdomain") and cluster_domain:
        return f"{short}.{spec['subdomain']}.{namespace_of(pod)}.svc.{cluster_domain}"
    return short


def port_mappings(pod: Object) -> list[dict[str, Any]]:
    """Host ports; in the host's own network there is nothing to map."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return []
    return [
        {
            "protocol": cri.PROTOCOL.get(port.get("protocol", "TCP"), 0),
            "container_port": port["containerPort"],
            "host_port": port["hostPort"],
            "host_ip": port.get("hostIP", ""),
        }
        for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
        for port in container.get("ports") or []
        if port.get("hostPort")
    ]


def namespace_options(pod: Object) -> dict[str, Any]:
    spec = pod.get("spec") or {}
    if spec.get("hostPID"):
        pid = cri.NAMESPACE_NODE
    else:
        pid = cri.NAMESPACE_POD if spec.get("shareProcessNamespace") else cri.NAMESPACE_CONTAINER
    return {
        "network": cri.NAMESPACE_NODE if spec.get("hostNetwork") else cri.NAMESPACE_POD,
        "pid": pid,
        "ipc": cri.NAMESPACE_NODE if spec.get("hostIPC") else cri.NAMESPACE_POD,
    }


def security_profile(declared: Mapping[str, Any] | None, *, directory: str = "") -> dict[str, Any] | None:
    """A seccompProfile or appArmorProfile as CRI's SecurityProfile; None where nothing is declared."""
    if not declared:
        return None
    kind = declared.get("type", "")
    if kind == "Localhost":
        reference = declared.get("localhostProfile", "")
        path = f"{directory}/{reference}" if directory else reference
        return {"profile_type": cri.PROFILE_LOCALHOST, "localhost_ref": path}
    unconfined = kind == "Unconfined"
    return {"profile_type": cri.PROFILE_UNCONFINED if unconfined else cri.PROFILE_RUNTIME_DEFAULT}


def supplemental_groups(pod: Object) -> list[int]:
    context = (pod.get("spec") or {}).get("securityContext") or {}
    groups = list(context.get("supplementalGroups") or [])
    if context.get("fsGroup") is not None:
        groups.append(context["fsGroup"])
    return groups


def is_privileged(container: Mapping[str, Any]) -> bool:
    return bool((container.get("securityContext") or {}).get("privileged"))


def _linux(pod: Object, cgroup_parent: str) -> dict[str, Any]:
    spec = pod.get("spec") or {}
    context = spec.get("securityContext") or {}
    everyone: Sequence[Mapping[str, Any]] = [
        *(spec.get("initContainers") or []),
        *(spec.get("containers") or []),
    ]
    security: dict[str, Any] = {
        "namespace_options": namespace_options(pod),
        "supplemental_groups": supplemental_groups(pod),
        "privileged": any(map(is_privileged, everyone)),
        "seccomp": security_profile(context.get("seccompProfile") or {"type": _seccomp_default(spec)}),
    }
    if context.get("runAsUser") is not None:
        security["run_as_user"] = {"value": context["runAsUser"]}
        if context.get("runAsGroup") is not None:
            security["run_as_group"] = {"value": context["runAsGroup"]}
    return {
        "cgroup_parent": cgroup_parent,
        "security_context": security,
        "sysctls": {item["name"]: item["value"] for item in context.get("sysctls") or []},
    }


def _seccomp_default(spec: Mapping[str, Any]) -> str:
    """The filter of a sandbox's own process where the pod declares none, see docs/decisions/0005.

    The pause program takes no input, so it is filtered only where containers can see it, and so could take it
    over with ptrace.
    """
    is_seen = spec.get("shareProcessNamespace") or spec.get("hostPID")
    return "RuntimeDefault" if is_seen else "Unconfined"


def pod_dns(pod: Object, *, cluster: Dns, host: Dns, cluster_domain: str) -> Dns:
    """The pod's resolv.conf by dnsPolicy and dnsConfig.

    `cluster` has the cluster's servers, `host` is the node's own resolv.conf.
    """
    spec = pod.get("spec") or {}
    policy = spec.get("dnsPolicy", "ClusterFirst")
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy == "None":
        result = Dns()
    elif policy == "Default" or not cluster.servers:
        result = host if host.servers or host.searches else Dns(servers=("127.0.0.1",), searches=(".",))
    else:
        zones = (f"{namespace_of(pod)}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        result = Dns(
            servers=cluster.servers,
            searches=_unique(zones + host.searches) if cluster_domain else host.searches,
            options=("ndots:5",),
        )
    extra = spec.get("dnsConfig") or {}
    return Dns(
        servers=_unique(result.servers + tuple(extra.get("nameservers") or ()))[:RESOLV_SERVERS_MAX],
        searches=_unique(result.searches + tuple(extra.get("searches") or ()))[:RESOLV_SEARCHES_MAX],
        options=_merge_options(result.options, extra.get("options") or []),
    )


def parse_resolv_conf(text: str) -> Dns:
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        keyword, *values = line.split("#")[0].split(";")[0].split() or [""]
        if keyword == "nameserver" and values:
            servers.append(values[0])
        elif keyword == "search":
            searches = tuple(value.rstrip(".") or "." for value in values)
        elif keyword == "options":
            options = tuple(values)
    return Dns(servers=tuple(servers), searches=searches, options=options)


def _merge_options(existing: Sequence[str], extra: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Options by name; the pod's own win."""
    merged = {option.split(":")[0]: option for option in existing}
    for option in extra:
        value = option.get("value")
        merged[option["name"]] = option["name"] if value is None else f"{option['name']}:{value}"
    return tuple(merged.values())


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
