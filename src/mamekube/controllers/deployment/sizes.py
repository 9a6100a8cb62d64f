"""How large each ReplicaSet of a Deployment should be: the arithmetic of rolling updates and scaling. Pure.

Invariants, which property tests check against a simple twin:
* the sum of sizes never rises above replicas + maxSurge by a step of these functions;
* pods that are available are taken away only while more than replicas - maxUnavailable remain.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from mamekube.objects.meta import Object, annotations_of, metadata, name_of

MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"


def desired_replicas(obj: Object) -> int:
    """`spec.replicas` of a Deployment or ReplicaSet."""
    replicas = (obj.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def is_rolling(deployment: Object) -> bool:
    strategy = (deployment.get("spec") or {}).get("strategy") or {}
    return strategy.get("type", "RollingUpdate") == "RollingUpdate"


def scaled_value(value: Any, total: int, *, round_up: bool) -> int:
    """An int, or a percentage of `total`. Raises ValueError on other text."""
    if isinstance(value, str):
        if not value.endswith("%"):
            raise ValueError(
                f"invalid value for IntOrString: invalid type: string is not a percentage: {value!r}"
            )
        share = int(value[:-1]) * total
        return -(-share // 100) if round_up else share // 100
    return int(value or 0)


def fenceposts(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers of pods; never both 0, or nothing could ever move."""
    desired = desired_replicas(deployment)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = scaled_value(rolling.get("maxSurge", "25%"), desired, round_up=True)
    unavailable = scaled_value(rolling.get("maxUnavailable", "25%"), desired, round_up=False)
    if surge == 0 and unavailable == 0:
        return 0, 1
    return surge, unavailable


def max_surge(deployment: Object) -> int:
    return fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    desired = desired_replicas(deployment)
    if not is_rolling(deployment) or desired == 0:
        return 0
    return min(fenceposts(deployment)[1], desired)


def total_replicas(replica_sets: Iterable[Object]) -> int:
    return sum(desired_replicas(replica_set) for replica_set in replica_sets)


def available_of(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas") or 0)


def _lasting(replica_set: Object) -> int:
    """The available pods that it will keep. Its status may be of a time when it wanted more."""
    return min(available_of(replica_set), desired_replicas(replica_set))


def _present(replica_set: Object) -> int:
    """The pods that it wants or still has."""
    return max(desired_replicas(replica_set), int((replica_set.get("status") or {}).get("replicas") or 0))


def active(replica_sets: Iterable[Object]) -> list[Object]:
    """Those that want pods."""
    return [replica_set for replica_set in replica_sets if desired_replicas(replica_set) > 0]


# Rolling ----------------------------------------------------------------------------------------------


def new_size(deployment: Object, replica_sets: Iterable[Object], current: int) -> int:
    """The size of the new ReplicaSet that now has `current`; `replica_sets` are all of them, it included.

    A pod that an old one has and should have no more takes its place until it is seen to go. Upstream counts what is
    wanted alone, and is for moments above replicas + maxSurge.
    """
    desired = desired_replicas(deployment)
    if not is_rolling(deployment):
        return desired
    room = desired + max_surge(deployment) - sum(map(_present, replica_sets))
    if room <= 0:
        return current
    return current + min(room, desired - current)


def old_sizes(deployment: Object, old: Sequence[Object], new: Object) -> dict[str, list[int]]:
    """By name, the sizes that old ReplicaSets pass through in this step: first without their unhealthy pods,
    then without as many healthy ones as the new one's available pods allow. `old` is oldest first.
    """
    floor = desired_replicas(deployment) - max_unavailable(deployment)
    unavailable_new = desired_replicas(new) - available_of(new)
    budget = total_replicas(old) + desired_replicas(new) - floor - unavailable_new
    if budget <= 0:
        return {}
    sizes = {name_of(replica_set): desired_replicas(replica_set) for replica_set in old}
    steps: dict[str, list[int]] = {}
    for replica_set in old:
        name = name_of(replica_set)
        cut = min(budget, max(0, sizes[name] - available_of(replica_set)))
        if cut > 0:
            sizes[name] -= cut
            budget -= cut
            steps.setdefault(name, []).append(sizes[name])
    spare = available_of(new) + sum(map(_lasting, old)) - floor
    for replica_set in old:
        name = name_of(replica_set)
        cut = min(spare, sizes[name])
        if cut > 0:
            sizes[name] -= cut
            spare -= cut
            steps.setdefault(name, []).append(sizes[name])
    return steps


# Scaling while a rollout is under way -----------------------------------------------------------------


def proportional_sizes(deployment: Object, replica_sets: Sequence[Object]) -> dict[str, int]:
    """By name, the sizes of the active ReplicaSets after a change of `spec.replicas`, each its share of it.

    The largest gets what rounding leaves over; of equals the newest when growing, the oldest when shrinking.
    """
    desired = desired_replicas(deployment)
    allowed = desired + max_surge(deployment) if desired > 0 else 0
    to_add = allowed - total_replicas(replica_sets)
    # The newest first, then a stable sort by size; shrinking looks at the oldest first.
    ordered = sorted(replica_sets, key=_age, reverse=to_add > 0)
    ordered.sort(key=desired_replicas, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for replica_set in ordered:
        share = _share(deployment, replica_set, to_add=to_add, added=added)
        sizes[name_of(replica_set)] = desired_replicas(replica_set) + share
        added += share
    if ordered and to_add:
        first = name_of(ordered[0])
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _age(replica_set: Object) -> tuple[str, str]:
    return metadata(replica_set).get("creationTimestamp") or "", name_of(replica_set)


def _share(deployment: Object, replica_set: Object, *, to_add: int, added: int) -> int:
    if to_add == added or desired_replicas(replica_set) == 0:
        return 0
    fraction = _fraction(deployment, replica_set)
    remaining = to_add - added
    return min(fraction, remaining) if to_add > 0 else max(fraction, remaining)


def _fraction(deployment: Object, replica_set: Object) -> int:
    """By how much this ReplicaSet grows if it keeps its share of the Deployment's largest size."""
    desired, size = desired_replicas(deployment), desired_replicas(replica_set)
    if desired == 0:
        return -size
    try:
        before = int(annotations_of(replica_set).get(MAX_REPLICAS) or 0)
    except ValueError:
        before = 0
    before = before or int((deployment.get("status") or {}).get("replicas") or 0)
    if before == 0:
        return 0
    grown = size * (desired + max_surge(deployment)) / before
    return math.floor(grown + 0.5) - size
