"""Registers the node, and keeps its status and its lease.

The lease says every ten seconds that the node is alive; the status is written when it changes, and every five
minutes otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.kubelet import api_resources as api
from mamekube.kubelet.events import NORMAL, Recorder
from mamekube.kubelet.node_status import NodeFacts, node_object, node_status, ready_verdict
from mamekube.kubelet.runtime import Image, Runtime, RuntimeCondition, RuntimeFailure
from mamekube.objects.meta import Object, labels_of
from mamekube.objects.status import StatusError

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_S = 40
LEASE_PERIOD_S = 10.0
STATUS_PERIOD_S = 300.0
CHECK_PERIOD_S = 10.0
RETRY_S = 0.02
RETRY_LIMIT_S = 0.5
"""How soon registration is tried again. Upstream waits up to 7 s, and its cluster's start with it."""
HEARTBEATS = ("lastHeartbeatTime",)


class NodeKeeper(Component):
    """Ready means: the runtime says that it and its network are, and this was written to the API server."""

    def __init__(
        self, facts: NodeFacts, client: Client, runtime: Runtime, clock: Clock, recorder: Recorder
    ) -> None:
        super().__init__()
        self._facts = facts
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._recorder = recorder
        self._node: Object = {}
        self._wrote_s = 0.0
        self._was_ready: bool | None = None
        self._check_now = asyncio.Event()
        self._registered = asyncio.Event()
        self.on_runtime_change: Callable[[], None] = lambda: None

    @property
    def node(self) -> Object:
        """As last answered by the API server."""
        return self._node

    async def start(self) -> None:
        self.spawn(self._keep_status(), name="node status")
        self.spawn(self._keep_lease(), name="node lease")

    def check(self) -> None:
        """The runtime came or went: look at once."""
        self._check_now.set()

    def event(self, reason: str, message: str, *, kind: str = NORMAL) -> None:
        name = self._facts.name
        # The uid of a node in events is its name, as upstream's kubelet writes it.
        self._recorder.event({"kind": "Node", "name": name, "uid": name}, kind, reason, message)

    async def _keep_status(self) -> None:
        await self._register()
        self._registered.set()
        while True:
            try:
                await self._update_status()
                delay_s = CHECK_PERIOD_S if self._was_ready else 1.0
            except StatusError as error:
                log.warning("node status: %s", error.message)
                delay_s = 1.0
                if error.reason == "NotFound":
                    await self._register()
            self._check_now.clear()
            try:
                async with asyncio.timeout(delay_s):
                    await self._check_now.wait()
            except TimeoutError:
                pass

    async def _register(self) -> None:
        """Create the Node with its first status, or take over the one that is there."""
        self.event("Starting", "Starting kubelet.")
        delay_s = RETRY_S
        wanted = node_object(self._facts)
        wanted["status"] = await self._make_status({})
        while True:
            try:
                self._node = await self._client.create(api.NODES, wanted)
                self._note_written(self._node.get("status") or {})
                return
            except StatusError as error:
                if error.reason == "AlreadyExists":
                    break
                log.warning("the node cannot be registered yet: %s", error.message)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_LIMIT_S)
        self._node = await self._client.get(api.NODES, self._facts.name)
        await self._take_over(wanted)

    async def _take_over(self, wanted: Object) -> None:
        """Labels that the kubelet owns, and the pod range, on a Node that was there before."""
        labels = {
            key: value for key, value in labels_of(wanted).items() if labels_of(self._node).get(key) != value
        }
        patch: dict[str, Any] = {"metadata": {"labels": labels}} if labels else {}
        if self._facts.pod_cidr and not (self._node.get("spec") or {}).get("podCIDR"):
            patch["spec"] = wanted["spec"]
        if patch:
            self._node = await self._client.patch(api.NODES, self._facts.name, patch)

    async def _make_status(self, old: dict[str, Any]) -> dict[str, Any]:
        conditions: list[RuntimeCondition] | str
        images: list[Image] = []
        try:
            conditions, images = await asyncio.gather(self._runtime.conditions(), self._runtime.images())
        except RuntimeFailure as failure:
            conditions = failure.message
        status = node_status(
            self._facts, conditions=conditions, images=images, old=old, now_s=self._clock.now()
        )
        self._verdict = ready_verdict(conditions)
        return status

    async def _update_status(self) -> None:
        old = self._node.get("status") or {}
        status = await self._make_status(old)
        due = self._clock.now() - self._wrote_s >= STATUS_PERIOD_S
        if not due and _without_heartbeats(status) == _without_heartbeats(old):
            return
        patch = {"status": {key: value for key, value in status.items() if old.get(key) != value}}
        if "addresses" in patch["status"] and old.get("addresses"):
            patch["status"]["addresses"] = [*status["addresses"], {"$patch": "replace"}]
        self._node = await self._client.patch(
            api.NODES, self._facts.name, patch, patch_type="strategic", subresource="status"
        )
        self._note_written(status)

    def _note_written(self, status: dict[str, Any]) -> None:
        self._wrote_s = self._clock.now()
        ready = any(
            item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or []
        )
        if ready != self._was_ready:
            name, word = self._facts.name, "NodeReady" if ready else "NodeNotReady"
            if ready or self._was_ready:
                self.event(word, f"Node {name} status is now: {word}")
            self._was_ready = ready
            self.on_runtime_change()

    async def _keep_lease(self) -> None:
        await self._registered.wait()
        lease: Object | None = None
        while True:
            try:
                lease = await self._renew(lease)
                delay_s = LEASE_PERIOD_S
            except StatusError as error:
                lease, delay_s = None, 1.0
                if error.reason not in ("NotFound", "Conflict"):
                    log.warning("node lease: %s", error.message)
            await asyncio.sleep(delay_s)

    async def _renew(self, lease: Object | None) -> Object:
        name, now = self._facts.name, self._clock.timestamp_micro()
        if lease is None:
            try:
                lease = await self._client.get(api.LEASES, name, namespace=LEASE_NAMESPACE)
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
        if lease is None:
            return await self._client.create(api.LEASES, self._new_lease(now), namespace=LEASE_NAMESPACE)
        spec = {**lease["spec"], "renewTime": now, "holderIdentity": name}
        return await self._client.update(api.LEASES, {**lease, "spec": spec})

    def _new_lease(self, now: str) -> Object:
        name = self._facts.name
        meta: dict[str, Any] = {"name": name, "namespace": LEASE_NAMESPACE}
        uid = (self._node.get("metadata") or {}).get("uid")
        if uid:
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
            meta["ownerReferences"] = [owner]
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": meta,
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": LEASE_DURATION_S,
                "renewTime": now,
            },
        }


def _without_heartbeats(status: dict[str, Any]) -> dict[str, Any]:
    conditions = [
        {key: value for key, value in item.items() if key not in HEARTBEATS}
        for item in status.get("conditions") or []
    ]
    return {**status, "conditions": sorted(conditions, key=lambda item: str(item["type"]))}
