"""Nodes that stop answering: their conditions become Unknown, they are tainted, their pods are not Ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers import taints
from mamekube.controllers.podcontrol import all_of
from mamekube.controllers.resources import LEASES, NODES, PODS
from mamekube.controllers.runtime import Context, Controller, Watch, itself, nobody
from mamekube.foundation.metrics import STABLE, Family
from mamekube.objects import conditions
from mamekube.objects.meta import Object, edited, labels_of, metadata, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError, is_reason

PERIOD_S = 5.0
"""Upstream: --node-monitor-period."""
GRACE_S = 50.0
"""Without a sign of life for this long a node is Unknown. Upstream: --node-monitor-grace-period."""
STARTUP_GRACE_S = 60.0
"""The same for a node that has never reported. Upstream: --node-startup-grace-period."""

LEASE_NAMESPACE = "kube-node-lease"
WATCHED_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

CONDITION_TAINTS: Mapping[tuple[str, str], str] = {
    ("Ready", "False"): taints.NOT_READY,
    ("Ready", "Unknown"): taints.UNREACHABLE,
    ("MemoryPressure", "True"): taints.MEMORY_PRESSURE,
    ("DiskPressure", "True"): taints.DISK_PRESSURE,
    ("NetworkUnavailable", "True"): taints.NETWORK_UNAVAILABLE,
    ("PIDPressure", "True"): taints.PID_PRESSURE,
}
NO_SCHEDULE_KEYS = frozenset((*CONDITION_TAINTS.values(), taints.UNSCHEDULABLE))
NO_EXECUTE_KEYS = frozenset((taints.NOT_READY, taints.UNREACHABLE))
REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"


@dataclass(slots=True)
class Health:
    """The last sign of life of a node, by our own clock: the node's may be wrong."""

    seen_s: float
    signs: tuple[str, ...]
    mark_pods: bool = False
    """Its pods have still to be marked as not Ready."""


@dataclass(slots=True)
class Actions:
    """What to write of one node."""

    conditions: list[dict[str, Any]] | None = None
    taints: list[dict[str, Any]] | None = None
    lost: bool = False
    """Ready until now, and no longer."""


def ready_status(node: Object) -> str:
    condition = conditions.find(conditions.conditions_of(node), "Ready")
    return str(condition.get("status")) if condition is not None else ""


def signs_of_life(node: Object, lease: Object | None) -> tuple[str, ...]:
    """Whatever the kubelet renews; any difference is a sign of life."""
    ready = conditions.find(conditions.conditions_of(node), "Ready") or {}
    renewed = ((lease or {}).get("spec") or {}).get("renewTime", "")
    return ready.get("lastHeartbeatTime", ""), renewed


def silent_conditions(node: Object, *, now: str) -> list[dict[str, Any]]:
    """The node's conditions when nothing has been heard of it."""
    known = conditions.conditions_of(node)
    result = [dict(condition) for condition in known]
    for kind in WATCHED_CONDITIONS:
        old = conditions.find(known, kind)
        if old is not None and old.get("status") == "Unknown":
            continue
        entry: dict[str, Any] = {"type": kind, "status": "Unknown"}
        if old is None:
            entry["reason"] = "NodeStatusNeverUpdated"
            entry["message"] = "Kubelet never posted node status."
            entry["lastHeartbeatTime"] = metadata(node).get("creationTimestamp", now)
        else:
            entry["reason"] = "NodeStatusUnknown"
            entry["message"] = "Kubelet stopped posting node status."
            entry["lastHeartbeatTime"] = old.get("lastHeartbeatTime", now)
        entry["lastTransitionTime"] = now
        result = conditions.replaced(result, entry, now=now)
    return result


def wanted_taints(node: Object, *, evict: bool, now: str) -> list[dict[str, Any]]:
    """The node's taints, with those that follow from its conditions. `evict`: whether they may drive pods away."""
    known = taints.taints_of(node)
    described = conditions.conditions_of(node)
    keys = [
        key
        for (kind, status), key in CONDITION_TAINTS.items()
        if (conditions.find(described, kind) or {}).get("status") == status
    ]
    wanted = [(key, taints.NO_SCHEDULE) for key in keys]
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append((taints.UNSCHEDULABLE, taints.NO_SCHEDULE))
    if evict:
        wanted += [(key, taints.NO_EXECUTE) for key in keys if key in NO_EXECUTE_KEYS]
    result = [taint for taint in known if not _is_ours(taint) or (taint["key"], taint["effect"]) in wanted]
    present = {(taint["key"], taint["effect"]) for taint in result}
    result += [
        {"key": key, "effect": effect, "timeAdded": now}
        for key, effect in wanted
        if (key, effect) not in present
    ]
    return result


def _is_ours(taint: Mapping[str, Any]) -> bool:
    keys = {taints.NO_SCHEDULE: NO_SCHEDULE_KEYS, taints.NO_EXECUTE: NO_EXECUTE_KEYS}
    return taint.get("key") in keys.get(str(taint.get("effect")), ())


def plan(node: Object, health: Health, *, others_ready: bool, now_s: float, now: str) -> Actions:
    """What the node's silence, or its words, mean.

    `others_ready`: whether any other node is Ready. If none is, the fault is more likely ours, or everyone's, and
    driving pods away would have nowhere to drive them.
    """
    actions = Actions()
    grace_s = GRACE_S if ready_status(node) else STARTUP_GRACE_S
    if now_s - health.seen_s > grace_s:
        silent = silent_conditions(node, now=now)
        if silent != conditions.conditions_of(node):
            actions.conditions = silent
            actions.lost = ready_status(node) == "True"
            node = edited(node, ("status", "conditions"), silent)
    evict = others_ready and ready_status(node) != "True"
    wanted = wanted_taints(node, evict=evict, now=now)
    if wanted != taints.taints_of(node):
        actions.taints = wanted
    return actions


