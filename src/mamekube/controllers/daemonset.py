"""DaemonSets: one pod on every node that is eligible."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.controllers import history, taints
from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import claim_objects, typed_reference
from mamekube.controllers.deployment.sizes import scaled_value
from mamekube.controllers.nodeselection import matches_node
from mamekube.controllers.podcontrol import PodController, pod_from_template
from mamekube.controllers.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from mamekube.controllers.runtime import Controller, Watch, itself, owner
from mamekube.foundation.limits import CREATE_BURST_MAX
from mamekube.kinds.apps.daemonsets import TEMPLATE_GENERATION
from mamekube.objects.meta import (
    Object,
    annotations_of,
    being_deleted,
    key_of,
    labels_of,
    metadata,
    name_of,
)
from mamekube.objects.selectors import from_label_selector

DAEMON_TOLERATIONS: tuple[dict[str, str], ...] = (
    {"key": taints.NOT_READY, "operator": "Exists", "effect": "NoExecute"},
    {"key": taints.UNREACHABLE, "operator": "Exists", "effect": "NoExecute"},
    {"key": taints.DISK_PRESSURE, "operator": "Exists", "effect": "NoSchedule"},
    {"key": taints.MEMORY_PRESSURE, "operator": "Exists", "effect": "NoSchedule"},
    {"key": taints.PID_PRESSURE, "operator": "Exists", "effect": "NoSchedule"},
    {"key": taints.UNSCHEDULABLE, "operator": "Exists", "effect": "NoSchedule"},
)
HOST_NETWORK_TOLERATION = {
    "key": taints.NETWORK_UNAVAILABLE,
    "operator": "Exists",
    "effect": "NoSchedule",
}

TEMPLATE_GENERATION_LABEL = "pod-template-generation"


@dataclass(slots=True)
class Actions:
    """Nodes that need a pod, pods that are not needed."""

    create: list[str] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    failed: list[Object] = field(default_factory=list)
    """Among those to delete: pods that have failed, so that another takes their place."""


def tolerations_for(template_spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The template's, and those that let daemons run where others may not."""
    known = list(template_spec.get("tolerations") or ())
    added = [*DAEMON_TOLERATIONS]
    if template_spec.get("hostNetwork"):
        added.append(HOST_NETWORK_TOLERATION)
    return known + [toleration for toleration in added if toleration not in known]


def should_run(daemon_set: Object, node: Object) -> tuple[bool, bool]:
    """(a pod should be started there, one that runs there may go on)."""
    spec = daemon_set["spec"]["template"].get("spec") or {}
    if not matches_node(spec, node):
        return False, False
    tolerations = tolerations_for(spec)
    start = taints.untolerated(taints.taints_of(node, "NoSchedule", "NoExecute"), tolerations) is None
    stay = taints.untolerated(taints.taints_of(node, "NoExecute"), tolerations) is None
    return start, stay


def target_node(pod: Object) -> str:
    """Where it runs, or the node that its affinity pins it to."""
    if podfacts.node_of(pod):
        return podfacts.node_of(pod)
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for entry in term.get("matchFields") or ():
            if entry.get("key") == "metadata.name" and entry.get("values"):
                return str(entry["values"][0])
    return ""


def by_node(pods: Iterable[Object]) -> dict[str, list[Object]]:
    result: dict[str, list[Object]] = {}
    for pod in pods:
        result.setdefault(target_node(pod), []).append(pod)
    return result


def is_current(pod: Object, digest: str) -> bool:
    return labels_of(pod).get(history.HASH_LABEL) == digest


def labels_for(daemon_set: Object, digest: str) -> dict[str, str]:
    """What tells a pod's template: its hash, and how many templates the DaemonSet had until this one."""
    generation = annotations_of(daemon_set).get(TEMPLATE_GENERATION)
    return {
        **({TEMPLATE_GENERATION_LABEL: generation} if generation is not None else {}),
        history.HASH_LABEL: digest,
    }


