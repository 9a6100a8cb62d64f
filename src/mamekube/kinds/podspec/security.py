"""Security contexts of pods and containers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mamekube.kinds.fields import Found, check, check_relative
from mamekube.objects import names
from mamekube.objects.fielderrors import (
    Struct,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)

CONTAINER_FIELDS = ("initContainers", "containers", "ephemeralContainers")
"""In the order in which upstream looks at them."""
ID_MAX = 2**31 - 1
PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
GROUP_CHANGE_POLICIES = frozenset(("Always", "OnRootMismatch"))
SUPPLEMENTAL_POLICIES = frozenset(("Merge", "Strict"))
SELINUX_CHANGE_POLICIES = frozenset(("MountOption", "Recursive"))
PROC_MOUNTS = ("Default", "Unmasked")
PROFILE_PATH_BYTES_MAX = 4095
"""Of a path in Linux, without the byte that ends it."""
SYSCTL_LENGTH_MAX = 253
CREDENTIAL_KIB_MAX = 64
DOMAIN_LENGTH_MAX = 256
USER_LENGTH_MAX = 104

_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"^({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}$"
_match_sysctl = re.compile(_SYSCTL.replace("$", r"\Z")).match
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_DNS_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_match_domain = re.compile(
    rf"[^\\/:*?\"<>|.][^\\/:*?\"<>|]{{0,14}}|{_DNS_LABEL}(?:\.{_DNS_LABEL})*"
).fullmatch
_find_control = re.compile(r"[\x00-\x1f\x7f]").search
_find_not_in_users = re.compile(r'["/\\:;|=,+*?<>@\[\]]').search

_SHOWN = (
    "Capabilities",
    "Privileged",
    "SELinuxOptions",
    "WindowsOptions",
    "RunAsUser",
    "RunAsGroup",
    "RunAsNonRoot",
    "ReadOnlyRootFilesystem",
    "AllowPrivilegeEscalation",
    "ProcMount",
    "SeccompProfile",
    "AppArmorProfile",
)
"""Fields of a container's security context as upstream keeps and shows it."""


def validate_container(context: Mapping[str, Any], path: str, found: Found, *, host_users: bool) -> None:
    _validate_ids(context, ("runAsUser", "runAsGroup"), path, found)
    mount = context.get("procMount")
    if mount is not None and mount not in PROC_MOUNTS:
        found.append(not_supported(f"{path}.procMount", mount, PROC_MOUNTS))
    if mount == "Unmasked" and host_users:
        detail = "`hostUsers` must be false to use `Unmasked`"
        found.append(invalid(f"{path}.procMount", mount, detail))
    _validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", found)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            found.append(invalid(path, _shown(context), detail))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            found.append(invalid(path, _shown(context), detail))
    _validate_windows_options(context.get("windowsOptions"), f"{path}.windowsOptions", found)
    _validate_app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile", found)


def _shown(context: Mapping[str, Any]) -> Struct:
    capabilities = context.get("capabilities")
    shown = Struct({name: context.get(name[0].lower() + name[1:]) for name in _SHOWN})
    shown["SELinuxOptions"] = context.get("seLinuxOptions")
    if capabilities is not None:
        shown["Capabilities"] = Struct(Add=capabilities.get("add"), Drop=capabilities.get("drop"))
    return shown


def validate_pod(spec: Mapping[str, Any], path: str, found: Found) -> None:
    """The security context of the pod whose spec is at `path`, and which namespaces it shares with its node."""
    context = spec.get("securityContext") or {}
    if not (context or spec.get("shareProcessNamespace")):
        return
    path = f"{path}.securityContext"
    if context:
        _validate_ids(context, ("fsGroup", "runAsUser", "runAsGroup"), path, found)
        for index, group in enumerate(context.get("supplementalGroups") or ()):
            if not 0 <= group <= ID_MAX:
                group_path = f"{path}.supplementalGroups[{index}]"
                found.append(invalid(group_path, group, names.in_range(0, ID_MAX)))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(invalid(f"{path}.shareProcessNamespace", True, detail))
    if not context:
        return
    _validate_sysctls(spec, context.get("sysctls") or (), f"{path}.sysctls", found)
    _validate_word(context, "fsGroupChangePolicy", GROUP_CHANGE_POLICIES, path, found)
    _validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", found)
    _validate_windows_options(context.get("windowsOptions"), f"{path}.windowsOptions", found)
    _validate_app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile", found)
    _validate_word(context, "supplementalGroupsPolicy", SUPPLEMENTAL_POLICIES, path, found)
    _validate_word(context, "seLinuxChangePolicy", SELINUX_CHANGE_POLICIES, path, found)


