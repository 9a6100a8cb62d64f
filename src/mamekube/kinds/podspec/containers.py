"""Containers of a pod: names, images, ports and everything that hangs on one container."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from mamekube.kinds.fields import PROTOCOLS, Found, check, check_choice, check_required
from mamekube.kinds.podspec import environment, probes, resources, security, volumes
from mamekube.objects import names
from mamekube.objects.fielderrors import (
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    too_many,
)

PULL_POLICIES = frozenset(("Always", "IfNotPresent", "Never"))
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
RESTART_POLICIES = frozenset(("Always", "Never", "OnFailure"))
RESTART_ACTIONS = frozenset(("Restart",))
RESTART_OPERATORS = frozenset(("In", "NotIn"))
RESTART_RULES_MAX = 20
EXIT_CODES_MAX = 255
RESIZABLE = frozenset(("cpu", "memory"))
RESIZE_POLICIES = frozenset(("NotRequired", "RestartContainer"))

_PROBING = ("livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    *_PROBING,
    "lifecycle",
)


class Surroundings(NamedTuple):
    """What containers are judged by, of the pod that they belong to."""

    volumes: dict[str, Any]
    """The right ones, by name."""
    claims: Collection[str]
    """Names of `resourceClaims`."""
    grace_period_s: int
    restart_policy: str
    host_users: bool


def validate(
    containers: list[dict[str, Any]], path: str, found: Found, *, surroundings: Surroundings
) -> None:
    """The regular containers, of which there must be one."""
    if not containers:
        found.append(required(path))
        return
    seen: set[str] = set()
    for index, container in enumerate(containers):
        container_path = f"{path}[{index}]"
        _validate_common(container, container_path, found, surroundings)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{container_path}.name", name))
        seen.add(name)
        _validate_hooks(container, container_path, found, surroundings)
        _validate_restarts(container, container_path, found)
    _validate_host_ports(containers, path, found)


def validate_init(
    containers: list[dict[str, Any]],
    regular: list[dict[str, Any]],
    path: str,
    found: Found,
    *,
    surroundings: Surroundings,
) -> None:
    seen = {container.get("name") for container in regular}
    for index, container in enumerate(containers):
        container_path = f"{path}[{index}]"
        _validate_common(container, container_path, found, surroundings)
        _validate_restarts(container, container_path, found)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{container_path}.name", name))
        elif name:
            seen.add(name)
        _validate_host_ports([container], path, found)
        if container.get("restartPolicy") == "Always":
            _validate_hooks(container, container_path, found, surroundings)
            continue
        detail = "may not be set for init containers without restartPolicy=Always"
        for field in ("lifecycle", *_PROBING):
            if container.get(field) is not None:
                found.append(forbidden(f"{container_path}.{field}", detail))
        for policy_index, policy in enumerate(container.get("resizePolicy") or ()):
            if policy.get("restartPolicy") == "RestartContainer":
                policy_path = f"{container_path}.resizePolicy[{policy_index}].restartPolicy"
                detail = "must not be set to 'RestartContainer' for non-sidecar initContainers"
                found.append(invalid(policy_path, "RestartContainer", detail))


def _validate_hooks(container: dict[str, Any], path: str, found: Found, surroundings: Surroundings) -> None:
    """What is done with a container while it runs."""
    grace_period_s = surroundings.grace_period_s
    if container.get("lifecycle") is not None:
        probes.validate_lifecycle(container["lifecycle"], f"{path}.lifecycle", grace_period_s, found)
    probes.validate_probes(container, path, grace_period_s, found)


def _validate_restarts(container: dict[str, Any], path: str, found: Found) -> None:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None:
        if rules:
            detail = "must specify restartPolicy when restart rules are used"
            found.append(required(f"{path}.restartPolicy", detail))
    elif policy not in RESTART_POLICIES:
        found.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    if len(rules) > RESTART_RULES_MAX:
        found.append(too_many(f"{path}.restartPolicyRules", len(rules), RESTART_RULES_MAX))
    for index, rule in enumerate(rules):
        rule_path, action = f"{path}.restartPolicyRules[{index}]", rule.get("action") or ""
        if action not in RESTART_ACTIONS:
            found.append(not_supported(f"{rule_path}.action", action, RESTART_ACTIONS))
        codes = rule.get("exitCodes")
        if codes is None:
            found.append(required(f"{rule_path}.exitCodes", "must be specified"))
            continue
        operator, values = codes.get("operator") or "", codes.get("values") or ()
        if operator not in RESTART_OPERATORS:
            found.append(not_supported(f"{rule_path}.exitCodes.operator", operator, RESTART_OPERATORS))
        if len(values) > EXIT_CODES_MAX:
            found.append(too_many(f"{rule_path}.exitCodes.values", len(values), EXIT_CODES_MAX))


def validate_ephemeral(
    containers: list[dict[str, Any]],
    spec: dict[str, Any],
    path: str,
    found: Found,
    *,
    surroundings: Surroundings,
) -> None:
    others = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    other_names = {container.get("name") for container in others}
    seen = set(other_names)
    for index, container in enumerate(containers):
        container_path = f"{path}[{index}]"
        _validate_common(container, container_path, found, surroundings)
        validate_image(container, container_path, found)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{container_path}.name", name))
        seen.add(name)
        target = container.get("targetContainerName")
        if target and target not in other_names:
            found.append(not_found(f"{container_path}.targetContainerName", target))
        detail = "cannot be set for an Ephemeral Container"
        found.extend(
            forbidden(f"{container_path}.{field}", detail) for field in _NOT_EPHEMERAL if container.get(field)
        )
        for mount_index, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    found.append(forbidden(f"{container_path}.volumeMounts[{mount_index}].{field}", detail))


def validate_image(container: dict[str, Any], path: str, found: Found) -> None:
    """What is asked of the image of a pod's container; a template may hold a place open with blanks."""
    image = container.get("image") or ""
    if image != image.strip():
        found.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))