def plan(daemon_set: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> Actions:
    """One pod on each node that should have one, none elsewhere; of several the oldest stays."""
    actions = Actions()
    placed = by_node(pods)
    for node in nodes:
        start, stay = should_run(daemon_set, node)
        here = placed.pop(name_of(node), [])
        if not here:
            if start:
                actions.create.append(name_of(node))
            continue
        if not stay:
            actions.delete += [pod for pod in here if not being_deleted(pod)]
            continue
        alive = []
        for pod in here:
            if being_deleted(pod):
                continue
            if podfacts.phase_of(pod) == "Failed":
                actions.failed.append(pod)
                actions.delete.append(pod)
            else:
                alive.append(pod)
        alive.sort(key=lambda pod: (not podfacts.is_ready(pod), metadata(pod).get("creationTimestamp") or ""))
        if not _surges(daemon_set):
            actions.delete += alive[1:]
    # Pods of nodes that are gone are the pod garbage collector's.
    return actions


def _surges(daemon_set: Object) -> bool:
    return bool(scaled_value(_rolling(daemon_set).get("maxSurge", 0), 100, round_up=True))


def _rolling(daemon_set: Object) -> dict[str, Any]:
    return (daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}


def plan_update(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Sequence[Object],
    *,
    digest: str,
    now_s: float,
) -> Actions:
    """Replace pods of an older template: within maxUnavailable by deleting them, within maxSurge beside them."""
    actions = Actions()
    placed = by_node(pods)
    wanted = [node for node in nodes if should_run(daemon_set, node)[0]]
    count = len(wanted)
    max_surge = scaled_value(_rolling(daemon_set).get("maxSurge", 0), count, round_up=True)
    max_unavailable = scaled_value(_rolling(daemon_set).get("maxUnavailable", 1), count, round_up=True)
    min_ready_s = daemon_set["spec"].get("minReadySeconds") or 0

    def available(pod: Object) -> bool:
        alive = not being_deleted(pod)
        return alive and podfacts.is_available(pod, min_ready_s=min_ready_s, now_s=now_s)

    unavailable, surging = 0, 0
    candidates: list[Object] = []
    spare: list[str] = []
    for node in wanted:
        here = placed.get(name_of(node), [])
        fresh = [pod for pod in here if is_current(pod, digest) and not being_deleted(pod)]
        stale = [pod for pod in here if not is_current(pod, digest) and not being_deleted(pod)]
        served = any(map(available, [*fresh, *stale]))
        unavailable += not served
        if max_surge:
            if fresh and stale:
                surging += 1
                actions.delete += stale if any(map(available, fresh)) else []
            elif stale:
                (spare if served else actions.create).append(name_of(node))
        elif stale and not served:
            actions.delete += stale
        elif stale:
            candidates += stale
    if max_surge:
        actions.create += spare[: max(0, max_surge - surging - len(actions.create))]
    else:
        actions.delete += candidates[: max(0, max_unavailable - unavailable)]
    return actions


def status(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Sequence[Object],
    *,
    digest: str,
    collision_count: int,
    now_s: float,
) -> dict[str, Any]:
    placed = by_node(pods)
    numbers = dict.fromkeys(("desired", "current", "misscheduled", "ready", "updated", "available"), 0)
    min_ready_s = daemon_set["spec"].get("minReadySeconds") or 0
    for node in nodes:
        start, _ = should_run(daemon_set, node)
        here = sorted(placed.get(name_of(node), []), key=lambda pod: not podfacts.is_ready(pod))
        if not start:
            numbers["misscheduled"] += bool(here)
            continue
        numbers["desired"] += 1
        if not here:
            continue
        numbers["current"] += 1
        ready = [pod for pod in here if podfacts.is_ready(pod)]
        numbers["ready"] += bool(ready)
        numbers["available"] += any(
            podfacts.is_available(pod, min_ready_s=min_ready_s, now_s=now_s) for pod in ready
        )
        numbers["updated"] += any(is_current(pod, digest) for pod in here)
    return _described(daemon_set, numbers, collision_count)


def _described(daemon_set: Object, numbers: Mapping[str, int], collision_count: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "currentNumberScheduled": numbers["current"],
        "numberMisscheduled": numbers["misscheduled"],
        "desiredNumberScheduled": numbers["desired"],
        "numberReady": numbers["ready"],
    }
    optional = {
        "observedGeneration": metadata(daemon_set).get("generation", 0),
        "updatedNumberScheduled": numbers["updated"],
        "numberAvailable": numbers["available"],
        "numberUnavailable": numbers["desired"] - numbers["available"],
        "collisionCount": collision_count,
    }
    result.update({name: number for name, number in optional.items() if number})
    known = (daemon_set.get("status") or {}).get("conditions")
    if known:
        result["conditions"] = known
    return result


# The controller ---------------------------------------------------------------------------------------


def _all(controller: Controller, node: Object) -> Iterable[str]:
    return [key_of(daemon_set) for daemon_set in controller.cache(DAEMON_SETS).list()]


def _node_matters(old: Object, new: Object) -> bool:
    return labels_of(old) != labels_of(new) or taints.taints_of(old) != taints.taints_of(new)


class DaemonSetController(PodController):
    """Duty: one pod of each DaemonSet on every node that it selects and tolerates; new templates node by node.

    Woken by DaemonSets, their pods, and nodes whose labels or taints change.
    Invariants: pods are pinned to their node by affinity and bound by the scheduler; an update takes no more
    pods away than maxUnavailable says.
    """

    name = "daemonset-controller"
    account = "daemon-set-controller"
    resource = DAEMON_SETS
    watches = (
        Watch(resource=DAEMON_SETS, keys=itself),
        Watch(
            resource=PODS,
            keys=owner("DaemonSet"),
            indexes=podfacts.POD_INDEXES,
            observe=PodController.observe_pod,
        ),
        Watch(resource=NODES, keys=_all, matters=_node_matters),
        Watch(resource=CONTROLLER_REVISIONS, keys=owner("DaemonSet"), indexes=podfacts.OWNED_INDEXES),
    )
    spacing_s = 0.05

    async def reconcile(self, key: str) -> float | None:
        daemon_set = self.cache(DAEMON_SETS).get(key)
        if daemon_set is None:
            self.expectations.forget(key)
            return None
        if being_deleted(daemon_set):
            return None
        selector = from_label_selector(daemon_set["spec"].get("selector"))
        pods, revisions = await asyncio.gather(
            *(
                claim_objects(
                    self.client,
                    DAEMON_SETS,
                    daemon_set,
                    resource=resource,
                    selector=selector,
                    candidates=podfacts.owned_and_orphans(self.cache(resource), daemon_set, selector),
                )
                for resource in (PODS, CONTROLLER_REVISIONS)
            )
        )
        current, collisions = await history.current_revision(self.client, DAEMON_SETS, daemon_set, revisions)
        digest = history.label_of(current)
        nodes = self.cache(NODES).list()
        if self.expectations.satisfied(key):
            await self._manage(key, daemon_set, nodes, pods, digest=digest)
        await self._clean_up(daemon_set, revisions, pods, digest)
        wanted = status(
            daemon_set,
            nodes,
            pods,
            digest=digest,
            collision_count=collisions,
            now_s=self.clock.now(),
        )
        if wanted != daemon_set.get("status"):
            await self.client.update(DAEMON_SETS, {**daemon_set, "status": wanted}, subresource="status")
        min_ready_s = daemon_set["spec"].get("minReadySeconds") or 0
        return podfacts.next_available_s(pods, min_ready_s=min_ready_s, now_s=self.clock.now())

    async def _manage(
        self, key: str, daemon_set: Object, nodes: list[Object], pods: list[Object], *, digest: str
    ) -> None:
        actions = plan(daemon_set, nodes, pods)
        strategy = (daemon_set["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
        if strategy == "RollingUpdate" and not actions.create and not actions.delete:
            actions = plan_update(daemon_set, nodes, pods, digest=digest, now_s=self.clock.now())
        for pod in actions.failed:
            message = f"Found failed daemon pod {key_of(pod)} on node {target_node(pod)}, will try to kill it"
            self.record(daemon_set, "FailedDaemonPod", message, warning=True)
        doomed, nodes_without = actions.delete[:CREATE_BURST_MAX], actions.create[:CREATE_BURST_MAX]
        failure = await self.delete_pods(key, daemon_set, doomed) if doomed else None
        if nodes_without and failure is None:
            failure = await self.create_pods(
                key,
                daemon_set,
                len(nodes_without),
                lambda number: pod_for(daemon_set, nodes_without[number], digest),
            )
        if failure is not None:
            raise failure

    async def _clean_up(
        self, daemon_set: Object, revisions: list[Object], pods: list[Object], digest: str
    ) -> None:
        live = {digest, *(labels_of(pod).get(history.HASH_LABEL, "") for pod in pods)}
        limit = daemon_set["spec"].get("revisionHistoryLimit", 10)
        await history.clean_up(self.client, history.to_clean_up(revisions, live=live, limit=limit))


def pod_for(daemon_set: Object, node: str, digest: str) -> Object:
    """A pod of this template, pinned to the node; the scheduler binds it like any other."""
    template = daemon_set["spec"]["template"]
    pod = pod_from_template(template, daemon_set, typed_reference(DAEMON_SETS, daemon_set))
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **labels_for(daemon_set, digest)}
    spec = pod["spec"] = copy.deepcopy(pod["spec"])
    spec["tolerations"] = tolerations_for(spec)
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    pinned = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    terms = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [{**term, "matchFields": pinned} for term in terms]
    return pod