def _validate_word(
    context: Mapping[str, Any], field: str, words: frozenset[str], path: str, found: Found
) -> None:
    word = context.get(field)
    if word is not None and word not in words:
        found.append(not_supported(f"{path}.{field}", word, words))


def _validate_sysctls(spec: Mapping[str, Any], sysctls: Any, path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, name_path = sysctl.get("name") or "", f"{path}[{index}].name"
        if not name:
            found.append(required(name_path))
        elif len(name) > SYSCTL_LENGTH_MAX or not _match_sysctl(name):
            detail = f"must have at most {SYSCTL_LENGTH_MAX} characters and match regex {_SYSCTL}"
            found.append(invalid(name_path, name, detail))
        elif name in seen:
            found.append(duplicate(name_path, name))
        seen.add(name)
        dotted = _dotted(name)
        if spec.get("hostNetwork") and dotted.startswith("net."):
            found.append(invalid(name_path, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and (dotted.startswith(_IPC_SYSCTLS) or dotted == "kernel.sem"):
            found.append(invalid(name_path, name, "may not be specified when 'hostIPC' is true"))


def _dotted(name: str) -> str:
    """In a name that is separated by slashes, dots are part of the names between them."""
    first = next((character for character in name if character in "./"), "")
    return name.translate(str.maketrans("./", "/.")) if first == "/" else name


def _validate_ids(context: Mapping[str, Any], fields: tuple[str, ...], path: str, found: Found) -> None:
    for field in fields:
        value = context.get(field)
        if value is not None and not 0 <= value <= ID_MAX:
            found.append(invalid(f"{path}.{field}", value, names.in_range(0, ID_MAX)))


def _validate_seccomp(profile: Mapping[str, Any] | None, path: str, found: Found) -> None:
    if profile is None:
        return
    kind, local = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        found.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in PROFILE_TYPES:
        found.append(not_supported(f"{path}.type", kind, PROFILE_TYPES))
    if kind == "Localhost":
        if local is None:
            detail = "must be set when seccomp type is Localhost"
            found.append(required(f"{path}.localhostProfile", detail))
        else:
            check_relative(local, f"{path}.localhostProfile", found)
    elif local is not None:
        shown = Struct(Type=kind or "", LocalhostProfile=local)
        detail = "can only be set when seccomp type is Localhost"
        found.append(invalid(f"{path}.localhostProfile", shown, detail))


def _validate_app_armor(profile: Mapping[str, Any] | None, path: str, found: Found) -> None:
    if profile is None:
        return
    kind, local = profile.get("type"), profile.get("localhostProfile")
    local_path = f"{path}.localhostProfile"
    if not kind:
        found.append(required(f"{path}.type", "type is required when appArmorProfile is set"))
    elif kind not in PROFILE_TYPES:
        found.append(not_supported(f"{path}.type", kind, PROFILE_TYPES))
    elif kind != "Localhost":
        if local is not None:
            found.append(invalid(local_path, local, "can only be set when AppArmor type is Localhost"))
    elif not local:
        found.append(required(local_path, "must be set when AppArmor type is Localhost"))
    elif local.strip() != local:
        found.append(invalid(local_path, local, "must not be padded with whitespace"))
    if kind == "Localhost" and len((local or "").encode()) > PROFILE_PATH_BYTES_MAX:
        found.append(too_long(local_path, PROFILE_PATH_BYTES_MAX))


def _validate_windows_options(options: Mapping[str, Any] | None, path: str, found: Found) -> None:
    if options is None:
        return
    name, credential = options.get("gmsaCredentialSpecName"), options.get("gmsaCredentialSpec")
    if name is not None:
        check(name, f"{path}.gmsaCredentialSpecName", names.dns1123_subdomain, found)
    if credential is not None:
        if not credential:
            detail = "gmsaCredentialSpec cannot be an empty string"
            found.append(invalid(f"{path}.gmsaCredentialSpec", credential, detail))
        elif len(credential.encode()) > CREDENTIAL_KIB_MAX * 1024:
            detail = f"gmsaCredentialSpec size must be under {CREDENTIAL_KIB_MAX} KiB"
            found.append(invalid(f"{path}.gmsaCredentialSpec", credential, detail))
    user = options.get("runAsUserName")
    if user is not None:
        for message in _windows_user_messages(user):
            found.append(invalid(f"{path}.runAsUserName", user, message))


def _windows_user_messages(name: str) -> list[str]:
    r"""`DOMAIN\user`, or a user alone."""
    if not name:
        return ["runAsUserName cannot be an empty string"]
    if _find_control(name):
        return ["runAsUserName cannot contain control characters"]
    if name.count("\\") > 1:
        return ["runAsUserName cannot contain more than one backslash"]
    domain, separator, user = name.rpartition("\\")
    messages = []
    if len(domain) >= DOMAIN_LENGTH_MAX:
        messages.append(f"runAsUserName's Domain length must be under {DOMAIN_LENGTH_MAX} characters")
    if separator and not _match_domain(domain):
        messages.append("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
    if not user:
        messages.append("runAsUserName's User cannot be empty")
    elif len(user) > USER_LENGTH_MAX:
        messages.append(f"runAsUserName's User length must not be longer than {USER_LENGTH_MAX} characters")
    if user and not user.strip(". "):
        messages.append("runAsUserName's User cannot contain only periods or spaces")
    if _find_not_in_users(user):
        characters = '"/\\:;|=,+*?<>@[]'
        messages.append(f"runAsUserName's User cannot contain the following characters: {characters}")
    return messages


def validate_host_namespaces(spec: Mapping[str, Any], path: str, found: Found) -> None:
    """A pod with users of its own shares no other namespace with its node."""
    if spec.get("hostUsers") is not False:
        return
    detail = "when `hostUsers` is false"
    for field, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(field):
            found.append(forbidden(f"{path}.{shown}", detail))
    for container, container_path in containers_of(spec, path):
        if container.get("volumeDevices"):
            found.append(forbidden(f"{container_path}.volumeDevices", detail))


def validate_host_processes(spec: Mapping[str, Any], path: str, found: Found) -> None:
    """Containers of Windows that are processes of the host: all of a pod or none, and on its network."""
    of_pod = _host_process(spec)
    if of_pod is None and not any(_host_process(container) is not None for container in all_of(spec)):
        return
    count = total = 0
    for container, container_path in containers_of(spec, path):
        own = _host_process(container)
        total += 1
        count += bool(of_pod if own is None else own)
        if own is not None and of_pod is not None and own != of_pod:
            shown = "true" if of_pod else "false"
            detail = f"pod hostProcess value must be identical if both are specified, was {shown}"
            found.append(invalid(f"{container_path}.securityContext.windowsOptions.hostProcess", own, detail))
    if count and count != total:
        detail = (
            "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        )
        found.append(invalid(path, "", detail))
    if count and not spec.get("hostNetwork"):
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        found.append(invalid(f"{path}.hostNetwork", False, detail))


def _host_process(holder: Mapping[str, Any]) -> bool | None:
    context = holder.get("securityContext")
    return (context.get("windowsOptions") or {}).get("hostProcess") if context else None


def all_of(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for field in CONTAINER_FIELDS:
        if spec.get(field):
            yield from spec[field]


def containers_of(spec: Mapping[str, Any], path: str) -> list[tuple[dict[str, Any], str]]:
    """Every container with its path."""
    return [
        (container, f"{path}.{field}[{index}]")
        for field in CONTAINER_FIELDS
        for index, container in enumerate(spec.get(field) or ())
    ]