def _validate_common(container: dict[str, Any], path: str, found: Found, surroundings: Surroundings) -> None:
    check_required(container.get("name"), f"{path}.name", names.dns1123_label, found)
    if not container.get("image"):
        found.append(required(f"{path}.image"))
    check_choice(
        container.get("terminationMessagePolicy"), f"{path}.terminationMessagePolicy", MESSAGE_POLICIES, found
    )
    if container.get("ports"):
        _validate_ports(container["ports"], f"{path}.ports", found)
    if container.get("env"):
        environment.validate_env(container["env"], f"{path}.env", found)
    if container.get("envFrom"):
        environment.validate_env_from(container["envFrom"], f"{path}.envFrom", found)
    if container.get("volumeMounts"):
        volumes.validate_mounts(container, surroundings.volumes, path, found)
    if container.get("volumeDevices"):
        volumes.validate_devices(container, surroundings.volumes, path, found)
    check_choice(container.get("imagePullPolicy"), f"{path}.imagePullPolicy", PULL_POLICIES, found)
    resources.validate(container.get("resources"), f"{path}.resources", found, claims=surroundings.claims)
    if container.get("resizePolicy"):
        _validate_resizing(container["resizePolicy"], f"{path}.resizePolicy", found, surroundings)
    if container.get("securityContext"):
        security.validate_container(
            container["securityContext"],
            f"{path}.securityContext",
            found,
            host_users=surroundings.host_users,
        )


def _validate_resizing(
    policies: list[dict[str, Any]], path: str, found: Found, surroundings: Surroundings
) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        resource, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if resource in seen:
            found.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        check_choice(resource, path, RESIZABLE, found)
        check_choice(restart, path, RESIZE_POLICIES, found)
        if surroundings.restart_policy == "Never" and restart != "NotRequired":
            detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            found.append(invalid(path, restart, detail))


def _validate_ports(ports: list[dict[str, Any]], path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name")
        if name:
            before = len(found)
            check(name, f"{path}[{index}].name", names.port_name, found)
            if len(found) == before:
                if name in seen:
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
        check_choice(port.get("protocol"), f"{path}[{index}].protocol", PROTOCOLS, found)


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
