"""The Pod Security Standards check by check: what each release refuses at each level, and in which words."""

from typing import Any

import pytest

from mamekube.apiserver.admission.pod_security_checks import subject_of, violations

NEWEST = 1 << 30
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"


def modest(annotations: dict[str, str] | None = None, /, **spec: Any) -> dict[str, Any]:
    """A pod that keeps `restricted` of every release, but for what a case adds to its first container and spec."""
    container = {
        "name": "c",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            **spec.pop("context", {}),
        },
        **spec.pop("container", {}),
    }
    context = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        **spec.pop("securityContext", {}),
    }
    spec = {"containers": [container], "securityContext": context, **spec}
    return {"metadata": {"name": "p", "annotations": annotations or {}}, "spec": spec}


def found(pod: dict[str, Any], level: str, minor: int = NEWEST) -> list[str]:
    return [str(violation) for violation in violations(subject_of(pod), level, minor=minor)]


@pytest.mark.parametrize("minor", range(37))
def test_a_modest_pod_keeps_every_level_of_every_release(minor: int) -> None:
    assert [found(modest(), level, minor) for level in ("privileged", "baseline", "restricted")] == [[]] * 3


BASELINE = [
    (
        modest(securityContext={"appArmorProfile": {"type": "Unconfined"}}),
        'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ),
    (
        modest({f"{APPARMOR}c": "unconfined"}, context={"appArmorProfile": {"type": "Unconfined"}}),
        'forbidden AppArmor profiles (container "c" and annotation must not set AppArmor profile type to '
        f'"Unconfined", "{APPARMOR}c="unconfined"")',
    ),
    (
        modest(hostIPC=True, hostNetwork=True, hostPID=True),
        "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ),
    (
        modest(container={"ports": [{"hostPort": 80}, {"hostPort": 443}, {"hostPort": 0}]}),
        'hostPort (container "c" uses hostPorts 443, 80)',
    ),
    (
        modest(container={"livenessProbe": {"httpGet": {"host": "8.8.8.8"}}}),
        'probe or lifecycle host (container "c" uses probe or lifecycle host "8.8.8.8")',
    ),
    (
        modest(context={"privileged": True}),
        'privileged (container "c" must not set securityContext.privileged=true)',
    ),
    (
        modest(context={"procMount": "Unmasked"}),
        'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        modest(context={"seLinuxOptions": {"type": "spc_t", "user": "u", "role": "r"}}),
        'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be '
        "set; role may not be set)",
    ),
    (
        modest(securityContext={"sysctls": [{"name": "b"}, {"name": "a"}, {"name": "b"}]}),
        "forbidden sysctls (b, a, b)",
    ),
    (
        modest(securityContext={"windowsOptions": {"hostProcess": True}}),
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ),
]


@pytest.mark.parametrize(("pod", "text"), BASELINE)
def test_both_levels_refuse_what_reaches_the_host(pod: dict[str, Any], text: str) -> None:
    assert found(pod, "baseline") == found(pod, "restricted") == [text]
    assert found(pod, "privileged") == []


HOST_PATH = modest(volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "i", "image": {}}])
UNCONFINED = modest(context={"seccompProfile": {"type": "Unconfined"}})
BOTH_WAYS = [
    (
        modest(context={"capabilities": {"add": ["NET_RAW", "CHOWN"], "drop": ["ALL"]}}),
        'non-default capabilities (container "c" must not include "NET_RAW" in securityContext.capabilities.add)',
        'unrestricted capabilities (container "c" must not include "CHOWN", "NET_RAW" in '
        "securityContext.capabilities.add)",
    ),
    (
        HOST_PATH,
        'hostPath volumes (volume "v")',
        'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ),
    (
        UNCONFINED,
        'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
        'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
]


@pytest.mark.parametrize(("pod", "baseline", "restricted"), BOTH_WAYS)
def test_the_stricter_level_says_it_in_its_own_words_only(
    pod: dict[str, Any], baseline: str, restricted: str
) -> None:
    assert found(pod, "baseline") == [baseline]
    assert found(pod, "restricted") == [restricted]


RESTRICTED = [
    (
        modest(context={"allowPrivilegeEscalation": None}),
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
    ),
    (
        modest(context={"capabilities": {}}),
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"])',
    ),
    (
        modest(volumes=[{"name": "n", "nfs": {}}, {"name": "g", "gitRepo": {}}]),
        'restricted volume types (volumes "n", "g" use restricted volume types "gitRepo", "nfs")',
    ),
    (
        modest(securityContext={"runAsNonRoot": None}),
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
    ),
    (
        modest(securityContext={"runAsNonRoot": False}, context={"runAsNonRoot": False}),
        'runAsNonRoot != true (pod and container "c" must not set securityContext.runAsNonRoot=false)',
    ),
    (modest(context={"runAsUser": 0}), 'runAsUser=0 (container "c" must not set runAsUser=0)'),
    (
        modest(securityContext={"seccompProfile": None}),
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")',
    ),
]


@pytest.mark.parametrize(("pod", "text"), RESTRICTED)
def test_restricted_alone_asks_for_more(pod: dict[str, Any], text: str) -> None:
    assert (found(pod, "baseline"), found(pod, "restricted")) == ([], [text])


def windows(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "spec": {**pod["spec"], "os": {"name": "windows"}}}


def own_users(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "spec": {**pod["spec"], "hostUsers": False}}


def sysctl(name: str) -> dict[str, Any]:
    return modest(securityContext={"sysctls": [{"name": name}]})


ESCALATING, KEEPING, _, ROOT, _, USER_0, SILENT = (pod for pod, _ in RESTRICTED)
RELEASES = [
    ("restricted", ESCALATING, range(8, 37)),
    ("restricted", windows(ESCALATING), range(8, 25)),
    ("restricted", own_users(ESCALATING), range(8, 37)),
    ("restricted", KEEPING, range(22, 37)),
    ("restricted", windows(KEEPING), range(22, 25)),
    ("restricted", ROOT, range(37)),
    ("restricted", windows(ROOT), range(37)),
    ("restricted", own_users(ROOT), range(35)),
    ("restricted", USER_0, range(23, 37)),
    ("restricted", own_users(USER_0), range(23, 35)),
    ("restricted", SILENT, range(19, 37)),
    ("restricted", windows(SILENT), range(19, 25)),
    ("baseline", modest(context={"capabilities": {"add": ["NET_RAW"]}}), range(37)),
    ("restricted", modest(context={"capabilities": {"add": ["NET_RAW"], "drop": ["ALL"]}}), range(37)),
    ("baseline", modest(context={"procMount": "Unmasked"}), range(37)),
    ("baseline", own_users(modest(context={"procMount": "Unmasked"})), range(35)),
    ("restricted", own_users(modest(context={"procMount": "Unmasked"})), range(37)),
    ("baseline", modest(context={"seLinuxOptions": {"type": "container_engine_t"}}), range(31)),
    ("baseline", sysctl("net.ipv4.tcp_syncookies"), range(0)),
    ("baseline", sysctl("net.ipv4.ip_local_reserved_ports"), range(27)),
    ("baseline", sysctl("net.ipv4.tcp_fin_timeout"), range(29)),
    ("baseline", sysctl("net.ipv4.tcp_wmem"), range(32)),
    ("baseline", modest(container={"lifecycle": {"preStop": {"tcpSocket": {"host": "h"}}}}), range(34, 37)),
    ("baseline", UNCONFINED, range(19, 37)),
    ("restricted", modest({SECCOMP: "unconfined"}), range(19)),
    ("restricted", HOST_PATH, range(37)),
]


@pytest.mark.parametrize(("level", "pod", "refused"), RELEASES)
def test_each_release_has_the_rules_of_its_time(level: str, pod: dict[str, Any], refused: range) -> None:
    assert [minor for minor in range(37) if found(pod, level, minor)] == list(refused)


def test_old_releases_read_the_annotations_of_their_time() -> None:
    assert found(modest({SECCOMP: "unconfined"}), "baseline", 18) == [
        f'seccompProfile (forbidden annotation {SECCOMP}="unconfined")'
    ]
