"""Lifecycle hooks: postStart and preStop by exec, httpGet or sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mamekube.kubelet import probes
from mamekube.kubelet.runtime import Runtime, RuntimeFailure

HTTP_TIMEOUT_S = 30.0


class HookFailed(Exception):
    """The text is for the log of the node: a hook's output may hold secrets."""


async def run(
    handler: Mapping[str, Any],
    container: Mapping[str, Any],
    *,
    container_id: str,
    pod_ip: str,
    runtime: Runtime,
) -> None:
    """Run one hook to its end. Raises HookFailed."""
    if "exec" in handler:
        try:
            result = await runtime.exec_sync(container_id, handler["exec"].get("command") or [], timeout_s=0)
        except RuntimeFailure as failure:
            raise HookFailed(failure.wire) from failure
        if result.exit_code != 0:
            raise HookFailed(f"command exited with {result.exit_code}")
    elif "httpGet" in handler:
        action = handler["httpGet"]
        try:
            outcome = await probes.http_get(action, container, pod_ip=pod_ip, timeout_s=HTTP_TIMEOUT_S)
        except probes.PortUnknown as error:
            raise HookFailed(str(error)) from error
        if not outcome.ok:
            raise HookFailed(outcome.message)
    elif "sleep" in handler:
        await asyncio.sleep(handler["sleep"].get("seconds", 0))
