"""Indexes of an indexed Job as text: `1,3-5,7`."""

from __future__ import annotations

import re

from mamekube.objects.fielderrors import render

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class IndexesError(ValueError):
    """A text that is no such list; its own text says why."""


def count(text: str, completions: int) -> int:
    """How many indexes below `completions` the text names. Raises IndexesError."""
    last, total = None, 0
    for part in text.split(",") if text else ():
        first, end = _interval(part, completions)
        if last is not None and last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total += end - first + 1
        last = end
    return total


def overlap(completed: str, failed: str, completions: int) -> int | None:
    """The first index that both name. Parts that are not well formed count for nothing."""
    done, lost = _intervals(completed, completions), _intervals(failed, completions)
    at_done = at_lost = 0
    while at_done < len(done) and at_lost < len(lost):
        (done_first, done_end), (lost_first, lost_end) = done[at_done], lost[at_lost]
        if done_first <= lost_end and lost_first <= done_end:
            return max(done_first, lost_first)
        if done_first <= lost_first:
            at_done += 1
        else:
            at_lost += 1
    return None


def _intervals(text: str, completions: int) -> list[tuple[int, int]]:
    intervals = []
    for part in text.split(",") if text else ():
        try:
            intervals.append(_interval(part, completions))
        except IndexesError:
            continue
    return intervals


def _interval(part: str, completions: int) -> tuple[int, int]:
    limits = part.split("-")
    if len(limits) > 2:
        raise IndexesError(
            f"the fragment {render(part)} violates the requirement that an index interval can have at most two "
            "parts separated by '-'"
        )
    first, end = _index(limits[0], completions), _index(limits[-1], completions)
    if len(limits) == 2 and first >= end:
        raise IndexesError(f"non-increasing order, previous: {first}, current: {end}")
    return first, end


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise IndexesError(f"cannot convert string to integer for index: {render(text)}")
    number = int(text)
    if number >= completions:
        raise IndexesError(f"too large index: {render(text)}")
    return number