def drives_away(entries: list[dict[str, Any]]) -> bool:
    """Whether these taints say that a node's pods have to go because the node does not answer."""
    return any(
        one.get("effect") == taints.NO_EXECUTE and one.get("key") in NO_EXECUTE_KEYS for one in entries
    )


def zone_of(node: Object) -> str:
    """Region and zone in one word, as upstream's metrics have it; nothing for a node that has neither."""
    labels = labels_of(node)
    region, zone = labels.get(REGION, ""), labels.get(ZONE, "")
    return f"{region}:\x00:{zone}" if region or zone else ""


def _node_matters(old: Object, new: Object) -> bool:
    fields = ("taints", "unschedulable")
    return any(
        (old.get("spec") or {}).get(field) != (new.get("spec") or {}).get(field) for field in fields
    ) or _statuses(old) != _statuses(new)


def _statuses(node: Object) -> list[tuple[str, str]]:
    return [(entry["type"], entry["status"]) for entry in conditions.conditions_of(node)]


class NodeLifecycleController(Controller):
    """Duty: notice nodes that have fallen silent, taint nodes as their conditions say, and keep pods of silent
    nodes out of services.

    Woken by nodes, and every five seconds per node; leases are only read.
    Invariants: silence is measured by our own clock, from what we last saw change; while no node at all is Ready,
    no node gets a taint that drives pods away.
    """

    name = "node-controller"
    account = "node-controller"
    watches = (
        Watch(resource=NODES, keys=itself, matters=_node_matters),
        Watch(resource=LEASES, keys=nobody),
        Watch(resource=PODS, keys=nobody, indexes=podfacts.POD_INDEXES),
    )
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.health: dict[str, Health] = {}
        self.ready: set[str] = set()
        """Names of nodes that were Ready when last looked at."""
        self._evictions: Counter[str] = Counter()
        """By zone: of how many nodes all pods had to go."""

    def families(self) -> Iterator[Family]:
        text = "Number of Node evictions that happened since current instance of NodeController started."
        family = Family("node_collector_evictions_total", "counter", text, labels=["zone"], stability=STABLE)
        for zone, count in self._evictions.items():
            family.add([zone], count)
        yield family

    async def reconcile(self, key: str) -> float | None:
        node = self.cache(NODES).get(key)
        if node is None:
            self._forget(key)
            return None
        health = self._observe(node)
        actions = plan(
            node,
            health,
            others_ready=bool(self.ready - {key}),
            now_s=self.clock.now(),
            now=self.clock.timestamp(),
        )
        if actions.conditions is not None:
            status = {**(node.get("status") or {}), "conditions": actions.conditions}
            node = await self.client.update(NODES, {**node, "status": status}, subresource="status")
            health.mark_pods |= actions.lost
            if actions.lost:
                self.record(node, "NodeNotReady", f"Node {key} status is now: NodeNotReady")
        self._note_ready(key, ready_status(node) == "True")
        if actions.taints is not None:
            wanted = edited(node, ("spec", "taints"), actions.taints or None)
            await self.client.update(NODES, wanted)
            if drives_away(actions.taints) and not drives_away(taints.taints_of(node)):
                self._evictions[zone_of(node)] += 1
        if health.mark_pods:
            await self._mark_pods(key)
            health.mark_pods = False
        return PERIOD_S

    def _observe(self, node: Object) -> Health:
        name = name_of(node)
        lease = self.cache(LEASES).get(f"{LEASE_NAMESPACE}/{name}")
        signs = signs_of_life(node, lease)
        health = self.health.get(name)
        if health is None:
            self.record(node, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
            health = self.health[name] = Health(self.clock.now(), signs)
            self._evictions[zone_of(node)] += 0
        elif signs != health.signs:
            health.seen_s, health.signs = self.clock.now(), signs
        return health

    def _note_ready(self, name: str, ready: bool) -> None:
        """A first Ready node, or the last one lost, changes what every other node's taints should be."""
        had = bool(self.ready)
        (self.ready.add if ready else self.ready.discard)(name)
        if had != bool(self.ready):
            for other in self.health:
                if other != name:
                    self.queue.add(other)

    def _forget(self, name: str) -> None:
        if self.health.pop(name, None) is not None:
            gone = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}
            self.record(gone, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
        self._note_ready(name, False)

    async def _mark_pods(self, node: str) -> None:
        pods = self.cache(PODS).by_index(podfacts.NODE, node)
        failure = await all_of([self._mark_pod(pod) for pod in pods])
        if failure is not None:
            raise failure

    async def _mark_pod(self, pod: Object) -> None:
        ready = conditions.find(conditions.conditions_of(pod), "Ready")
        if ready is None or ready.get("status") != "True":
            return
        entry = {**ready, "status": "False", "lastTransitionTime": self.clock.timestamp()}
        patch = {"metadata": {"uid": uid_of(pod)}, "status": {"conditions": [entry]}}
        try:
            await self.client.patch(
                PODS,
                name_of(pod),
                patch,
                namespace=namespace_of(pod),
                patch_type="strategic",
                subresource="status",
            )
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return
            raise
        self.record(pod, "NodeNotReady", "Node is not ready", warning=True)
