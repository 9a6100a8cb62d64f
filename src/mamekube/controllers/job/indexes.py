"""Completion indexes of Indexed Jobs, and how a set of them is written: `0,2-5`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.objects.meta import Object, annotations_of

INDEX = "batch.kubernetes.io/job-completion-index"


def index_of(pod: Object) -> int | None:
    """None where the annotation is missing or no number."""
    try:
        return int(annotations_of(pod)[INDEX])
    except (KeyError, ValueError):
        return None


def parse(text: str, *, completions: int) -> set[int]:
    """The indexes below `completions` in `text`."""
    result: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        result.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return result


def render(indexes: Iterable[int]) -> str:
    """Runs of two are written as two numbers, longer ones as a range."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and index != run[-1] + 1:
            parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else map(str, run)
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)
