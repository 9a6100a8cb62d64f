"""Jobs whose indexes fail one by one (`backoffLimitPerIndex`): how often each has failed, and when it may again. Pure.

How often is written on the index's pods: each knows of those before it. So the last failed pod of an index is kept,
by its finalizer, until its successor has been made.
"""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.controllers.job import indexes
from mamekube.controllers.job.failurepolicy import Verdict
from mamekube.objects.meta import Object, annotations_of

COUNT = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
"""Failures that a rule of the podFailurePolicy does not count: they make the next attempt wait, too."""


def _number(pod: Object, annotation: str) -> int:
    try:
        return int(annotations_of(pod)[annotation])
    except (KeyError, ValueError):
        return 0


def failures(pod: Object) -> int:
    """How many of its index had failed before it, counted or not."""
    return _number(pod, COUNT) + _number(pod, IGNORED)


def fails_index(pod: Object, verdict: Verdict | None, *, limit: int) -> bool:
    """Whether no other pod is to be tried after this one, which has failed."""
    if verdict is not None and verdict.action in ("FailIndex", "Ignore"):
        return verdict.action == "FailIndex"
    return _number(pod, COUNT) >= limit


def annotations_after(failed: Object | None, verdict: Verdict | None) -> dict[str, str]:
    """What a pod is told of those before it; `failed` is the last of them."""
    if failed is None:
        return {COUNT: "0"}
    ignored = verdict is not None and verdict.action == "Ignore"
    counts = {COUNT: _number(failed, COUNT) + (not ignored), IGNORED: _number(failed, IGNORED) + ignored}
    return {key: str(count) for key, count in counts.items() if count or key == COUNT}


def last_of_each(failed: Iterable[tuple[float, Object]]) -> dict[int, Object]:
    """The last failed pod by index, out of pairs of the time at which a pod ended and the pod."""
    last: dict[int, tuple[int, float, Object]] = {}
    for ended_s, pod in failed:
        index = indexes.index_of(pod)
        if index is not None:
            count = failures(pod)
            known = last.get(index)
            if known is None or (known[0] <= count and known[1] <= ended_s):
                last[index] = (count, ended_s, pod)
    return {index: pod for index, (_, _, pod) in last.items()}
