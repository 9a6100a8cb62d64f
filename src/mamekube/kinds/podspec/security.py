"""Security contexts of pods and containers."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, not_supported, required

ID_MAX = 0xFFFFFFFF
SECCOMP_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
GROUP_CHANGE_POLICIES = ("OnRootMismatch", "Always")
PROC_MOUNTS = ("Default", "Unmasked")


def validate_container(context: dict[str, Any], path: str, found: Found) -> None:
    _validate_ids(context, ("runAsUser", "runAsGroup"), path, found)
    _validate_profile(context, path, found)
    mount = context.get("procMount")
    if mount is not None and mount not in PROC_MOUNTS:
        found.append(not_supported(f"{path}.procMount", mount, PROC_MOUNTS))
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            found.append(invalid(path, context, detail))
        elif "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            found.append(invalid(path, context, detail))


def validate_pod(spec: dict[str, Any], path: str, found: Found) -> None:
    """The security context of the pod whose spec is at `path`."""
    context, context_path = spec.get("securityContext") or {}, f"{path}.securityContext"
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(invalid(f"{path}.shareProcessNamespace", True, detail))
    if not context:
        return
    _validate_ids(context, ("fsGroup", "runAsUser", "runAsGroup"), context_path, found)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= ID_MAX:
            group_path = f"{context_path}.supplementalGroups[{index}]"
            found.append(invalid(group_path, group, names.in_range(0, ID_MAX)))
    _validate_profile(context, context_path, found)
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in GROUP_CHANGE_POLICIES:
        found.append(not_supported(f"{context_path}.fsGroupChangePolicy", policy, GROUP_CHANGE_POLICIES))
    _validate_sysctls(context.get("sysctls") or (), f"{context_path}.sysctls", found)


def _validate_sysctls(sysctls: Any, path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name = (sysctl.get("name") or "").replace("/", ".")
        if not name:
            found.append(required(f"{path}[{index}].name"))
        elif name in seen:
            found.append(invalid(f"{path}[{index}].name", sysctl.get("name"), "must be unique"))
        seen.add(name)


def _validate_ids(context: dict[str, Any], fields: tuple[str, ...], path: str, found: Found) -> None:
    for field in fields:
        value = context.get(field)
        if value is not None and not 0 <= value <= ID_MAX:
            found.append(invalid(f"{path}.{field}", value, names.in_range(0, ID_MAX)))


def _validate_profile(context: dict[str, Any], path: str, found: Found) -> None:
    for field, label in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        profile = context.get(field)
        if profile is None:
            continue
        kind, local = profile.get("type"), profile.get("localhostProfile")
        if not kind:
            found.append(required(f"{path}.{field}.type", f"type is required when {field} is set"))
        elif kind not in SECCOMP_TYPES:
            found.append(not_supported(f"{path}.{field}.type", kind, SECCOMP_TYPES))
        elif kind == "Localhost" and not local:
            detail = f"must be set when {label} type is Localhost"
            found.append(required(f"{path}.{field}.localhostProfile", detail))
        elif kind != "Localhost" and local is not None:
            detail = f"can only be set when {label} type is Localhost"
            found.append(invalid(f"{path}.{field}.localhostProfile", local, detail))
