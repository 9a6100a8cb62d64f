"""The operating system that a pod is made for: what a pod for another one may not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.kinds.fields import Found
from mamekube.kinds.podspec.security import containers_of
from mamekube.objects.fielderrors import forbidden, not_supported, required

SYSTEMS = frozenset(("linux", "windows"))

_FOR_LINUX = "windows options cannot be set for a linux pod"
_FOR_WINDOWS = "cannot be set for a windows pod"
_NOT_IN_WINDOWS_PODS = (
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
)
_NOT_IN_WINDOWS_CONTAINERS = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_UNSET_BY_ZERO = frozenset(("hostPID", "hostIPC", "securityContext.sysctls"))


def validate(spec: Mapping[str, Any], path: str, found: Found) -> None:
    system = (spec.get("os") or {}).get("name")
    if not system:
        found.append(required(f"{path}.os.name", "cannot be empty"))
    elif system not in SYSTEMS:
        found.append(not_supported(f"{path}.os", system, SYSTEMS))
    elif system == "linux":
        _validate_linux(spec, path, found)
    else:
        _validate_windows(spec, path, found)


def _validate_linux(spec: Mapping[str, Any], path: str, found: Found) -> None:
    for holder, holder_path in ((spec, path), *containers_of(spec, path)):
        if (holder.get("securityContext") or {}).get("windowsOptions") is not None:
            found.append(forbidden(f"{holder_path}.securityContext.windowsOptions", _FOR_LINUX))


def _validate_windows(spec: Mapping[str, Any], path: str, found: Found) -> None:
    for field in _NOT_IN_WINDOWS_PODS:
        section, _, name = field.rpartition(".")
        value = ((spec.get(section) or {}) if section else spec).get(name)
        if value if field in _UNSET_BY_ZERO else value is not None:
            found.append(forbidden(f"{path}.{field}", _FOR_WINDOWS))
    for container, container_path in containers_of(spec, path):
        context = container.get("securityContext") or {}
        for field in _NOT_IN_WINDOWS_CONTAINERS:
            if context.get(field) is not None:
                found.append(forbidden(f"{container_path}.securityContext.{field}", _FOR_WINDOWS))
