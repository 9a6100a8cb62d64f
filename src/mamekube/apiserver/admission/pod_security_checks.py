"""The Pod Security Standards, `baseline` and `restricted`: what a pod may not ask for. Pure functions.

A check answers None, or why a pod is not allowed: a reason that is the same for every pod, and a detail that
names containers and values. Order and wording are upstream's (pod-security-admission/policy).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mamekube.objects.meta import Object, annotations_of


class Violation(NamedTuple):
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Subject(NamedTuple):
    """A pod as the checks see it, of its own or out of a template."""

    annotations: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        fields = ("initContainers", "containers", "ephemeralContainers")
        return [container for field in fields for container in self.spec.get(field) or ()]

    @property
    def windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"

    @property
    def own_users(self) -> bool:
        """In a user namespace of its own, where root is nobody outside."""
        return self.spec.get("hostUsers") is False


Check = Callable[[Subject], Violation | None]


def subject_of(pod: Object) -> Subject:
    return Subject(annotations_of(pod), pod.get("spec") or {})


def violations(subject: Subject, level: str, *, minor: int) -> list[Violation]:
    """What of `level` (as of release 1.`minor`) the pod does not keep."""
    if level == "privileged":
        return []
    checks = [check for check in BASELINE if level == "baseline" or check not in REPLACED]
    if level == "restricted":
        checks += RESTRICTED
    found = (check(subject) for check in checks if minor >= SINCE.get(check, 0))
    return [violation for violation in found if violation is not None]


# Baseline -----------------------------------------------------------------------------------------------

ALLOWED_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
ALLOWED_SYSCTLS = frozenset(
    [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    ]
)
ALLOWED_SELINUX_TYPES = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)
ALLOWED_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"


def app_armor_profile(subject: Subject) -> Violation | None:
    setters, values = _setters(subject, lambda context: _type_of(context, "appArmorProfile"), _bad_app_armor)
    bad = sorted(
        f"{key}={_quote([value])}"
        for key, value in subject.annotations.items()
        if key.startswith(APPARMOR_PREFIX) and not _allowed_app_armor(value)
    )
    if not setters and not bad:
        return None
    reason = _plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(values) + len(bad))
    if setters:
        text = " and ".join(setters)
        bad.insert(0, f"{text} must not set AppArmor profile type to {_quote(sorted(values))}")
    return Violation(reason, ", ".join(bad))


def capabilities_baseline(subject: Subject) -> Violation | None:
    bad: dict[str, None] = {}
    forbidden: set[str] = set()
    for container in subject.containers:
        added = set(_capabilities(container, "add")) - ALLOWED_CAPABILITIES
        if added:
            bad[container["name"]] = None
            forbidden |= added
    if not bad:
        return None
    names, what = _containers(bad), _quote(sorted(forbidden))
    return Violation(
        "non-default capabilities", f"{names} must not include {what} in securityContext.capabilities.add"
    )


def host_namespaces(subject: Subject) -> Violation | None:
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if subject.spec.get(field)]
    return Violation("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(subject: Subject) -> Violation | None:
    names = [
        volume["name"] for volume in subject.spec.get("volumes") or () if volume.get("hostPath") is not None
    ]
    if not names:
        return None
    return Violation("hostPath volumes", f"{_plural('volume', 'volumes', len(names))} {_quote(names)}")


def host_ports(subject: Subject) -> Violation | None:
    bad: dict[str, None] = {}
    ports: set[str] = set()
    for container in subject.containers:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                bad[container["name"]] = None
                ports.add(str(port["hostPort"]))
    if not bad:
        return None
    uses = f"{_plural('uses', 'use', len(bad))} {_plural('hostPort', 'hostPorts', len(ports))}"
    return Violation("hostPort", f"{_containers(bad)} {uses} {', '.join(sorted(ports))}")


def host_probes(subject: Subject) -> Violation | None:
    bad: set[str] = set()
    hosts: set[str] = set()
    for container in subject.containers:
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
        handlers += [lifecycle.get("postStart"), lifecycle.get("preStop")]
        for handler in filter(None, handlers):
            for action in ("httpGet", "tcpSocket"):
                host = (handler.get(action) or {}).get("host")
                if host:
                    bad.add(container["name"])
                    hosts.add(host)
    if not bad:
        return None
    what = "probe or lifecycle host"
    uses = f"{_plural('uses', 'use', len(bad))} {_plural(what, what + 's', len(hosts))}"
    return Violation(what, f"{_containers(sorted(bad))} {uses} {_quote(sorted(hosts))}")


def privileged(subject: Subject) -> Violation | None:
    names = [c["name"] for c in subject.containers if _context(c).get("privileged")]
    if not names:
        return None
    return Violation("privileged", f"{_containers(names)} must not set securityContext.privileged=true")


def proc_mount(subject: Subject) -> Violation | None:
    if subject.own_users:
        return None
    bad = {
        c["name"]: _context(c)["procMount"]
        for c in subject.containers
        if _context(c).get("procMount") not in (None, "Default")
    }
    if not bad:
        return None
    values = _quote(sorted(set(bad.values())))
    return Violation("procMount", f"{_containers(bad)} must not set securityContext.procMount to {values}")


def se_linux_options(subject: Subject) -> Violation | None:
    setters, found = _setters(
        subject, lambda context: context.get("seLinuxOptions"), _bad_se_linux, joined=False
    )
    if not setters:
        return None
    types = sorted({options.get("type") or "" for options in found} - ALLOWED_SELINUX_TYPES)
    parts = [f"{_plural('type', 'types', len(types))} {_quote(types)}"] if types else []
    parts += [f"{field} may not be set" for field in ("user", "role") if any(o.get(field) for o in found)]
    text = f"{' and '.join(setters)} set forbidden securityContext.seLinuxOptions: {'; '.join(parts)}"
    return Violation("seLinuxOptions", text)


def seccomp_baseline(subject: Subject) -> Violation | None:
    setters, values = _setters(subject, lambda context: _type_of(context, "seccompProfile"), _bad_seccomp)
    return _bad_seccomp_violation(setters, values)


def sysctls(subject: Subject) -> Violation | None:
    given = (subject.spec.get("securityContext") or {}).get("sysctls") or ()
    bad = sorted({sysctl["name"] for sysctl in given} - ALLOWED_SYSCTLS)
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host_process(subject: Subject) -> Violation | None:
    setters, _ = _setters(
        subject,
        lambda context: (context.get("windowsOptions") or {}).get("hostProcess"),
        lambda value: bool(value),
    )
    if not setters:
        return None
    text = f"{' and '.join(setters)} must not set securityContext.windowsOptions.hostProcess=true"
    return Violation("hostProcess", text)


# Restricted ---------------------------------------------------------------------------------------------


def allow_privilege_escalation(subject: Subject) -> Violation | None:
    names = [
        c["name"] for c in subject.containers if _context(c).get("allowPrivilegeEscalation") is not False
    ]
    if subject.windows or not names:
        return None
    text = f"{_containers(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", text)


def capabilities_restricted(subject: Subject) -> Violation | None:
    if subject.windows:
        return None
    keeping = [c["name"] for c in subject.containers if "ALL" not in _capabilities(c, "drop")]
    adding: dict[str, None] = {}
    forbidden: set[str] = set()
    for container in subject.containers:
        added = set(_capabilities(container, "add")) - {"NET_BIND_SERVICE"}
        if added:
            adding[container["name"]] = None
            forbidden |= added
    parts: list[str] = []
    if keeping:
        parts.append(f'{_containers(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        what = _quote(sorted(forbidden))
        parts.append(f"{_containers(adding)} must not include {what} in securityContext.capabilities.add")
    return Violation("unrestricted capabilities", "; ".join(parts)) if parts else None


def restricted_volumes(subject: Subject) -> Violation | None:
    names: list[str] = []
    types: set[str] = set()
    for volume in subject.spec.get("volumes") or ():
        kind = next((key for key, value in volume.items() if key != "name" and value is not None), "unknown")
        if kind not in ALLOWED_VOLUMES:
            names.append(volume["name"])
            types.add(kind)
    if not names:
        return None
    what = "restricted volume type"
    uses = f"{_plural('uses', 'use', len(names))} {_plural(what, what + 's', len(types))}"
    volumes = f"{_plural('volume', 'volumes', len(names))} {_quote(names)}"
    return Violation("restricted volume types", f"{volumes} {uses} {_quote(sorted(types))}")


def run_as_non_root(subject: Subject) -> Violation | None:
    if subject.own_users:
        return None
    reason = "runAsNonRoot != true"
    setters, _ = _setters(subject, lambda context: context.get("runAsNonRoot"), lambda value: value is False)
    if setters:
        return Violation(reason, f"{' and '.join(setters)} must not set securityContext.runAsNonRoot=false")
    if (subject.spec.get("securityContext") or {}).get("runAsNonRoot"):
        return None
    silent = [c["name"] for c in subject.containers if _context(c).get("runAsNonRoot") is None]
    if not silent:
        return None
    return Violation(reason, f"pod or {_containers(silent)} must set securityContext.runAsNonRoot=true")


def run_as_user(subject: Subject) -> Violation | None:
    setters, _ = _setters(subject, lambda context: context.get("runAsUser"), lambda value: value == 0)
    if subject.own_users or not setters:
        return None
    return Violation("runAsUser=0", f"{' and '.join(setters)} must not set runAsUser=0")


def seccomp_restricted(subject: Subject) -> Violation | None:
    if subject.windows:
        return None
    setters, values = _setters(subject, lambda context: _type_of(context, "seccompProfile"), _unsafe_seccomp)
    if setters:
        return _bad_seccomp_violation(setters, values)
    if _type_of(subject.spec.get("securityContext") or {}, "seccompProfile") is not None:
        return None
    silent = [c["name"] for c in subject.containers if _type_of(_context(c), "seccompProfile") is None]
    if not silent:
        return None
    text = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_containers(silent)} {text}")


BASELINE: tuple[Check, ...] = (
    app_armor_profile,
    capabilities_baseline,
    host_namespaces,
    host_path_volumes,
    host_ports,
    host_probes,
    privileged,
    proc_mount,
    se_linux_options,
    seccomp_baseline,
    sysctls,
    windows_host_process,
)
REPLACED: tuple[Check, ...] = (capabilities_baseline, host_path_volumes, seccomp_baseline)
"""Checks of `baseline` for which `restricted` has a stricter one."""
RESTRICTED: tuple[Check, ...] = (
    allow_privilege_escalation,
    capabilities_restricted,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_restricted,
)
SINCE: Mapping[Check, int] = {host_probes: 34, run_as_user: 23}
"""The minor release from which on a check is part of its level."""


# Words ----------------------------------------------------------------------------------------------------


def _setters(
    subject: Subject,
    read: Callable[[Mapping[str, Any]], Any],
    bad: Callable[[Any], bool],
    *,
    joined: bool = True,
) -> tuple[list[str], Any]:
    """Who sets a bad value, `pod` first, and the values: a set, or a list for values that are no text."""
    found: list[Any] = []
    setters: list[str] = []
    value = read(subject.spec.get("securityContext") or {})
    if value is not None and bad(value):
        setters.append("pod")
        found.append(value)
    names: list[str] = []
    for container in subject.containers:
        value = read(_context(container))
        if value is not None and bad(value):
            names.append(container["name"])
            found.append(value)
    if names:
        setters.append(_containers(names))
    return setters, set(found) if joined else found


def _bad_seccomp_violation(setters: Sequence[str], values: Iterable[str]) -> Violation | None:
    if not setters:
        return None
    text = f"must not set securityContext.seccompProfile.type to {_quote(sorted(values))}"
    return Violation("seccompProfile", f"{' and '.join(setters)} {text}")


def _bad_app_armor(profile: str) -> bool:
    return profile not in ("", "RuntimeDefault", "Localhost")


def _allowed_app_armor(profile: str) -> bool:
    return profile in ("", "runtime/default") or profile.startswith("localhost/")


def _bad_seccomp(profile: str) -> bool:
    return profile not in ("", "RuntimeDefault", "Localhost")


def _unsafe_seccomp(profile: str) -> bool:
    return profile not in ("RuntimeDefault", "Localhost")


def _bad_se_linux(options: Mapping[str, Any]) -> bool:
    return bool(
        (options.get("type") or "") not in ALLOWED_SELINUX_TYPES or options.get("user") or options.get("role")
    )


def _type_of(context: Mapping[str, Any], field: str) -> str | None:
    profile = context.get(field)
    return None if profile is None else str(profile.get("type") or "")


def _context(container: Mapping[str, Any]) -> Mapping[str, Any]:
    return container.get("securityContext") or {}


def _capabilities(container: Mapping[str, Any], field: str) -> list[str]:
    return (_context(container).get("capabilities") or {}).get(field) or []


def _containers(names: Iterable[str]) -> str:
    """`container "a"`, `containers "a", "b"`"""
    listed = list(names)
    return f"{_plural('container', 'containers', len(listed))} {_quote(listed)}"


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


def _quote(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)
