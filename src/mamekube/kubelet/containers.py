"""Starting and ending one container: image, configuration, create, start, hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mamekube.kubelet import container_config, downward, environment, hooks, resources
from mamekube.kubelet.environment import ConfigError
from mamekube.kubelet.events import PodEvents
from mamekube.kubelet.images import StartFailure
from mamekube.kubelet.node_context import NodeContext
from mamekube.kubelet.plan import Kill, Start
from mamekube.kubelet.runtime import (
    PRE_STOP,
    TERMINATION_PATH,
    TERMINATION_POLICY,
    Container,
    RuntimeFailure,
)
from mamekube.kubelet.volumes import mounts
from mamekube.kubelet.volumes.sources import Fetched
from mamekube.objects.meta import Object, namespace_of, uid_of
from mamekube.objects.status import StatusError

STOP_GRACE_MIN_S = 2
"""What a preStop hook leaves to the process at least. Upstream: minimumGracePeriodInSeconds."""
TERMINATION_MESSAGE_BYTES_MAX = 4096
TERMINATION_LOG_BYTES_MAX = 2048
TERMINATION_LOG_LINES_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxContext:
    """What the containers of one sandbox share."""

    id: str
    config: dict[str, Any]
    volumes: Mapping[str, Path]
    facts: downward.Facts
    hosts_path: Path | None = None
    targets: Mapping[str, str] = field(default_factory=dict)
    """Container ids by name, for ephemeral containers."""


async def start(
    node: NodeContext, pod: Object, wanted: Start, *, sandbox: SandboxContext, events: PodEvents
) -> str:
    """Create and start a container; answers its id. Raises StartFailure."""
    container = wanted.container
    fetched, pull_secrets = await _fetch(node, pod, container)
    try:
        image = await node.images.ensure(
            pod, container, events=events, secrets=pull_secrets, sandbox_config=sandbox.config
        )
    except StartFailure as failure:
        events.warning("Failed", f"Error: {failure.reason}", container)
        raise
    try:
        config = _configure(node, pod, wanted, sandbox=sandbox, fetched=fetched, image=image)
    except (ConfigError, ValueError, OSError) as error:
        events.warning("Failed", f"Error: {error}", container)
        raise StartFailure("CreateContainerConfigError", str(error)) from error
    try:
        container_id = await node.runtime.create_container(sandbox.id, config, sandbox.config)
    except RuntimeFailure as failure:
        events.warning("Failed", f"Error: {failure.message}", container)
        raise StartFailure("CreateContainerError", failure.message) from failure
    events.normal("Created", "Container created", container)
    try:
        await node.runtime.start_container(container_id)
    except RuntimeFailure as failure:
        events.warning("Failed", f"Error: {failure.message}", container)
        raise StartFailure("RunContainerError", failure.message) from failure
    events.normal("Started", "Container started", container)
    return container_id


async def _fetch(
    node: NodeContext, pod: Object, container: Mapping[str, Any]
) -> tuple[Fetched, list[Object]]:
    """Config maps and secrets that the environment names, and the pod's pull secrets."""
    maps, keys = set(), set()
    for source in container.get("envFrom") or []:
        maps |= {source["configMapRef"]["name"]} if "configMapRef" in source else set()
        keys |= {source["secretRef"]["name"]} if "secretRef" in source else set()
    for variable in container.get("env") or []:
        value_from = variable.get("valueFrom") or {}
        maps |= {value_from["configMapKeyRef"]["name"]} if "configMapKeyRef" in value_from else set()
        keys |= {value_from["secretKeyRef"]["name"]} if "secretKeyRef" in value_from else set()
    pulls = [entry.get("name", "") for entry in (pod.get("spec") or {}).get("imagePullSecrets") or []]
    if not (maps or keys or pulls):
        return Fetched({}, {}), []
    try:
        fetched = await node.sources.fetch(namespace_of(pod), config_maps=maps, secrets={*keys, *pulls})
    except StatusError as error:
        raise StartFailure("CreateContainerConfigError", error.message) from error
    found = [fetched.secret(name) for name in pulls]
    return fetched, [secret for secret in found if secret is not None]


