"""Is a PodSpec, a pod template or a Pod well formed? Upstream's rules, paths and wording (core/validation)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mamekube.kinds.fields import (
    INT32_MAX,
    Found,
    check,
    check_annotations,
    check_choice,
    check_labels,
)
from mamekube.kinds.podspec import (
    containers,
    podannotations,
    resources,
    scheduling,
    security,
    systems,
    templates,
    volumes,
)
from mamekube.objects import names
from mamekube.objects.fielderrors import (
    Struct,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    too_long,
)
from mamekube.objects.meta import Object, annotations_of, name_of

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCHES_LENGTH_MAX = 2048
HOSTNAME_LENGTH_MAX = 64

_NAMED_FIRST = (("serviceAccountName", names.dns1123_subdomain), ("nodeName", names.dns1123_subdomain))
_NAMED_THEN = (("hostname", names.dns1123_label), ("subdomain", names.dns1123_label))
_NAMED_LAST = (
    ("priorityClassName", names.dns1123_subdomain),
    ("runtimeClassName", names.dns1123_subdomain),
)


def validate_template(template: dict[str, Any], path: str, found: Found) -> None:
    """A PodTemplateSpec, of any kind that makes pods."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    check_labels(metadata.get("labels"), f"{path}.labels", found)
    notes = metadata.get("annotations") or {}
    check_annotations(notes, f"{path}.annotations", found)
    if notes:
        podannotations.validate(notes, spec, f"{path}.annotations", found)
    validate_spec(spec, f"{path}.spec", found)
    if notes:
        podannotations.validate_fields(notes, spec, f"{path}.spec", found)
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


def validate_spec(spec: dict[str, Any], path: str, found: Found, *, pod: Object | None = None) -> None:
    """`pod` is the pod that has the spec; None in a template, of which some things are not asked yet."""
    is_pod, pod_name = pod is not None, name_of(pod or {})
    known = volumes.validate(
        spec.get("volumes") or (), f"{path}.volumes", found, pod_name=pod_name, is_pod=is_pod
    )
    claims = spec.get("resourceClaims") or ()
    if claims:
        _validate_claims(claims, f"{path}.resourceClaims", found, pod)
    surroundings = containers.Surroundings(
        volumes=known,
        claims={claim["name"] for claim in claims if claim.get("name")},
        grace_period_s=spec.get("terminationGracePeriodSeconds") or 0,
        restart_policy=spec.get("restartPolicy") or "",
        host_users=spec.get("hostUsers") is not False,
    )
    _validate_containers(spec, path, found, surroundings)
    resources.validate_pod(spec, path, found)
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
    security.validate_host_processes(spec, path, found)
    security.validate_host_namespaces(spec, path, found)
    if spec.get("hostnameOverride") is not None:
        _validate_hostname(spec, f"{path}.hostnameOverride", found)
    _check_names(spec, _NAMED_FIRST, path, found)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= INT32_MAX:
        found.append(invalid(f"{path}.activeDeadlineSeconds", deadline, names.in_range(1, INT32_MAX)))
    _check_names(spec, _NAMED_THEN, path, found)
    if spec.get("tolerations"):
        scheduling.validate_tolerations(spec["tolerations"], f"{path}.tolerations", found)
    if spec.get("hostAliases"):
        _validate_aliases(spec["hostAliases"], f"{path}.hostAliases", found)
    _check_names(spec, _NAMED_LAST, path, found)
    preemption = spec.get("preemptionPolicy")
    if preemption is not None:
        check_choice(preemption, f"{path}.preemptionPolicy", PREEMPTION_POLICIES, found)
    if spec.get("overhead"):
        resources.validate({"limits": spec["overhead"]}, f"{path}.overhead", found)
    if spec.get("os") is not None:
        systems.validate(spec, path, found)
    _validate_file_keys(spec, path, found)


def _validate_containers(
    spec: dict[str, Any], path: str, found: Found, surroundings: containers.Surroundings
) -> None:
    regular = spec.get("containers") or []
    containers.validate(regular, f"{path}.containers", found, surroundings=surroundings)
    if spec.get("initContainers"):
        init_path = f"{path}.initContainers"
        containers.validate_init(spec["initContainers"], regular, init_path, found, surroundings=surroundings)
    if spec.get("ephemeralContainers"):
        ephemeral_path = f"{path}.ephemeralContainers"
        containers.validate_ephemeral(
            spec["ephemeralContainers"], spec, ephemeral_path, found, surroundings=surroundings
        )


def _check_names(
    spec: dict[str, Any], fields: Iterable[tuple[str, Callable[[str], list[str]]]], path: str, found: Found
) -> None:
    for field, rule in fields:
        if spec.get(field):
            check(spec[field], f"{path}.{field}", rule, found)


