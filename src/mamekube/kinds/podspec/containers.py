"""Containers of a pod: names, images, ports and everything that hangs on one container."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import PROTOCOLS, Found, check, check_required
from mamekube.kinds.podspec import environment, probes, resources, security, volumes
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_found, not_supported, required

PULL_POLICIES = frozenset(("Always", "IfNotPresent", "Never"))
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
RESTART_POLICIES = ("Always", "OnFailure", "Never")

_PROBING = ("livenessProbe", "readinessProbe", "startupProbe")


def validate(
    containers: list[dict[str, Any]],
    path: str,
    *,
    known_volumes: dict[str, Any],
    grace_period_s: int,
    found: Found,
) -> None:
    """The regular containers, of which there must be one."""
    if not containers:
        found.append(required(path))
        return
    seen: set[str] = set()
    for index, container in enumerate(containers):
        container_path = f"{path}[{index}]"
        _validate_common(container, container_path, known_volumes, found)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{container_path}.name", name))
        seen.add(name)
        if container.get("lifecycle") is not None:
            probes.validate_lifecycle(
                container["lifecycle"], f"{container_path}.lifecycle", grace_period_s, found
            )
        probes.validate_probes(container, container_path, grace_period_s, found)
        policy = container.get("restartPolicy")
        if policy is not None and policy not in RESTART_POLICIES:
            found.append(not_supported(f"{container_path}.restartPolicy", policy, RESTART_POLICIES))
    _validate_host_ports(containers, path, found)


def validate_init(
    containers: list[dict[str, Any]],
    regular: list[dict[str, Any]],
    path: str,
    *,
    known_volumes: dict[str, Any],
    grace_period_s: int,
    found: Found,
) -> None:
    seen = {container.get("name") for container in regular}
    for index, container in enumerate(containers):
        container_path = f"{path}[{index}]"
        _validate_common(container, container_path, known_volumes, found)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{container_path}.name", name))
        elif name:
            seen.add(name)
        _validate_host_ports([container], path, found)
        policy = container.get("restartPolicy")
        if policy is not None and policy not in RESTART_POLICIES:
            found.append(not_supported(f"{container_path}.restartPolicy", policy, RESTART_POLICIES))
        if policy == "Always":
            lifecycle = container.get("lifecycle")
            if lifecycle is not None:
                lifecycle_path = f"{container_path}.lifecycle"
                probes.validate_lifecycle(lifecycle, lifecycle_path, grace_period_s, found)
            probes.validate_probes(container, container_path, grace_period_s, found)
            continue
        detail = "may not be set for init containers without restartPolicy=Always"
        for field in ("lifecycle", *_PROBING):
            if container.get(field) is not None:
                found.append(forbidden(f"{container_path}.{field}", detail))


def validate_ephemeral(
    containers: list[dict[str, Any]],
    spec: dict[str, Any],
    path: str,
    *,
    known_volumes: dict[str, Any],
    found: Found,
) -> None:
    others = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    other_names = {container.get("name") for container in others}
    seen = set(other_names)
    for index, container in enumerate(containers):
        container_path = f"{path}[{index}]"
        _validate_common(container, container_path, known_volumes, found)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{container_path}.name", name))
        seen.add(name)
        target = container.get("targetContainerName")
        if target and target not in other_names:
            found.append(not_found(f"{container_path}.targetContainerName", target))
        for field in (*_PROBING, "lifecycle", "ports", "restartPolicy"):
            if container.get(field):
                found.append(
                    forbidden(f"{container_path}.{field}", "cannot be set for an Ephemeral Container")
                )


def _validate_common(
    container: dict[str, Any], path: str, known_volumes: dict[str, Any], found: Found
) -> None:
    check_required(container.get("name"), f"{path}.name", names.dns1123_label, found)
    if not container.get("image"):
        found.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    if not policy:
        found.append(required(f"{path}.terminationMessagePolicy"))
    elif policy not in MESSAGE_POLICIES:
        found.append(not_supported(f"{path}.terminationMessagePolicy", policy, MESSAGE_POLICIES))
    if container.get("ports"):
        _validate_ports(container["ports"], f"{path}.ports", found)
    if container.get("env"):
        environment.validate_env(container["env"], f"{path}.env", found)
    if container.get("envFrom"):
        environment.validate_env_from(container["envFrom"], f"{path}.envFrom", found)
    if container.get("volumeMounts"):
        volumes.validate_mounts(container, known_volumes, path, found)
    if container.get("volumeDevices"):
        volumes.validate_devices(container, known_volumes, path, found)
    pull_policy = container.get("imagePullPolicy")
    if not pull_policy:
        found.append(required(f"{path}.imagePullPolicy"))
    elif pull_policy not in PULL_POLICIES:
        found.append(not_supported(f"{path}.imagePullPolicy", pull_policy, PULL_POLICIES))
    resources.validate(container.get("resources"), f"{path}.resources", found)
    if container.get("securityContext"):
        security.validate_container(container["securityContext"], f"{path}.securityContext", found)


def _validate_ports(ports: list[dict[str, Any]], path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name")
        if name:
            before = len(found)
            check(name, f"{path}[{index}].name", names.port_name, found)
            if len(found) == before and name in seen:
                found.append(duplicate(f"{path}[{index}].name", name))
            seen.add(name)
        number = port.get("containerPort") or 0
        if not number:
            found.append(required(f"{path}[{index}].containerPort"))
        elif not 1 <= number <= names.PORT_MAX:
            found.append(invalid(f"{path}[{index}].containerPort", number, names.in_range(1, names.PORT_MAX)))
        host = port.get("hostPort")
        if host and not 1 <= host <= names.PORT_MAX:
            found.append(invalid(f"{path}[{index}].hostPort", host, names.in_range(1, names.PORT_MAX)))
        protocol = port.get("protocol")
        if not protocol:
            found.append(required(f"{path}[{index}].protocol"))
        elif protocol not in PROTOCOLS:
            found.append(not_supported(f"{path}[{index}].protocol", protocol, PROTOCOLS))


def _validate_host_ports(containers: list[dict[str, Any]], path: str, found: Found) -> None:
    """No two containers may want one port of the host."""
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for port_index, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            text = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if text in seen:
                found.append(duplicate(f"{path}[{index}].ports[{port_index}].hostPort", text))
            seen.add(text)
