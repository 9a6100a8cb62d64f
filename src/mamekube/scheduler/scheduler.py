"""The scheduler: gives every pod a node.

Duty: of the pods without a node take the most important, find it the best node (`cycle.schedule`, which is pure),
note at once that it runs there, and bind it in the background. What wakes it: pods, nodes, and whatever can make a
difference to a pod that found no node.

Invariants:

* A pod on its way to a node is in the cluster's picture and not in the queue; one without is in the queue only.
* Between two awaits the picture does not change, so a cycle needs no copy of it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator
from typing import Any

from mamekube.client.client import Client
from mamekube.client.events import NORMAL, WARNING, Recorder
from mamekube.client.informer import InformerFactory
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.metrics import Family
from mamekube.objects import conditions
from mamekube.objects.meta import (
    Object,
    being_deleted,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason
from mamekube.scheduler.cluster import Cluster
from mamekube.scheduler.cycle import Placement, Unplaced, schedule
from mamekube.scheduler.facts import PodFacts, read_pod
from mamekube.scheduler.laps import BIND, POST_FILTER, Laps
from mamekube.scheduler.metrics import ERROR, SCHEDULED, UNSCHEDULABLE, SchedulerMetrics
from mamekube.scheduler.preemption import Preemption, preempt
from mamekube.scheduler.queue import SchedulingQueue, Waiting
from mamekube.scheduler.siblings import Siblings

NAME = "default-scheduler"
PODS = Resource(group="", version="v1", plural="pods", kind="Pod")
NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
BUDGETS = Resource(group="policy", version="v1", plural="poddisruptionbudgets", kind="PodDisruptionBudget")
LIVING = "status.phase!=Succeeded,status.phase!=Failed"
"""Pods that hold resources."""

BINDINGS_AT_ONCE = 64
"""Enough to share the store's commits; further decisions wait."""
CYCLES_IN_A_ROW = 8
"""Decisions before others get a turn of the event loop."""
MESSAGE_LENGTH_MAX = 1024
"""Upstream: NoteLengthLimit of events."""

POD_LEFT = frozenset(("NodeResourcesFit", "NodePorts", "InterPodAffinity", "PodTopologySpread"))
"""Filters that may think otherwise once a pod has left a node."""
NODE_CHANGES = ("UpdateNodeTaint", "UpdateNodeAllocatable", "UpdateNodeLabel", "UpdateNodeTaint")
"""Upstream takes a node that may be scheduled on again for one that has lost a taint."""
POD_CAME = frozenset(("InterPodAffinity", "PodTopologySpread"))

log = logging.getLogger(__name__)


