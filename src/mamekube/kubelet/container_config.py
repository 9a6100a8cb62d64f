"""A container as CRI's ContainerConfig. Pure: environment and mounts are handed in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mamekube.kubelet import cri_messages as cri
from mamekube.kubelet import sandbox_config
from mamekube.kubelet.environment import ConfigError, expand
from mamekube.kubelet.runtime import (
    CONTAINER_HASH,
    CONTAINER_NAME,
    POD_GRACE,
    PRE_STOP,
    RESTART_COUNT,
    TERMINATION_PATH,
    TERMINATION_POLICY,
    Image,
)
from mamekube.objects.meta import Object

MASKED_PATHS = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
]
READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
TERMINATION_PATH_DEFAULT = "/dev/termination-log"


def container_hash(container: Mapping[str, Any]) -> str:
    """Changes when a running container has to be replaced: upstream hashes name and image."""
    identity = orjson.dumps({"name": container["name"], "image": container.get("image", "")})
    return hashlib.blake2b(identity, digest_size=4).hexdigest()


def container_config(
    pod: Object,
    container: Mapping[str, Any],
    *,
    attempt: int,
    image_ref: str,
    environment: Mapping[str, str],
    mounts: Sequence[dict[str, Any]],
    resources: dict[str, Any],
    target_id: str = "",
) -> dict[str, Any]:
    """`target_id` is the container whose processes an ephemeral container is to see."""
    return {
        "metadata": {"name": container["name"], "attempt": attempt},
        "image": {"image": image_ref, "user_specified_image": container.get("image", "")},
        "command": [expand(word, environment) for word in container.get("command") or []],
        "args": [expand(word, environment) for word in container.get("args") or []],
        "working_dir": container.get("workingDir", ""),
        "envs": [{"key": key, "value": value} for key, value in environment.items()],
        "mounts": list(mounts),
        "labels": {**sandbox_config.identity(pod), CONTAINER_NAME: container["name"]},
        "annotations": notes(pod, container, attempt=attempt),
        "log_path": f"{container['name']}/{attempt}.log",
        "stdin": bool(container.get("stdin")),
        "stdin_once": bool(container.get("stdinOnce")),
        "tty": bool(container.get("tty")),
        "linux": {
            "resources": resources,
            "security_context": security_context(pod, container, target_id=target_id),
        },
    }


def notes(pod: Object, container: Mapping[str, Any], *, attempt: int) -> dict[str, str]:
    """What a restarted kubelet has to know of the container when the pod object is gone."""
    result = {
        CONTAINER_HASH: container_hash(container),
        RESTART_COUNT: str(attempt),
        TERMINATION_PATH: container.get("terminationMessagePath") or TERMINATION_PATH_DEFAULT,
        TERMINATION_POLICY: container.get("terminationMessagePolicy") or "File",
    }
    grace = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    if grace is not None:
        result[POD_GRACE] = str(grace)
    pre_stop = (container.get("lifecycle") or {}).get("preStop")
    if pre_stop:
        result[PRE_STOP] = orjson.dumps(pre_stop).decode()
    return result


def effective(pod: Object, container: Mapping[str, Any], field: str) -> Any:
    """A field of the security context: the container's own, or else the pod's."""
    own = (container.get("securityContext") or {}).get(field)
    return own if own is not None else ((pod.get("spec") or {}).get("securityContext") or {}).get(field)


def security_context(pod: Object, container: Mapping[str, Any], *, target_id: str = "") -> dict[str, Any]:
    own = container.get("securityContext") or {}
    privileged = bool(own.get("privileged"))
    capabilities = own.get("capabilities") or {}
    options = sandbox_config.namespace_options(pod)
    if target_id:
        options = {**options, "pid": cri.NAMESPACE_TARGET, "target_id": target_id}
    unmasked = privileged or own.get("procMount") == "Unmasked"
    result: dict[str, Any] = {
        "capabilities": {
            "add_capabilities": capabilities.get("add") or [],
            "drop_capabilities": capabilities.get("drop") or [],
        },
        "privileged": privileged,
        "namespace_options": options,
        "readonly_rootfs": bool(own.get("readOnlyRootFilesystem")),
        "supplemental_groups": sandbox_config.supplemental_groups(pod),
        "no_new_privs": own.get("allowPrivilegeEscalation") is False,
        "masked_paths": [] if unmasked else MASKED_PATHS,
        "readonly_paths": [] if unmasked else READONLY_PATHS,
        # Where nothing is declared upstream runs unconfined (seccompDefault is off).
        "seccomp": sandbox_config.security_profile(
            effective(pod, container, "seccompProfile") or {"type": "Unconfined"}
        ),
        "apparmor": sandbox_config.security_profile(effective(pod, container, "appArmorProfile")),
    }
    user, group = effective(pod, container, "runAsUser"), effective(pod, container, "runAsGroup")
    if user is not None:
        result["run_as_user"] = {"value": user}
    if group is not None:
        result["run_as_group"] = {"value": group}
    return result


def check_user(pod: Object, container: Mapping[str, Any], image: Image | None) -> int | None:
    """Refuse root where runAsNonRoot is set. Answers the image's own user where only the group is declared.

    Raises ConfigError with upstream's wording.
    """
    user = effective(pod, container, "runAsUser")
    image_user = image.user if image else ""
    if effective(pod, container, "runAsNonRoot"):
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy ({_where(pod, container)})")
        if user is None and image_user in ("", "0", "root"):
            raise ConfigError(
                f"container has runAsNonRoot and image will run as root ({_where(pod, container)})"
            )
        if user is None and not image_user.isdigit():
            raise ConfigError(
                f"container has runAsNonRoot and image has non-numeric user ({image_user}), "
                f"cannot verify user is non-root ({_where(pod, container)})"
            )
    if user is None and effective(pod, container, "runAsGroup") is not None:
        # CRI allows a group only beside a user.
        return int(image_user) if image_user.isdigit() else 0
    return None


def _where(pod: Object, container: Mapping[str, Any]) -> str:
    meta = pod["metadata"]
    return f'pod: "{meta["name"]}_{meta.get("namespace", "")}({meta.get("uid", "")})", container: {container["name"]}'
