"""Is a PodSpec, a pod template or a Pod well formed? Upstream's rules, paths and wording (core/validation)."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import INT32_MAX, Found, check, check_annotations, check_labels
from mamekube.kinds.podspec import containers, resources, scheduling, security, volumes
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = frozenset(("Never", "PreemptLowerPriority"))
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCHES_LENGTH_MAX = 2048

_NAMED = (
    ("serviceAccountName", names.dns1123_subdomain),
    ("nodeName", names.dns1123_subdomain),
    ("hostname", names.dns1123_label),
    ("subdomain", names.dns1123_label),
    ("priorityClassName", names.dns1123_subdomain),
    ("runtimeClassName", names.dns1123_subdomain),
)


def validate_template(template: dict[str, Any], path: str, found: Found) -> None:
    """A PodTemplateSpec, of any kind that makes pods."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    check_labels(metadata.get("labels"), f"{path}.labels", found)
    check_annotations(metadata.get("annotations"), f"{path}.annotations", found)
    validate_spec(spec, f"{path}.spec", found, is_pod=False)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        found.append(forbidden(f"{path}.spec.ephemeralContainers", detail))


def validate_long_running(template: dict[str, Any], path: str, found: Found, *, owner: str) -> None:
    """What a template must be besides where `owner`, a kind, keeps its pods running for good."""
    spec = template.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        policy = spec.get("restartPolicy") or ""
        found.append(not_supported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {owner} is not Supported"
        found.append(forbidden(f"{path}.spec.activeDeadlineSeconds", detail))


def validate_spec(spec: dict[str, Any], path: str, found: Found, *, is_pod: bool) -> None:
    known = volumes.validate(spec.get("volumes") or (), f"{path}.volumes", found)
    grace_period_s = spec.get("terminationGracePeriodSeconds") or 0
    regular = spec.get("containers") or []
    containers.validate(
        regular, f"{path}.containers", known_volumes=known, grace_period_s=grace_period_s, found=found
    )
    if spec.get("initContainers"):
        containers.validate_init(
            spec["initContainers"],
            regular,
            f"{path}.initContainers",
            known_volumes=known,
            grace_period_s=grace_period_s,
            found=found,
        )
    if spec.get("ephemeralContainers"):
        containers.validate_ephemeral(
            spec["ephemeralContainers"],
            spec,
            f"{path}.ephemeralContainers",
            known_volumes=known,
            found=found,
        )
    resources.validate(spec.get("resources"), f"{path}.resources", found)
    if spec.get("hostNetwork"):
        _validate_host_ports(spec, path, found, is_pod=is_pod)
    _validate_policies(spec, path, found)
    check_labels(spec.get("nodeSelector"), f"{path}.nodeSelector", found)
    security.validate_pod(spec, path, found)
    if spec.get("affinity"):
        scheduling.validate_affinity(spec["affinity"], f"{path}.affinity", found)
    _validate_dns(spec, path, found)
    _validate_gates(spec, path, found)
    if spec.get("topologySpreadConstraints"):
        constraints = spec["topologySpreadConstraints"]
        scheduling.validate_spreading(constraints, f"{path}.topologySpreadConstraints", found)
    for field, rule in _NAMED:
        if spec.get(field):
            check(spec[field], f"{path}.{field}", rule, found)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= INT32_MAX:
        found.append(invalid(f"{path}.activeDeadlineSeconds", deadline, names.in_range(1, INT32_MAX)))
    if spec.get("tolerations"):
        scheduling.validate_tolerations(spec["tolerations"], f"{path}.tolerations", found)
    if spec.get("hostAliases"):
        _validate_aliases(spec["hostAliases"], f"{path}.hostAliases", found)
    if spec.get("overhead"):
        resources.validate({"limits": spec["overhead"]}, f"{path}.overhead", found)


def _validate_policies(spec: dict[str, Any], path: str, found: Found) -> None:
    for field, choices in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", DNS_POLICIES)):
        value = spec.get(field)
        if not value:
            found.append(required(f"{path}.{field}"))
        elif value not in choices:
            found.append(not_supported(f"{path}.{field}", value, choices))
    preemption = spec.get("preemptionPolicy")
    if preemption is not None and preemption not in PREEMPTION_POLICIES:
        found.append(not_supported(f"{path}.preemptionPolicy", preemption, PREEMPTION_POLICIES))


def _validate_host_ports(spec: dict[str, Any], path: str, found: Found, *, is_pod: bool) -> None:
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            for port_index, port in enumerate(container.get("ports") or ()):
                host = port.get("hostPort") or 0
                # A template may leave it to the pod to fill in the port of the host.
                if (is_pod or host) and host != port.get("containerPort"):
                    port_path = f"{path}.{field}[{index}].ports[{port_index}].hostPort"
                    detail = "must match `containerPort` when `hostNetwork` is true"
                    found.append(invalid(port_path, host, detail))


def _validate_dns(spec: dict[str, Any], path: str, found: Found) -> None:
    config, config_path = spec.get("dnsConfig"), f"{path}.dnsConfig"
    if spec.get("dnsPolicy") == "None":
        if config is None:
            found.append(required(config_path, "must provide `dnsConfig` when `dnsPolicy` is None"))
        elif not config.get("nameservers"):
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            found.append(required(f"{config_path}.nameservers", detail))
    if not config:
        return
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    if len(servers) > NAMESERVERS_MAX:
        detail = f"must not have more than {NAMESERVERS_MAX} nameservers"
        found.append(invalid(f"{config_path}.nameservers", servers, detail))
    for index, server in enumerate(servers):
        check(server or "", f"{config_path}.nameservers[{index}]", names.ip, found)
    if len(searches) > SEARCHES_MAX:
        detail = f"must not have more than {SEARCHES_MAX} search paths"
        found.append(invalid(f"{config_path}.searches", searches, detail))
    if len(" ".join(searches)) > SEARCHES_LENGTH_MAX:
        detail = (
            f"must not have more than {SEARCHES_LENGTH_MAX} characters (including spaces) in the search list"
        )
        found.append(invalid(f"{config_path}.searches", searches, detail))
    for index, search in enumerate(searches):
        plain = search.removesuffix(".").replace("_", "a")
        if search != ".":
            check(plain, f"{config_path}.searches[{index}]", names.dns1123_subdomain, found)
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            found.append(required(f"{config_path}.options[{index}]", "must not be empty"))


def _validate_gates(spec: dict[str, Any], path: str, found: Found) -> None:
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        gate_path = f"{path}.readinessGates[{index}].conditionType"
        check(gate.get("conditionType") or "", gate_path, names.qualified_name, found)
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name, gate_path = gate.get("name") or "", f"{path}.schedulingGates[{index}]"
        check(name, gate_path, names.qualified_name, found)
        if name in seen:
            found.append(duplicate(gate_path, name))
        seen.add(name)


def _validate_aliases(aliases: list[dict[str, Any]], path: str, found: Found) -> None:
    for index, alias in enumerate(aliases):
        check(alias.get("ip") or "", f"{path}[{index}].ip", names.ip, found)
        for hostname in alias.get("hostnames") or ():
            check(hostname or "", f"{path}[{index}].hostnames", names.dns1123_subdomain, found)


def validate_pod(pod: Object) -> Found:
    """A Pod, new or changed."""
    found: Found = []
    spec = pod.get("spec") or {}
    validate_spec(spec, "spec", found, is_pod=True)
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            image = container.get("image") or ""
            if image != image.strip():
                detail = "must not have leading or trailing whitespace"
                found.append(invalid(f"spec.{field}[{index}].image", image, detail))
    if not spec.get("serviceAccountName"):
        _validate_no_tokens(spec, found)
    return found


def _validate_no_tokens(spec: dict[str, Any], found: Found) -> None:
    for index, volume in enumerate(spec.get("volumes") or ()):
        for source_index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if source.get("serviceAccountToken") is not None:
                path = f"spec.volumes[{index}].projected.sources[{source_index}].serviceAccountToken"
                found.append(forbidden(path, "must not be specified when serviceAccountName is not set"))
