"""Which of the nodes that will do is best: the scores, each from 0 to 100 for a node, and upstream's weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mamekube.scheduler.cluster import Cluster, NodeState
from mamekube.scheduler.facts import PodFacts
from mamekube.scheduler.filters import node_term, tolerates
from mamekube.scheduler.neighbours import score_affinity
from mamekube.scheduler.spreading import score_spread

Score = Callable[[PodFacts, Cluster, Sequence[NodeState]], Sequence[int] | None]
"""One score for each of the nodes, or None where the pod does not care."""

SCORE_MAX = 100
MEGABYTE = 1024 * 1024
IMAGE_BYTES_MIN = 23 * MEGABYTE
IMAGE_BYTES_MAX = 1000 * MEGABYTE
"""Images of a container that are smaller, or larger, together make no further difference."""


def least_allocated(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> Sequence[int]:
    """The share of CPU and memory that would stay free."""
    scores = []
    for node in nodes:
        free: list[int] = []
        for there, used in (
            (node.allocatable.get("cpu", 0), node.counted_cpu + facts.counted_cpu),
            (node.allocatable.get("memory", 0), node.counted_memory + facts.counted_memory),
        ):
            if there:
                free.append((there - used) * SCORE_MAX // there if used <= there else 0)
        scores.append(sum(free) // len(free) if free else 0)
    return scores


def balanced_allocation(
    facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]
) -> Sequence[int] | None:
    """How alike the shares of CPU and of memory in use would be."""
    cpu, memory = facts.requests.get("cpu", 0), facts.requests.get("memory", 0)
    if not cpu and not memory:
        return None
    scores = []
    for node in nodes:
        cpu_there, memory_there = node.allocatable.get("cpu", 0), node.allocatable.get("memory", 0)
        if not cpu_there or not memory_there:
            scores.append(SCORE_MAX)
            continue
        cpu_share = min(1.0, (node.requested.get("cpu", 0) + cpu) / cpu_there)
        memory_share = min(1.0, (node.requested.get("memory", 0) + memory) / memory_there)
        scores.append(int((1 - abs(cpu_share - memory_share) / 2) * SCORE_MAX))
    return scores


def image_locality(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> Sequence[int] | None:
    """How much of the pod's images is there already; an image on many nodes counts more."""
    containers = [*(facts.spec.get("initContainers") or ()), *(facts.spec.get("containers") or ())]
    images = [normalized_image(container.get("image", "")) for container in containers]
    spreads = {image: cluster.images[image] / max(1, len(cluster.nodes)) for image in images}
    if not any(spreads.values()):
        return None
    high = IMAGE_BYTES_MAX * len(containers)
    scores = []
    for node in nodes:
        there = sum(int(node.images.get(image, 0) * spreads[image]) for image in images)
        there = min(max(there, IMAGE_BYTES_MIN), high)
        scores.append(SCORE_MAX * (there - IMAGE_BYTES_MIN) // (high - IMAGE_BYTES_MIN))
    return scores


def taints_tolerated(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> Sequence[int] | None:
    """Fewer taints that prefer to keep the pod away."""
    tolerations = facts.spec.get("tolerations") or ()
    unwelcome = [
        sum(
            taint["effect"] == "PreferNoSchedule" and not tolerates(tolerations, taint)
            for taint in node.taints
        )
        for node in nodes
    ]
    high = max(unwelcome, default=0)
    return [SCORE_MAX - SCORE_MAX * count // high for count in unwelcome] if high else None


def preferred_nodes(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> Sequence[int] | None:
    """The weights of the preferred node affinity terms that a node matches."""
    node_affinity = facts.affinity.get("nodeAffinity") or {}
    preferred = node_affinity.get("preferredDuringSchedulingIgnoredDuringExecution")
    if not preferred:
        return None
    terms = [(entry["weight"], node_term(entry["preference"])) for entry in preferred]
    sums = [sum(weight for weight, matches in terms if matches(node)) for node in nodes]
    high = max(sums, default=0)
    return [SCORE_MAX * total // high for total in sums] if high else None


SCORES: tuple[tuple[int, Score], ...] = (
    (3, taints_tolerated),
    (2, preferred_nodes),
    (1, least_allocated),
    (2, score_spread),
    (2, score_affinity),
    (1, balanced_allocation),
    (1, image_locality),
)


def total_scores(facts: PodFacts, cluster: Cluster, nodes: Sequence[NodeState]) -> list[int]:
    """The weighted sum of all scores for each of the nodes."""
    totals = [0] * len(nodes)
    for weight, score in SCORES:
        scores = score(facts, cluster, nodes)
        if scores is not None:
            for index, value in enumerate(scores):
                totals[index] += weight * value
    return totals


def normalized_image(name: str) -> str:
    """The name under which a node lists an image: with `:latest` where there is no tag."""
    return f"{name}:latest" if name.rfind(":") <= name.rfind("/") else name