def _validate_claims(claims: list[dict[str, Any]], path: str, found: Found, pod: Object | None) -> None:
    """`resourceClaims`: devices of the pod, by the name of a claim or of the template for one."""
    if podannotations.MIRROR in annotations_of(pod or {}):
        found.extend(forbidden("[]", "static pods do not support resource claims") for _ in claims)
        return
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        claim_path, name = f"{path}[{index}]", claim.get("name") or ""
        own, template = claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName")
        shown = Struct(Name=name, ResourceClaimName=own, ResourceClaimTemplateName=template)
        if not name:
            found.append(required(f"{claim_path}.name"))
        elif name in seen:
            found.append(duplicate(f"{claim_path}.name", name))
        else:
            check(name, f"{claim_path}.name", names.dns1123_label, found)
            seen.add(name)
        if own is not None and template is not None:
            detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            found.append(invalid(claim_path, shown, detail))
        if own is None and template is None:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            found.append(invalid(claim_path, shown, detail))
        for field in ("resourceClaimName", "resourceClaimTemplateName"):
            if claim.get(field) is not None:
                check(claim[field], f"{claim_path}.{field}", names.dns1123_subdomain, found)


def _validate_hostname(spec: dict[str, Any], path: str, found: Found) -> None:
    for field in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(field):
            found.append(forbidden(path, f"may not be specified when {field} is true"))
    hostname = spec["hostnameOverride"]
    if len(hostname.encode()) > HOSTNAME_LENGTH_MAX:
        found.append(too_long(path, HOSTNAME_LENGTH_MAX))
    check(hostname, path, names.dns1123_subdomain, found)


def _validate_file_keys(spec: dict[str, Any], path: str, found: Found) -> None:
    """Variables out of files need a volume that another container may have written them to."""
    if not any(_file_key(variable) for one in security.all_of(spec) for variable in one.get("env") or ()):
        return
    known = {volume.get("name"): volume for volume in spec.get("volumes") or ()}
    for container, container_path in security.containers_of(spec, path):
        for index, variable in enumerate(container.get("env") or ()):
            reference = _file_key(variable)
            if reference is None:
                continue
            name = reference.get("volumeName") or ""
            name_path = f"{container_path}.env[{index}].valueFrom.fileKeyRef.volumeName"
            if name not in known:
                found.append(not_found(name_path, name))
            elif known[name].get("emptyDir") is None:
                found.append(invalid(name_path, name, "referenced volume must be of type emptyDir"))


def _file_key(variable: dict[str, Any]) -> dict[str, Any] | None:
    source = variable.get("valueFrom")
    return source.get("fileKeyRef") if source else None


def _validate_policies(spec: dict[str, Any], path: str, found: Found) -> None:
    check_choice(spec.get("restartPolicy"), f"{path}.restartPolicy", RESTART_POLICIES, found)
    check_choice(spec.get("dnsPolicy"), f"{path}.dnsPolicy", DNS_POLICIES, found)


def _validate_host_ports(spec: dict[str, Any], path: str, found: Found, *, is_pod: bool) -> None:
    for index, container in enumerate(spec.get("containers") or ()):
        for port_index, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort") or 0
            # A template may leave it to the pod to fill in the port of the host.
            if (is_pod or host) and host != (port.get("containerPort") or 0):
                port_path = f"{path}.containers[{index}].ports[{port_index}].hostPort"
                detail = "must match `containerPort` when `hostNetwork` is true"
                found.append(invalid(port_path, host, detail))


def _validate_dns(spec: dict[str, Any], path: str, found: Found) -> None:
    config, config_path = spec.get("dnsConfig"), f"{path}.dnsConfig"
    if spec.get("dnsPolicy") == "None":
        if config is None:
            found.append(required(config_path, "must provide `dnsConfig` when `dnsPolicy` is None"))
            return
        if not config.get("nameservers"):
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            found.append(required(f"{config_path}.nameservers", detail))
            return
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
        if search != ".":
            plain = search.removesuffix(".")
            check(plain, f"{config_path}.searches[{index}]", names.search_domain, found)
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
        for name_index, hostname in enumerate(alias.get("hostnames") or ()):
            name_path = f"{path}[{index}].hostnames[{name_index}]"
            check(hostname or "", name_path, names.dns1123_subdomain, found)


def validate_pod(pod: Object) -> Found:
    """A Pod, new or changed. The pods of one template are equal here, so what was found right is remembered."""
    found: Found = []
    spec, notes = pod.get("spec") or {}, annotations_of(pod)
    if notes:
        podannotations.validate(notes, spec, "metadata.annotations", found)
    text, before = templates.likeness(spec), len(found)
    if not templates.is_right(text):
        _validate_pod_spec(spec, found, pod)
        if len(found) == before:
            templates.note_right(text)
    return found


def _validate_pod_spec(spec: dict[str, Any], found: Found, pod: Object) -> None:
    validate_spec(spec, "spec", found, pod=pod)
    if not spec.get("serviceAccountName"):
        _validate_no_tokens(spec, found)
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            containers.validate_image(container, f"spec.{field}[{index}]", found)


def _validate_no_tokens(spec: dict[str, Any], found: Found) -> None:
    for index, volume in enumerate(spec.get("volumes") or ()):
        for source_index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if source.get("serviceAccountToken") is not None:
                path = f"spec.volumes[{index}].projected.sources[{source_index}].serviceAccountToken"
                found.append(forbidden(path, "must not be specified when serviceAccountName is not set"))
