"""How long the parts of one scheduling cycle took, by upstream's names of its extension points."""

from __future__ import annotations

from time import perf_counter

PRE_FILTER, FILTER, POST_FILTER = "PreFilter", "Filter", "PostFilter"
SCORE, BIND = "Score", "Bind"


class Laps:
    """A stopwatch. What is no part of any extension point is left out."""

    __slots__ = ("_since_s", "took_s")

    def __init__(self) -> None:
        self.took_s: dict[str, float] = {}
        self._since_s = perf_counter()

    def begin(self) -> None:
        self._since_s = perf_counter()

    def end(self, point: str) -> None:
        """What went by since the last call belongs to `point`."""
        now_s = perf_counter()
        self.took_s[point] = self.took_s.get(point, 0.0) + now_s - self._since_s
        self._since_s = now_s