def _configure(
    node: NodeContext,
    pod: Object,
    wanted: Start,
    *,
    sandbox: SandboxContext,
    fetched: Fetched,
    image: Any,
) -> dict[str, Any]:
    container = wanted.container
    services = environment.visible_services(pod, node.services())
    variables = environment.build(pod, container, services=services, lookup=fetched, facts=sandbox.facts)
    read_only = mounts.read_only_volumes(pod)
    container_mounts = (
        []
        if node.fake
        else mounts.container_mounts(container, sandbox.volumes, variables, read_only=read_only)
    )
    if sandbox.hosts_path is not None and not mounts.mounts_path(container, "/etc/hosts"):
        container_mounts.append({"container_path": "/etc/hosts", "host_path": str(sandbox.hosts_path)})
    if not node.fake:
        container_mounts.append(_termination_mount(node, pod, container, wanted.attempt))
        node.paths.container_log(pod, container["name"], 0).parent.mkdir(parents=True, exist_ok=True)
    user = container_config.check_user(pod, container, image)
    config = container_config.container_config(
        pod,
        container,
        attempt=wanted.attempt,
        image_ref=image.id,
        environment=variables,
        mounts=container_mounts,
        resources=resources.container_resources(pod, container, node_memory_bytes=node.memory_bytes),
        target_id=sandbox.targets.get(container.get("targetContainerName", ""), ""),
    )
    if user is not None:
        config["linux"]["security_context"]["run_as_user"] = {"value": user}
    return config


def _termination_mount(
    node: NodeContext, pod: Object, container: Mapping[str, Any], attempt: int
) -> dict[str, Any]:
    """A fresh file on the node for the container's last words."""
    path = node.paths.termination_log(uid_of(pod), container["name"], attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o666)
    inside = container.get("terminationMessagePath") or container_config.TERMINATION_PATH_DEFAULT
    return {"container_path": inside, "host_path": str(path)}


def termination_message(node: NodeContext, pod_uid: str, container: Container) -> str:
    """What a dead container left: the file, or by its policy the end of its log."""
    if TERMINATION_PATH not in container.annotations:
        return ""
    path = node.paths.termination_log(pod_uid, container.name, container.attempt)
    text = ""
    if path.is_file():
        with path.open("rb") as file:
            text = file.read(TERMINATION_MESSAGE_BYTES_MAX).decode("utf-8", "replace")
    policy = container.annotations.get(TERMINATION_POLICY)
    if not text and policy == "FallbackToLogsOnError" and container.exit_code != 0:
        return _log_tail(Path(container.log_path))
    return text


def _log_tail(path: Path) -> str:
    from mamekube.kubelet import logs

    if not path.is_file():
        return ""
    lines = logs.tail(path, TERMINATION_LOG_LINES_MAX)
    text = b"".join(line.content for line in lines).decode("utf-8", "replace")
    return text[-TERMINATION_LOG_BYTES_MAX:]


async def stop(
    node: NodeContext, kill: Kill, *, grace_s: int, pod_ip: str, events: PodEvents, spec: Mapping[str, Any]
) -> None:
    """End one container: preStop hook, then the process, both within the grace period. Raises RuntimeFailure."""
    container = kill.container
    regarding = {"name": container.name}
    events.normal("Killing", kill.message or f"Stopping container {container.name}", regarding)
    left_s = float(grace_s)
    handler = _pre_stop(container, spec)
    if handler and grace_s > 0:
        began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(grace_s):
                await hooks.run(handler, spec, container_id=container.id, pod_ip=pod_ip, runtime=node.runtime)
        except TimeoutError:
            pass
        except hooks.HookFailed:
            events.warning("FailedPreStopHook", "PreStopHook failed", regarding)
        left_s -= asyncio.get_running_loop().time() - began_s
        left_s = max(left_s, STOP_GRACE_MIN_S)
    await node.runtime.stop_container(container.id, grace_s=round(left_s))


def _pre_stop(container: Container, spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The hook of the spec, or else the one noted on the container when it was created."""
    declared: Mapping[str, Any] | None = (spec.get("lifecycle") or {}).get("preStop")
    if declared is None and PRE_STOP in container.annotations:
        noted: Mapping[str, Any] = orjson.loads(container.annotations[PRE_STOP])
        return noted
    return declared
