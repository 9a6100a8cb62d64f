"""The status of a Deployment: its counts, and the conditions that tell whether it gets anywhere. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mamekube.controllers.deployment.sizes import available_of, desired_replicas, max_unavailable
from mamekube.foundation.clock import parse_time
from mamekube.objects import conditions
from mamekube.objects.meta import Object, metadata, name_of

Status = dict[str, Any]
Conditions = list[dict[str, Any]]

AVAILABLE = "Available"
PROGRESSING = "Progressing"
REPLICA_FAILURE = "ReplicaFailure"

NEW_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"


def has_deadline(deployment: Object) -> bool:
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    return deadline is not None and deadline != 2**31 - 1


def with_condition(
    known: Sequence[Mapping[str, Any]], kind: str, status: str, *, reason: str, message: str, now: str
) -> Conditions:
    """The conditions with this one last; unchanged where one of the same status and reason is there already."""
    old = conditions.find(known, kind)
    if old is not None and old.get("status") == status and old.get("reason") == reason:
        return [dict(condition) for condition in known]
    unchanged = old is not None and old.get("status") == status
    transition = (old or {}).get("lastTransitionTime") if unchanged else now
    entry = {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": transition or now,
        "reason": reason,
        "message": message,
    }
    return [*conditions.removed(known, kind), entry]


def counts(deployment: Object, replica_sets: Sequence[Object], new: Object | None, *, now: str) -> Status:
    """The status these ReplicaSets add up to, with the condition Available and the others as they were."""
    total = _sum(replica_sets, "replicas")
    available = _sum(replica_sets, "availableReplicas")
    old = deployment.get("status") or {}
    numbers = {
        "observedGeneration": metadata(deployment).get("generation", 0),
        "replicas": total,
        "updatedReplicas": _sum([new] if new is not None else [], "replicas"),
        "readyReplicas": _sum(replica_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total - available),
    }
    status: Status = {name: number for name, number in numbers.items() if number}
    terminating = _terminating(replica_sets)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    if old.get("collisionCount") is not None:
        status["collisionCount"] = old["collisionCount"]
    enough = available >= desired_replicas(deployment) - max_unavailable(deployment)
    status["conditions"] = with_condition(
        old.get("conditions") or [],
        AVAILABLE,
        "True" if enough else "False",
        reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        message=f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        now=now,
    )
    return status


def _terminating(replica_sets: Iterable[Object]) -> int | None:
    """None where one of them has been looked at but does not tell: then the sum would be a guess."""
    total = 0
    for replica_set in replica_sets:
        status = replica_set.get("status") or {}
        if "terminatingReplicas" not in status and status.get("observedGeneration"):
            return None
        total += status.get("terminatingReplicas") or 0
    return total


def _sum(replica_sets: Iterable[Object], field: str) -> int:
    return sum(int((replica_set.get("status") or {}).get(field) or 0) for replica_set in replica_sets)


def rollout_status(
    deployment: Object, replica_sets: Sequence[Object], new: Object | None, *, now_s: float, now: str
) -> Status:
    """The counts, and the conditions Progressing and ReplicaFailure."""
    status = counts(deployment, replica_sets, new, now=now)
    known: Conditions = status["conditions"]
    current = conditions.find(known, PROGRESSING)
    finished_before = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == NEW_AVAILABLE
    )
    if not has_deadline(deployment):
        known = conditions.removed(known, PROGRESSING)
    elif not finished_before:
        known = _progress(deployment, status, new, now_s=now_s, now=now)
    failure = _replica_failure(replica_sets, new)
    if failure is None:
        known = conditions.removed(known, REPLICA_FAILURE)
    else:
        known = with_condition(
            known,
            REPLICA_FAILURE,
            failure.get("status", "True"),
            reason=failure.get("reason", ""),
            message=failure.get("message", ""),
            now=now,
        )
    status["conditions"] = known
    return status


def _progress(
    deployment: Object, status: Status, new: Object | None, *, now_s: float, now: str
) -> Conditions:
    known: Conditions = status["conditions"]
    subject = "Deployment" if new is None else "ReplicaSet"
    subject += " " + quoted(name_of(deployment if new is None else new))
    if is_complete(deployment, status):
        message = f"{subject} has successfully progressed."
        return with_condition(known, PROGRESSING, "True", reason=NEW_AVAILABLE, message=message, now=now)
    if is_progressing(deployment.get("status") or {}, status):
        message = f"{subject} is progressing."
        return _progressed(known, message, now=now)
    if timed_out(deployment, known, now_s=now_s):
        message = f"{subject} has timed out progressing."
        return with_condition(known, PROGRESSING, "False", reason=TIMED_OUT, message=message, now=now)
    return known


def _progressed(known: Conditions, message: str, *, now: str) -> Conditions:
    """Every sign of progress refreshes lastUpdateTime, from which the deadline is counted."""
    current = conditions.find(known, PROGRESSING)
    rest = conditions.removed(known, PROGRESSING)
    entry = {
        "type": PROGRESSING,
        "status": "True",
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": "ReplicaSetUpdated",
        "message": message,
    }
    if current is not None and current.get("status") == "True":
        entry["lastTransitionTime"] = current.get("lastTransitionTime") or now
    return [*rest, entry]


def is_complete(deployment: Object, status: Mapping[str, Any]) -> bool:
    """Every replica is of the new template, available, and none of the old is left."""
    desired = desired_replicas(deployment)
    numbers = (status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas"))
    return all(number == desired for number in numbers) and status.get("observedGeneration", 0) >= metadata(
        deployment
    ).get("generation", 0)


def is_progressing(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """More new, ready or available pods than before, or fewer old ones."""

    def old_pods(status: Mapping[str, Any]) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grew = any(
        new.get(field, 0) > old.get(field, 0)
        for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grew or old_pods(new) < old_pods(old)


def timed_out(deployment: Object, known: Sequence[Mapping[str, Any]], *, now_s: float) -> bool:
    condition = conditions.find(known, PROGRESSING)
    if not has_deadline(deployment) or condition is None or condition.get("reason") == NEW_AVAILABLE:
        return False
    if condition.get("reason") == TIMED_OUT:
        return True
    return _updated_s(condition) + deployment["spec"]["progressDeadlineSeconds"] < now_s


def deadline_in_s(deployment: Object, status: Mapping[str, Any], *, now_s: float) -> float | None:
    """When to look whether the deadline has passed; None where it cannot pass."""
    condition = conditions.find(status.get("conditions") or [], PROGRESSING)
    if not has_deadline(deployment) or condition is None:
        return None
    if is_complete(deployment, status) or condition.get("reason") in (TIMED_OUT, PAUSED):
        return None
    # One second more, because times are written in whole seconds.
    return max(0.0, _updated_s(condition) + deployment["spec"]["progressDeadlineSeconds"] - now_s) + 1.0


def _updated_s(condition: Mapping[str, Any]) -> float:
    """Long ago, where somebody wrote a condition without a time."""
    text = condition.get("lastUpdateTime")
    return parse_time(text) if text else 0.0


def _replica_failure(replica_sets: Sequence[Object], new: Object | None) -> Mapping[str, Any] | None:
    """The new ReplicaSet's, else the first of any."""
    for replica_set in ([new] if new is not None else []) + list(replica_sets):
        failure = conditions.find(conditions.conditions_of(replica_set), REPLICA_FAILURE)
        if failure is not None:
            return failure
    return None


def is_saturated(deployment: Object, replica_set: Object | None, *, annotated_desired: int | None) -> bool:
    """The ReplicaSet alone carries the whole Deployment, and did when it was last sized."""
    if replica_set is None:
        return False
    desired = desired_replicas(deployment)
    return (
        desired_replicas(replica_set) == desired
        and annotated_desired == desired
        and available_of(replica_set) == desired
    )


def quoted(text: str) -> str:
    """Go's %q, which for names is JSON's."""
    return json.dumps(text, ensure_ascii=False)
