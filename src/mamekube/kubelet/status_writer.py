"""Writes PodStatus to the API server: the newest only, and only what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mamekube.client.client import Client
from mamekube.kubelet import api_resources as api
from mamekube.objects.meta import Object, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError

RETRY_S = 1.0
PATIENCE_S, PATIENCE_LIMIT_S = 1.0, 8.0
"""How long a state on the way to readiness is kept back: a pod that starts at once is written once.

Doubled with every such write in a row: what takes long is no news, and while many pods start at once each
write delays them all."""
REPLACED_LISTS = ("podIPs", "hostIPs")
"""Lists that strategic merge would merge by key, where the kubelet means the whole."""


def status_patch(old: Mapping[str, Any], new: Mapping[str, Any], *, uid: str) -> dict[str, Any] | None:
    """The strategic merge patch that turns the status `old` into `new`; None where nothing changed."""
    changes: dict[str, Any] = {key: None for key in ("reason", "message") if key in old and key not in new}
    for key, value in new.items():
        if old.get(key) == value:
            continue
        if key == "conditions":
            before = {item["type"]: item for item in old.get("conditions") or []}
            changed = [item for item in value if before.get(item["type"]) != item]
            if changed:
                changes[key] = [_replaced(before.get(item["type"]), item) for item in changed]
        elif key in REPLACED_LISTS and old.get(key):
            changes[key] = [*value, {"$patch": "replace"}]
        else:
            changes[key] = value
    return {"metadata": {"uid": uid}, "status": changes} if changes else None


def _replaced(before: Mapping[str, Any] | None, item: Mapping[str, Any]) -> dict[str, Any]:
    """A condition with the fields it no longer has set to null."""
    gone = {key: None for key in before or {} if key not in item}
    return {**gone, **item}


class StatusWriter:
    """One per pod. `set` never waits; what is set while a write is under way replaces what waited."""

    def __init__(self, client: Client, pod: Object) -> None:
        self._client = client
        self._resource = (namespace_of(pod), name_of(pod), uid_of(pod))
        self._known: dict[str, Any] = pod.get("status") or {}
        self._wanted: Callable[[], dict[str, Any]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()
        self._patience_s = PATIENCE_S

    def observe(self, pod: Object) -> None:
        """The API server's object has changed."""
        self._known = pod.get("status") or {}

    def set(self, status: dict[str, Any]) -> None:
        """Write it as soon as possible."""
        self._wanted = lambda: status
        self._patience_s = PATIENCE_S
        self._urgent.set()
        if self._is_idle() and status_patch(self._known, status, uid="") is not None:
            self._task = asyncio.create_task(self._write())

    def set_later(self, make_status: Callable[[], dict[str, Any]]) -> None:
        """Make and write it after a moment, unless another one has been set by then."""
        self._wanted = make_status
        if self._is_idle():
            self._urgent.clear()
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Wait until what was set last is written."""
        self._urgent.set()
        if self._task is not None:
            await self._task

    def _is_idle(self) -> bool:
        return self._task is None or self._task.done()

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _write(self) -> None:
        namespace, name, uid = self._resource
        while self._wanted is not None:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._urgent.wait()
            except TimeoutError:
                self._patience_s = min(self._patience_s * 2, PATIENCE_LIMIT_S)
            self._urgent.clear()
            wanted, self._wanted = self._wanted, None
            patch = status_patch(self._known, wanted(), uid=uid)
            if patch is None:
                continue
            try:
                answer = await self._client.patch(
                    api.PODS,
                    name,
                    patch,
                    namespace=namespace,
                    patch_type="strategic",
                    subresource="status",
                )
                self._known = answer.get("status") or {}
            except StatusError as error:
                if error.reason in ("NotFound", "Conflict", "Invalid", "Forbidden", "BadRequest"):
                    return  # another pod has the name now, or the pod is gone
                await asyncio.sleep(max(RETRY_S, error.retry_after_s))
                self._wanted = self._wanted or wanted
