"""In which order clients see groups and versions: upstream's priorities, and how they sort. Pure.

`Place` is what an APIService says of one version of a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mamekube.kinds.registry import version_rank

FIRST = "apiregistration.k8s.io"
"""Has no APIService, and is listed before all that have."""

BUILTIN: Mapping[str, tuple[int, int]] = {
    "": (18000, 1),
    "apps": (17800, 15),
    "events.k8s.io": (17750, 15),
    "authentication.k8s.io": (17700, 15),
    "authorization.k8s.io": (17600, 15),
    "autoscaling": (17500, 15),
    "batch": (17400, 15),
    "certificates.k8s.io": (17300, 15),
    "networking.k8s.io": (17200, 15),
    "policy": (17100, 15),
    "rbac.authorization.k8s.io": (17000, 15),
    "storage.k8s.io": (16800, 15),
    "apiextensions.k8s.io": (16700, 15),
    "admissionregistration.k8s.io": (16700, 15),
    "scheduling.k8s.io": (16600, 15),
    "coordination.k8s.io": (16500, 15),
    "node.k8s.io": (16300, 15),
    "discovery.k8s.io": (16200, 15),
    "resource.k8s.io": (16200, 20),
    "flowcontrol.apiserver.k8s.io": (16100, 21),
    "internal.apiserver.k8s.io": (16000, 9),
    "storagemigration.k8s.io": (15800, 9),
}
"""groupPriorityMinimum and versionPriority by group."""

CUSTOM = (1000, 100)
"""Those of every version that a definition serves."""


@dataclass(frozen=True, slots=True)
class Place:
    group: str
    version: str
    group_minimum: int
    version_priority: int


def builtin(group: str, versions: Sequence[str]) -> list[Place]:
    """Of `versions`, the best first, which has the highest priority; none for a group that has no APIServices."""
    if group not in BUILTIN:
        return []
    minimum, priority = BUILTIN[group]
    return [
        Place(group, version, minimum, priority * (place + 1))
        for place, version in enumerate(reversed(versions))
    ]


def in_order(places: Iterable[Place]) -> dict[str, list[str]]:
    """Groups with their versions: a group by the highest minimum of its versions, then by the name of an APIService;
    its versions by their priority, then the best first."""
    groups: dict[str, list[Place]] = {}
    for place in sorted(places, key=lambda place: (-place.group_minimum, f"{place.version}.{place.group}")):
        groups.setdefault(place.group, []).append(place)
    return {
        group: [
            place.version
            for place in sorted(
                found, key=lambda place: (-place.version_priority, version_rank(place.version))
            )
        ]
        for group, found in groups.items()
    }