class Scheduler(Component):
    def __init__(self, client: Client, clock: Clock, *, name: str = NAME) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.queue = SchedulingQueue()
        self._client = client
        self._clock = clock
        self._name = name
        self._informers = InformerFactory(client)
        self._siblings = Siblings(self._informers)
        self._budgets = self._informers.informer(BUDGETS).cache
        self._recorder = Recorder(client, clock, component=name)
        self._bindings = asyncio.Semaphore(BINDINGS_AT_ONCE)
        self._assumed: set[str] = set()
        self._search_start = 0
        self._random = random.Random()
        self._metrics = SchedulerMetrics(name)

    async def start(self) -> None:
        self._informers.informer(NAMESPACES).subscribe(self._on_namespace)
        self._informers.informer(NODES).subscribe(self._on_node)
        self._informers.informer(PODS, field_selector=LIVING).subscribe(self._on_pod)
        await self._recorder.__aenter__()
        await self._informers.__aenter__()
        self.spawn(self._informers.wait())
        self.spawn(self._run(), name="scheduler")

    async def stop(self) -> None:
        self.queue.close()
        await self._informers.__aexit__(None, None, None)
        await self._recorder.__aexit__(None, None, None)

    def idle(self) -> bool:
        """No pod is on its way to a node."""
        return not self._assumed and self._recorder.idle()

    def families(self) -> Iterator[Family]:
        """What `/metrics` says of it."""
        return self._metrics.families(self.queue)

    # What happens in the cluster ----------------------------------------------------------------

    def _on_namespace(self, type: str, old: Object | None, new: Object | None) -> None:
        namespace = new or old or {}
        if type == "DELETED":
            self.cluster.namespaces.pop(name_of(namespace), None)
            return
        self.cluster.namespaces[name_of(namespace)] = labels_of(namespace)
        if old is not None and labels_of(old) != labels_of(namespace):
            self.queue.move(frozenset(("InterPodAffinity",)), event="NamespaceUpdate")

    def _on_node(self, type: str, old: Object | None, new: Object | None) -> None:
        node = new or old or {}
        if type == "DELETED":
            self.cluster.remove_node(name_of(node))
            return
        self.cluster.set_node(node)
        if old is None:
            self.queue.move(event="NodeAdd")
        elif changes := _changes_for_filters(old, node):
            self.queue.move(event=f"Node{changes[0]}")

    def _on_pod(self, type: str, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        if type == "DELETED":
            self._forget(pod)
        elif (pod.get("spec") or {}).get("nodeName"):
            self._note_placed(pod, old)
        elif self._is_ours(pod) and self.cluster.placed(uid_of(pod)) is None:
            self._enqueue(pod, old)

    def _forget(self, pod: Object) -> None:
        uid = uid_of(pod)
        self.queue.discard(uid)
        self.cluster.nominated.pop(uid, None)
        if self.cluster.displace(uid) is not None:
            self.queue.move(POD_LEFT, event="AssignedPodDelete")

    def _note_placed(self, pod: Object, old: Object | None) -> None:
        uid = uid_of(pod)
        before = self.cluster.placed(uid)
        self.queue.discard(uid)
        self.cluster.nominated.pop(uid, None)
        self.cluster.place(read_pod(pod))
        if before is None:
            self.queue.move(POD_CAME, event="AssignedPodAdd")
        elif old is not None and labels_of(old) != labels_of(pod):
            self.queue.move(POD_LEFT, event="AssignedPodUpdatePodLabel")
        elif old is not None and before.requests != read_pod(pod).requests:
            self.queue.move(POD_LEFT, event="AssignedPodUpdatePodScaleDown")

    def _enqueue(self, pod: Object, old: Object | None) -> None:
        facts = read_pod(pod)
        if being_deleted(pod):
            self.queue.discard(facts.uid)
        elif old is not None and _what_scheduling_sees(old) == _what_scheduling_sees(pod):
            self.queue.replace(facts)
        else:
            self.queue.add(facts)
        self._note_nominated(facts, (pod.get("status") or {}).get("nominatedNodeName", ""))

    def _note_nominated(self, facts: PodFacts, node_name: str) -> None:
        if node_name:
            self.cluster.nominated[facts.uid] = read_pod(facts.pod, node_name=node_name)
        else:
            self.cluster.nominated.pop(facts.uid, None)

    def _is_ours(self, pod: Object) -> bool:
        return (pod.get("spec") or {}).get("schedulerName", NAME) == self._name

    # One pod after the other ---------------------------------------------------------------------

    async def _run(self) -> None:
        await self._informers.synced()
        in_a_row = 0
        while True:
            waiting = await self.queue.take()
            await self._bindings.acquire()
            self._decide(waiting)
            in_a_row += 1
            if in_a_row == CYCLES_IN_A_ROW:
                in_a_row = 0
                await asyncio.sleep(0)

    def _decide(self, waiting: Waiting) -> None:
        """Place one pod, as far as it goes without waiting; the slot among the bindings is given back later."""
        facts, began_s, laps = waiting.facts, time.perf_counter(), Laps()
        facts.siblings = self._siblings.of(facts.pod)
        try:
            decision = schedule(facts, self.cluster, start=self._search_start, choose=self._random, laps=laps)
        except Exception as error:
            # A pod that cannot even be understood must not keep the others waiting.
            log.exception("%s: the scheduling cycle failed", facts.key)
            self._metrics.note_attempt(ERROR, time.perf_counter() - began_s)
            self.queue.retry(waiting)
            self.spawn(self._report(facts, "SchedulerError", str(error)))
            return
        self._search_start += 1
        for point, took_s in laps.took_s.items():
            self._metrics.note_point(point, took_s)
        if isinstance(decision, Placement):
            placed = read_pod(facts.pod, node_name=decision.node_name)
            self._assumed.add(facts.uid)
            self.cluster.place(placed)
            self.spawn(self._bind(waiting, placed, began_s))
        else:
            self._fail(waiting, decision)
            self._metrics.note_attempt(UNSCHEDULABLE, time.perf_counter() - began_s)

    async def _bind(self, waiting: Waiting, placed: PodFacts, began_s: float) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {
                "name": name_of(placed.pod),
                "namespace": placed.namespace,
                "uid": placed.uid,
            },
            "target": {"kind": "Node", "name": placed.node_name},
        }
        asked_s = time.perf_counter()
        try:
            await self._client.create(
                PODS, binding, namespace=placed.namespace, name=name_of(placed.pod), subresource="binding"
            )
        except StatusError as error:
            self._metrics.note_point(BIND, time.perf_counter() - asked_s, status="Error")
            self._metrics.note_attempt(ERROR, time.perf_counter() - began_s)
            self._unbind(waiting, placed, error)
        else:
            self._metrics.note_point(BIND, time.perf_counter() - asked_s)
            self._metrics.note_attempt(SCHEDULED, time.perf_counter() - began_s)
            waited_s = asyncio.get_running_loop().time() - waiting.added_s
            self._metrics.note_bound(attempts=waiting.attempts, waited_s=waited_s)
            message = f"Successfully assigned {placed.key} to {placed.node_name}"
            self._recorder.event(placed.pod, NORMAL, "Scheduled", message)
        finally:
            self._assumed.discard(placed.uid)
            self._bindings.release()

    def _unbind(self, waiting: Waiting, placed: PodFacts, error: StatusError) -> None:
        """The API server refused, or did not answer: the pod is where it was, or gone, or bound all the same."""
        if self.cluster.placed(placed.uid) is not placed:
            return
        self.cluster.displace(placed.uid)
        self.queue.move(POD_LEFT, event="AssignedPodDelete")
        if is_reason(error, "NotFound"):
            return
        self._assumed.discard(placed.uid)
        self.queue.retry(waiting)
        message = f'binding rejected: running Bind plugin "DefaultBinder": {error.message}'
        self.spawn(self._report(waiting.facts, "SchedulerError", message, slot=False))

    # Where there is no node ----------------------------------------------------------------------

    def _fail(self, waiting: Waiting, unplaced: Unplaced) -> None:
        facts = waiting.facts
        self.queue.put_back(waiting, unplaced.plugins)
        outcome = self._preempt(facts, unplaced) if unplaced.refusals else ""
        if isinstance(outcome, Preemption):
            self._note_nominated(facts, outcome.node_name)
            self.spawn(self._evict(facts, outcome, unplaced.message()))
        else:
            self._note_nominated(facts, "")
            self.spawn(self._report(facts, "Unschedulable", unplaced.message(outcome), nominated=""))

    def _preempt(self, facts: PodFacts, unplaced: Unplaced) -> Preemption | str:
        """Look for room that others could make."""
        began_s = time.perf_counter()
        outcome = preempt(facts, self.cluster, unplaced, budgets=self._budgets.list())
        victims = outcome.victims if isinstance(outcome, Preemption) else ()
        took_s = time.perf_counter() - began_s
        self._metrics.note_point(POST_FILTER, took_s, status="Success" if victims else "Unschedulable")
        self._metrics.note_preemption(len(victims))
        return outcome

    async def _evict(self, facts: PodFacts, preemption: Preemption, message: str) -> None:
        """Nominate the node, then make room on it."""
        await self._report(facts, "Unschedulable", message, nominated=preemption.node_name)
        for victim in preemption.victims:
            try:
                await self._evict_one(facts, victim, preemption.node_name)
            except StatusError as error:
                if not is_reason(error, "NotFound"):
                    log.warning("%s: preempting %s: %s", facts.key, victim.key, error.message)

    async def _evict_one(self, facts: PodFacts, victim: PodFacts, node_name: str) -> None:
        if victim.being_deleted:
            return
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{self._name}: preempting to accommodate a higher priority pod",
            "lastProbeTime": None,
            "lastTransitionTime": self._clock.timestamp(),
            "observedGeneration": metadata(victim.pod).get("generation", 0),
        }
        await self._patch_status(victim.pod, {"conditions": [condition]})
        await self._client.delete(PODS, name_of(victim.pod), namespace=victim.namespace, uid=victim.uid)
        message = f"Preempted by pod {facts.uid} on node {node_name}"
        self._recorder.event(victim.pod, NORMAL, "Preempted", message)

    async def _report(
        self, facts: PodFacts, reason: str, message: str, *, nominated: str | None = None, slot: bool = True
    ) -> None:
        """Tell users, by an event and by the pod's condition, why it has no node."""
        try:
            note = (
                message if len(message) <= MESSAGE_LENGTH_MAX else f"{message[: MESSAGE_LENGTH_MAX - 4]} ..."
            )
            self._recorder.event(facts.pod, WARNING, "FailedScheduling", note)
            patch = self._status_patch(facts.pod, reason, message, nominated)
            if patch:
                await self._patch_status(facts.pod, patch)
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                log.warning("%s: noting why it has no node: %s", facts.key, error.message)
        finally:
            if slot:
                self._bindings.release()

    def _status_patch(self, pod: Object, reason: str, message: str, nominated: str | None) -> dict[str, Any]:
        """What of the status has to change; nothing where it says so already."""
        patch: dict[str, Any] = {}
        old = conditions.find(conditions.conditions_of(pod), "PodScheduled") or {}
        wanted = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        if any(old.get(name) != value for name, value in wanted.items()):
            now = self._clock.timestamp()
            changed = now if old.get("status") != "False" else old.get("lastTransitionTime", now)
            wanted |= {"lastProbeTime": None, "lastTransitionTime": changed}  # type: ignore[dict-item]
            if "generation" in metadata(pod):
                wanted["observedGeneration"] = metadata(pod)["generation"]
            patch["conditions"] = [wanted]
        if nominated is not None and nominated != (pod.get("status") or {}).get("nominatedNodeName", ""):
            patch["nominatedNodeName"] = nominated or None
        return patch

    async def _patch_status(self, pod: Object, status: dict[str, Any]) -> None:
        await self._client.patch(
            PODS,
            name_of(pod),
            {"metadata": {"uid": uid_of(pod)}, "status": status},
            namespace=namespace_of(pod),
            patch_type="strategic",
            subresource="status",
        )


def _changes_for_filters(old: Object, new: Object) -> list[str]:
    """What changed of all that a filter looks at, by upstream's names and in its order: a heartbeat helps no pod."""
    seen = zip(_what_filters_see(old), _what_filters_see(new), strict=True)
    return [name for name, (before, after) in zip(NODE_CHANGES, seen, strict=True) if before != after]


def _what_filters_see(node: Object) -> tuple[Any, ...]:
    """In the order of `NODE_CHANGES`."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return spec.get("unschedulable"), status.get("allocatable"), labels_of(node), spec.get("taints")


def _what_scheduling_sees(pod: Object) -> tuple[Any, ...]:
    """Everything of a pod that decides where it can run: what the scheduler itself writes is not."""
    return (
        labels_of(pod),
        pod.get("spec"),
        being_deleted(pod),
        (pod.get("status") or {}).get("resourceClaimStatuses"),
    )
