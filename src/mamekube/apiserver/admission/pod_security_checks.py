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


class Rule(NamedTuple):
    """One rule of a level; `versions` are its forms, oldest first, each with the minor release that brought it."""

    versions: tuple[tuple[int, Check], ...]
    replaced_by: int | None = None
    """The minor release from which on `restricted` has a stricter rule instead."""

    def check(self, minor: int) -> Check | None:
        """The form of release 1.`minor`, None before there was one."""
        return next((check for since, check in reversed(self.versions) if since <= minor), None)


def subject_of(pod: Object) -> Subject:
    return Subject(annotations_of(pod), pod.get("spec") or {})


def violations(subject: Subject, level: str, *, minor: int) -> list[Violation]:
    """What of `level` (as of release 1.`minor`) the pod does not keep."""
    if level == "privileged":
        return []
    rules = BASELINE
    if level == "restricted":
        stays = [rule for rule in BASELINE if rule.replaced_by is None or minor < rule.replaced_by]
        rules = (*stays, *RESTRICTED)
    found = (check(subject) for check in (rule.check(minor) for rule in rules) if check is not None)
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
ALLOWED_SYSCTLS = {
    0: frozenset(
        [
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.ping_group_range",
            "net.ipv4.tcp_syncookies",
        ]
    ),
    27: frozenset(["net.ipv4.ip_local_reserved_ports"]),
    29: frozenset(
        [
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
            "net.ipv4.tcp_keepalive_time",
        ]
    ),
    32: frozenset(["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]),
}
"""What each minor release added."""
ALLOWED_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
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
SECCOMP_POD_KEY = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PREFIX = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"


def app_armor_profile(subject: Subject) -> Violation | None:
    setters, values = _setters(subject, lambda context: _type_of(context, "appArmorProfile"), _bad_app_armor)
    annotations = sorted(
        f"{key}={_quote([value])}"
        for key, value in subject.annotations.items()
        if key.startswith(APPARMOR_PREFIX) and not _allowed_app_armor(value)
    )
    if annotations:
        setters.append(_plural("annotation", "annotations", len(annotations)))
    if not setters:
        return None
    listed = [*sorted(values), *annotations]
    reason = _plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(listed))
    return Violation(
        reason, f"{' and '.join(setters)} must not set AppArmor profile type to {_quote(listed)}"
    )


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
    bad = {
        c["name"]: _context(c)["procMount"]
        for c in subject.containers
        if _context(c).get("procMount") not in (None, "Default")
    }
    if not bad:
        return None
    values = _quote(sorted(set(bad.values())))
    return Violation("procMount", f"{_containers(bad)} must not set securityContext.procMount to {values}")


def _se_linux_options(allowed: frozenset[str]) -> Check:
    def bad(options: Mapping[str, Any]) -> bool:
        return (options.get("type") or "") not in allowed or any(options.get(key) for key in ("user", "role"))

    def check(subject: Subject) -> Violation | None:
        setters, found = _setters(subject, lambda context: context.get("seLinuxOptions"), bad, joined=False)
        if not setters:
            return None
        types = sorted({options.get("type") or "" for options in found} - allowed)
        parts = [f"{_plural('type', 'types', len(types))} {_quote(types)}"] if types else []
        parts += [f"{key} may not be set" for key in ("user", "role") if any(o.get(key) for o in found)]
        text = f"{' and '.join(setters)} set forbidden securityContext.seLinuxOptions: {'; '.join(parts)}"
        return Violation("seLinuxOptions", text)

    return check


def seccomp_annotations(subject: Subject) -> Violation | None:
    """What said in old releases which system calls a pod may make."""
    keys = [SECCOMP_POD_KEY, *(f"{SECCOMP_PREFIX}{container['name']}" for container in subject.containers)]
    bad = sorted(
        {
            f"{key}={_quote([subject.annotations[key]])}"
            for key in keys
            if key in subject.annotations and not _allowed_seccomp_annotation(subject.annotations[key])
        }
    )
    if not bad:
        return None
    return Violation(
        "seccompProfile", f"forbidden {_plural('annotation', 'annotations', len(bad))} {', '.join(bad)}"
    )


def seccomp_baseline(subject: Subject) -> Violation | None:
    setters, values = _setters(subject, lambda context: _type_of(context, "seccompProfile"), _bad_seccomp)
    return _bad_seccomp_violation(setters, values)


def _sysctls(minor: int) -> Check:
    allowed: frozenset[str] = frozenset().union(
        *(names for since, names in ALLOWED_SYSCTLS.items() if since <= minor)
    )

    def check(subject: Subject) -> Violation | None:
        given = (subject.spec.get("securityContext") or {}).get("sysctls") or ()
        bad = [sysctl["name"] for sysctl in given if sysctl["name"] not in allowed]
        return Violation("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


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
    if not names:
        return None
    text = f"{_containers(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", text)


def capabilities_restricted(subject: Subject) -> Violation | None:
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
    if not setters:
        return None
    return Violation("runAsUser=0", f"{' and '.join(setters)} must not set runAsUser=0")


def seccomp_restricted(subject: Subject) -> Violation | None:
    setters, values = _setters(subject, lambda context: _type_of(context, "seccompProfile"), _bad_seccomp)
    if setters:
        return _bad_seccomp_violation(setters, values)
    if _type_of(subject.spec.get("securityContext") or {}, "seccompProfile") is not None:
        return None
    silent = [c["name"] for c in subject.containers if _type_of(_context(c), "seccompProfile") is None]
    if not silent:
        return None
    text = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_containers(silent)} {text}")


