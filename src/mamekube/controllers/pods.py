"""What controllers ask about pods: active, ready, available, and which to delete first. Pure.

Times are seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.objects.conditions import conditions_of, find
from mamekube.objects.meta import Object, annotations_of, being_deleted, metadata, namespace_of, uid_of
from mamekube.objects.owners import controller_of
from mamekube.objects.selectors import Selector

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def phase_of(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def is_terminal(pod: Object) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Neither finished nor being deleted: counts as a replica."""
    return not is_terminal(pod) and not being_deleted(pod)


def is_terminating(pod: Object) -> bool:
    return not is_terminal(pod) and being_deleted(pod)


def ready_since(pod: Object) -> float | None:
    """Since when the pod is Ready; None where it is not."""
    condition = find(conditions_of(pod), "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    since = condition.get("lastTransitionTime")
    return parse_time(since) if since else 0.0


def is_ready(pod: Object) -> bool:
    condition = find(conditions_of(pod), "Ready")
    return condition is not None and condition.get("status") == "True"


def available_in_s(pod: Object, *, min_ready_s: int, now_s: float) -> float | None:
    """Seconds until the pod has been Ready for `min_ready_s`; 0 where it has, None where it is not Ready."""
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, since + min_ready_s - now_s) if min_ready_s else 0.0


def is_available(pod: Object, *, min_ready_s: int, now_s: float) -> bool:
    return available_in_s(pod, min_ready_s=min_ready_s, now_s=now_s) == 0.0


def next_available_s(pods: Iterable[Object], *, min_ready_s: int, now_s: float) -> float | None:
    """Seconds until the next of the Ready pods becomes available; None where there is none to wait for."""
    if not min_ready_s:
        return None
    waits = (available_in_s(pod, min_ready_s=min_ready_s, now_s=now_s) for pod in pods)
    return min((wait for wait in waits if wait), default=None)


def restarts_of(pod: Object) -> int:
    """The most restarts of any of its containers."""
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return max((entry.get("restartCount", 0) for entry in statuses), default=0)


def deletion_cost(pod: Object) -> int:
    """The annotation's value; 0 where there is none or where it is no 32-bit integer in canonical form."""
    text = annotations_of(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if str(cost) == text and -(2**31) <= cost < 2**31 else 0


# Deletion order ---------------------------------------------------------------------------------------

_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(
    pods: Iterable[Object], *, siblings_on_node: Mapping[str, int], now_s: float
) -> list[Object]:
    """The pods, those to delete first in front.

    Unscheduled before scheduled, pending before running, not ready before ready, cheaper before dearer, on nodes with
    more siblings before fewer, ready for a shorter time before longer, restarted more before less, younger before
    older. Times are compared by the logarithm of their age, so that a steady churn does not always hit the newest.
    """

    def rank(pod: Object) -> tuple[Any, ...]:
        since = ready_since(pod)
        created = metadata(pod).get("creationTimestamp")
        return (
            bool(node_of(pod)),
            _PHASE_RANK.get(phase_of(pod), 0),
            since is not None,
            deletion_cost(pod),
            -siblings_on_node.get(node_of(pod), 0),
            _age_rank(since, now_s),
            -restarts_of(pod),
            _age_rank(parse_time(created) if created else None, now_s),
            uid_of(pod),
        )

    return sorted(pods, key=rank)


def _age_rank(since_s: float | None, now_s: float) -> int:
    """The magnitude of an age: younger ones have a lower one; unknown ages the lowest."""
    if not since_s:
        return -1
    age_ns = int((now_s - since_s) * 1e9)
    return int(math.log2(age_ns)) if age_ns > 0 else 0


def count_by_node(pods: Iterable[Object]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for pod in pods:
        node = node_of(pod)
        counts[node] = counts.get(node, 0) + 1
    return counts


# Cache indexes ----------------------------------------------------------------------------------------


def owner_index(obj: Object) -> Iterator[str]:
    """Controlled objects by their owner's uid; the others by `namespace/`, where owners look for orphans."""
    reference = controller_of(obj)
    yield reference["uid"] if reference is not None else namespace_of(obj) + "/"


def node_index(pod: Object) -> Iterator[str]:
    node = node_of(pod)
    if node:
        yield node


OWNER = "owner"
NODE = "node"
POD_INDEXES = {OWNER: owner_index, NODE: node_index}
"""One table for every controller that watches pods: they share one informer."""
OWNED_INDEXES = {OWNER: owner_index}


def owned_and_orphans(cache: Any, owner: Object, selector: Selector) -> list[Object]:
    """What `owner` controls, matching or not, and the orphans of its namespace that it could adopt."""
    owned = cache.by_index(OWNER, uid_of(owner))
    orphans = cache.by_index(OWNER, namespace_of(owner) + "/")
    return [*owned, *(obj for obj in orphans if selector.matches(metadata(obj).get("labels") or {}))]


def names(objects: Sequence[Object]) -> list[str]:
    return [metadata(obj)["name"] for obj in objects]
