"""What to do next for one StatefulSet: which ordinals to create, replace and delete, and in what order. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.deployment.sizes import scaled_value
from mamekube.controllers.history import HASH_LABEL
from mamekube.objects.meta import Object, being_deleted, labels_of, metadata, name_of


@dataclass(slots=True)
class Plan:
    """In this order: create, then delete."""

    create: list[tuple[int, str]] = field(default_factory=list)
    """(ordinal, name of the revision whose template it gets)"""
    delete: list[Object] = field(default_factory=list)
    recreating: list[Object] = field(default_factory=list)
    """Among those to delete: pods that have ended, and whose ordinal is wanted."""
    again_s: float | None = None


def ordinal_of(pod: Object) -> int | None:
    match = re.fullmatch(r".*-(\d+)", name_of(pod))
    return int(match.group(1)) if match else None


def first_ordinal(stateful_set: Object) -> int:
    return int((stateful_set["spec"].get("ordinals") or {}).get("start", 0))


def replicas_of(stateful_set: Object) -> int:
    return int(stateful_set["spec"].get("replicas", 1))


def ordinals(stateful_set: Object) -> range:
    """Those that are wanted."""
    start = first_ordinal(stateful_set)
    return range(start, start + replicas_of(stateful_set))


def revision_of(pod: Object) -> str:
    return str(labels_of(pod).get(HASH_LABEL, ""))


def partition_of(stateful_set: Object) -> int:
    return int(_rolling(stateful_set).get("partition", 0))


def _rolling(stateful_set: Object) -> Mapping[str, Any]:
    return (stateful_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}


def is_rolling(stateful_set: Object) -> bool:
    strategy = stateful_set["spec"].get("updateStrategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def plan(stateful_set: Object, pods: Sequence[Object], *, current: str, update: str, now_s: float) -> Plan:
    """`current` and `update` are the names of the revisions that the update leads from and to."""
    wanted = ordinals(stateful_set)
    ordered = stateful_set["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    by_ordinal = {ordinal: pod for pod in pods if (ordinal := ordinal_of(pod)) is not None}
    result = Plan()
    pace = _Pace(stateful_set, ordered=ordered, now_s=now_s)
    if not _fill(
        result,
        wanted,
        by_ordinal,
        pace,
        boundary=wanted.start + partition_of(stateful_set),
        revisions=(current, update),
    ):
        result.again_s = pace.again_s
        return result
    condemned = [by_ordinal[ordinal] for ordinal in sorted(by_ordinal, reverse=True) if ordinal not in wanted]
    if not _condemn(result, condemned, wanted, by_ordinal, pace):
        result.again_s = pace.again_s
        return result
    if is_rolling(stateful_set) and not result.create and not result.delete:
        alive = [by_ordinal[ordinal] for ordinal in wanted if ordinal in by_ordinal]
        _replace(result, stateful_set, alive, update=update, pace=pace)
    result.again_s = pace.again_s
    return result


class _Pace:
    """What counts as healthy, and whether one step must wait for another."""

    def __init__(self, stateful_set: Object, *, ordered: bool, now_s: float) -> None:
        self.ordered = ordered
        self.now_s = now_s
        self.min_ready_s = int(stateful_set["spec"].get("minReadySeconds") or 0)
        self.again_s: float | None = None

    def healthy(self, pod: Object) -> bool:
        """Running, Ready, for long enough, and not on its way out. Notes when a Ready pod will be."""
        if being_deleted(pod) or podfacts.phase_of(pod) != "Running":
            return False
        wait_s = podfacts.available_in_s(pod, min_ready_s=self.min_ready_s, now_s=self.now_s)
        if wait_s:
            self.again_s = wait_s if self.again_s is None else min(self.again_s, wait_s)
        return wait_s == 0.0


def _fill(
    result: Plan,
    wanted: range,
    by_ordinal: Mapping[int, Object],
    pace: _Pace,
    *,
    boundary: int,
    revisions: tuple[str, str],
) -> bool:
    """Create what is missing, lowest first. Answers whether the next stage may begin."""
    current, update = revisions
    for ordinal in wanted:
        pod = by_ordinal.get(ordinal)
        if pod is None:
            result.create.append((ordinal, current if ordinal < boundary else update))
            if pace.ordered:
                return False
        elif podfacts.is_terminal(pod):
            if not being_deleted(pod):
                result.delete.append(pod)
                result.recreating.append(pod)
            if pace.ordered:
                return False
        elif pace.ordered and not pace.healthy(pod):
            return False
    return True


def _condemn(
    result: Plan,
    condemned: Sequence[Object],
    wanted: range,
    by_ordinal: Mapping[int, Object],
    pace: _Pace,
) -> bool:
    """Delete what is too much, highest first. Answers whether the next stage may begin."""
    unhealthy = [
        by_ordinal[ordinal] for ordinal in sorted(by_ordinal) if not pace.healthy(by_ordinal[ordinal])
    ]
    for pod in condemned:
        if being_deleted(pod):
            if pace.ordered:
                return False
            continue
        if pace.ordered and not pace.healthy(pod) and pod is not unhealthy[0]:
            return False
        result.delete.append(pod)
        if pace.ordered:
            return False
    return not (pace.ordered and condemned)


def _replace(
    result: Plan, stateful_set: Object, alive: Sequence[Object], *, update: str, pace: _Pace
) -> None:
    """Delete pods of another revision, highest ordinal first, while few enough are out of service."""
    boundary = first_ordinal(stateful_set) + partition_of(stateful_set)
    limit = scaled_value(
        _rolling(stateful_set).get("maxUnavailable", 1), replicas_of(stateful_set), round_up=True
    )
    unavailable = sum(not pace.healthy(pod) for pod in alive)
    for pod in reversed(alive):
        ordinal = ordinal_of(pod)
        if ordinal is None or ordinal < boundary:
            return
        healthy = pace.healthy(pod)
        if revision_of(pod) != update and not being_deleted(pod):
            if healthy and unavailable >= max(1, limit):
                return
            result.delete.append(pod)
            unavailable += healthy
            if unavailable >= max(1, limit):
                return
        elif not healthy and max(1, limit) == 1:
            return


def status(
    stateful_set: Object,
    pods: Sequence[Object],
    *,
    current: str,
    update: str,
    collision_count: int,
    now_s: float,
) -> dict[str, Any]:
    min_ready_s = stateful_set["spec"].get("minReadySeconds") or 0
    alive = [pod for pod in pods if not being_deleted(pod)]
    ready = [pod for pod in pods if podfacts.phase_of(pod) == "Running" and podfacts.is_ready(pod)]
    numbers = {
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum(
            podfacts.is_available(pod, min_ready_s=min_ready_s, now_s=now_s) for pod in ready
        ),
        "currentReplicas": sum(revision_of(pod) == current for pod in alive),
        "updatedReplicas": sum(revision_of(pod) == update for pod in alive),
    }
    wanted = replicas_of(stateful_set)
    done = numbers["updatedReplicas"] == wanted == numbers["readyReplicas"] == numbers["replicas"]
    if is_rolling(stateful_set) and done:
        current, numbers["currentReplicas"] = update, numbers["updatedReplicas"]
    always = ("replicas", "availableReplicas")
    result: dict[str, Any] = {key: value for key, value in numbers.items() if value or key in always}
    result |= {
        "observedGeneration": metadata(stateful_set).get("generation", 0),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": collision_count,
    }
    known = (stateful_set.get("status") or {}).get("conditions")
    if known:
        result["conditions"] = known
    return result
