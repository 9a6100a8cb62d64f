"""Annotations that say something of a pod, from before there were fields for it. Some still count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

from mamekube.kinds.fields import Found, check_relative
from mamekube.kinds.podspec.security import containers_of
from mamekube.objects.fielderrors import forbidden, invalid

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
LOCAL = "localhost/"
SECCOMP_DEFAULTS = ("runtime/default", "docker/default")

_match_cost = re.compile(r"0|-[0-9]+|[1-9][0-9]*", re.ASCII).fullmatch


def validate(annotations: Mapping[str, str], spec: Mapping[str, Any], path: str, found: Found) -> None:
    """`annotations` at `path` of a pod or pod template whose spec is `spec`."""
    if MIRROR in annotations and not spec.get("nodeName"):
        detail = "must set spec.nodeName if mirror pod annotation is set"
        found.append(invalid(f"{path}[{MIRROR}]", annotations[MIRROR], detail))
    cost = annotations.get(DELETION_COST)
    if cost is not None and not (_match_cost(cost) and -(2**31) <= int(cost) < 2**31):
        found.append(invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    named: frozenset[Any] | None = None
    for key, value in annotations.items():
        if key == SECCOMP_POD or key.startswith(SECCOMP_CONTAINER):
            _validate_seccomp(value, f"{path}.{key}", found)
        elif key.startswith(APP_ARMOR):
            if named is None:
                named = frozenset(container.get("name") for container, _ in containers_of(spec, ""))
            _validate_app_armor(key, value, named, path, found)


def _validate_seccomp(profile: str, path: str, found: Found) -> None:
    if profile.startswith(LOCAL):
        check_relative(profile.removeprefix(LOCAL), path, found)
    elif profile not in (*SECCOMP_DEFAULTS, "unconfined"):
        found.append(invalid(path, profile, "must be a valid seccomp profile"))


def _validate_app_armor(key: str, profile: str, named: Set[Any], path: str, found: Found) -> None:
    """`named`: what the containers are called."""
    name = key.removeprefix(APP_ARMOR)
    if name not in named:
        found.append(invalid(f"{path}[{key}]", name, "container not found"))
    if profile not in ("", "runtime/default", "unconfined") and not profile.startswith(LOCAL):
        found.append(invalid(f"{path}[{key}]", profile, f'invalid AppArmor profile name: "{profile}"'))


def validate_fields(annotations: Mapping[str, str], spec: Mapping[str, Any], path: str, found: Found) -> None:
    """Annotations must say what the fields of the spec at `path` say, where both are given."""
    own = spec.get("securityContext") or {}
    if SECCOMP_POD in annotations:
        profile_path = f"{path}.securityContext.seccompProfile"
        _compare_seccomp(annotations[SECCOMP_POD], own.get("seccompProfile"), profile_path, found)
    containers = containers_of(spec, path)
    for container, container_path in containers:
        context, context_path = container.get("securityContext") or {}, f"{container_path}.securityContext"
        value = annotations.get(f"{SECCOMP_CONTAINER}{container.get('name')}")
        if value is not None:
            profile = context.get("seccompProfile")
            _compare_seccomp(value, profile, f"{context_path}.seccompProfile", found)
    if (spec.get("os") or {}).get("name") == "windows":
        return
    for container, container_path in containers:
        context, context_path = container.get("securityContext") or {}, f"{container_path}.securityContext"
        value = annotations.get(f"{APP_ARMOR}{container.get('name')}")
        if value is not None:
            profile = context.get("appArmorProfile") or own.get("appArmorProfile")
            defaults = ("runtime/default",)
            profile_path = f"{context_path}.appArmorProfile"
            _compare(value, profile, defaults, profile_path, found, word="apparmor")


def _compare_seccomp(value: str, profile: Mapping[str, Any] | None, path: str, found: Found) -> None:
    _compare(value, profile, SECCOMP_DEFAULTS, path, found, word="seccomp")


def _compare(
    value: str,
    profile: Mapping[str, Any] | None,
    defaults: tuple[str, ...],
    path: str,
    found: Found,
    *,
    word: str,
) -> None:
    kind = (profile or {}).get("type")
    right = {
        "Unconfined": value == "unconfined",
        "RuntimeDefault": value in defaults,
        "Localhost": value.startswith(LOCAL),
    }
    if profile is None or kind not in right:
        return
    if not right[kind]:
        found.append(forbidden(f"{path}.type", f"{word} type in annotation and field must match"))
    elif kind == "Localhost" and value.removeprefix(LOCAL) != profile.get("localhostProfile"):
        detail = f"{word} profile in annotation and field must match"
        found.append(forbidden(f"{path}.localhostProfile", detail))


def validate_update(after: Mapping[str, str], before: Mapping[str, str], path: str, found: Found) -> None:
    """What was said of a pod when it was made stays."""
    for key, value in before.items():
        if after.get(key) != value:
            if key.startswith(APP_ARMOR):
                found.append(forbidden(f"{path}[{key}]", "may not remove or update AppArmor annotations"))
            if key == MIRROR:
                found.append(forbidden(f"{path}[{key}]", "may not remove or update mirror pod annotation"))
    for key in after:
        if key not in before:
            if key.startswith(APP_ARMOR):
                found.append(forbidden(f"{path}[{key}]", "may not add AppArmor annotations"))
            if key == MIRROR:
                found.append(forbidden(f"{path}[{key}]", "may not add mirror pod annotation"))