def _but_windows(check: Check) -> Check:
    """Of pods for Windows this is not asked."""
    return lambda subject: None if subject.windows else check(subject)


def _but_own_users(check: Check) -> Check:
    """Of pods with a user namespace of their own this is not asked."""
    return lambda subject: None if subject.own_users else check(subject)


def _always(check: Check) -> Rule:
    return Rule(((0, check),))


BASELINE: tuple[Rule, ...] = (
    _always(app_armor_profile),
    Rule(((0, capabilities_baseline),), replaced_by=22),
    _always(host_namespaces),
    Rule(((0, host_path_volumes),), replaced_by=0),
    _always(host_ports),
    Rule(((34, host_probes),)),
    _always(privileged),
    Rule(((0, proc_mount), (35, _but_own_users(proc_mount))), replaced_by=35),
    Rule(
        (
            (0, _se_linux_options(ALLOWED_SELINUX_TYPES)),
            (31, _se_linux_options(ALLOWED_SELINUX_TYPES | {"container_engine_t"})),
        )
    ),
    Rule(((0, seccomp_annotations), (19, seccomp_baseline)), replaced_by=19),
    Rule(tuple((minor, _sysctls(minor)) for minor in ALLOWED_SYSCTLS)),
    _always(windows_host_process),
)
RESTRICTED: tuple[Rule, ...] = (
    Rule(((8, allow_privilege_escalation), (25, _but_windows(allow_privilege_escalation)))),
    Rule(((22, capabilities_restricted), (25, _but_windows(capabilities_restricted)))),
    Rule(((35, proc_mount),)),
    _always(restricted_volumes),
    Rule(((0, run_as_non_root), (35, _but_own_users(run_as_non_root)))),
    Rule(((23, run_as_user), (35, _but_own_users(run_as_user)))),
    Rule(((19, seccomp_restricted), (25, _but_windows(seccomp_restricted)))),
)
"""Besides those of `baseline`, in the order of upstream's names for them."""


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
    return profile not in ("RuntimeDefault", "Localhost")


def _allowed_app_armor(profile: str) -> bool:
    return profile in ("", "runtime/default") or profile.startswith("localhost/")


def _bad_seccomp(profile: str) -> bool:
    return profile not in ("RuntimeDefault", "Localhost")


def _allowed_seccomp_annotation(profile: str) -> bool:
    return profile in ("runtime/default", "docker/default") or profile.startswith("localhost/")


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
