"""Numbers that a program counts about itself, and how Prometheus reads them (text format 0.0.4).

Counting must cost next to nothing: a histogram is a list. Families are made when somebody asks for the numbers.
What is written looks as upstream's library writes it, names of counters included, which other libraries change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ALPHA, BETA, STABLE = "ALPHA", "BETA", "STABLE"


class Histogram:
    """How often a value fell into each part of a range."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        """Upper ends, ascending; what is above the last one is counted, too."""
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def move(self, value: float, other: float) -> None:
        """Count `other` in place of a value that was observed before."""
        self.counts[bisect_left(self.bounds, value)] -= 1
        self.counts[bisect_left(self.bounds, other)] += 1
        self.sum += other - value

    def add(self, other: Histogram) -> None:
        """Count what another one of the same range has counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    @property
    def count(self) -> int:
        return sum(self.counts)


def exponential(start: float, factor: float, count: int) -> tuple[float, ...]:
    """Bounds that grow by a factor."""
    return tuple(start * factor**power for power in range(count))


class Family:
    """One metric with all its series. `type` is `counter`, `gauge` or `histogram`."""

    def __init__(
        self, name: str, type: str, help: str, *, labels: Sequence[str] = (), stability: str = ALPHA
    ) -> None:
        self.name = name
        self.type = type
        self.help = f"[{stability}] {help}" if stability else help
        self._labels = labels
        self._series: list[tuple[dict[str, str], float | Histogram]] = []

    def add(self, values: Sequence[str], number: float | Histogram) -> Family:
        """One series; `values` in the order of the labels."""
        self._series.append((dict(sorted(zip(self._labels, values, strict=True))), number))
        return self

    def lines(self) -> Iterable[str]:
        if not self._series:
            return
        yield f"# HELP {self.name} {_escaped(self.help)}"
        yield f"# TYPE {self.name} {self.type}"
        for labels, number in self._series:
            if isinstance(number, Histogram):
                yield from _histogram_lines(self.name, labels, number)
            else:
                yield f"{self.name}{_labelled(labels)} {text_of(number)}"


def render(families: Iterable[Family]) -> bytes:
    """All of them in order of their names. Those without any series are left out."""
    ordered = sorted(families, key=lambda family: family.name)
    lines = [line for family in ordered for line in family.lines()]
    return "".join(f"{line}\n" for line in lines).encode()


def text_of(number: float) -> str:
    """A number as Go writes it: the shortest text that reads back the same, with an exponent from a million on."""
    if abs(number) < 1e6 and number == int(number):
        return str(int(number))
    if number in (float("inf"), float("-inf")):
        return "+Inf" if number > 0 else "-Inf"
    decimal = Decimal(repr(float(number))).normalize()
    exponent = decimal.adjusted()
    if -4 <= exponent < 6:
        return format(decimal, "f")
    sign, digits, _ = decimal.as_tuple()
    head, tail = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' if sign else ''}{head}{'.' if tail else ''}{tail}e{exponent:+03d}"


def _histogram_lines(name: str, labels: Mapping[str, str], histogram: Histogram) -> Iterable[str]:
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        yield f"{name}_bucket{_labelled({**labels, 'le': text_of(bound)})} {text_of(total)}"
    yield f"{name}_sum{_labelled(labels)} {text_of(histogram.sum)}"
    yield f"{name}_count{_labelled(labels)} {text_of(total)}"


def _labelled(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    quoted = (f'{key}="{_escaped(value, quote=True)}"' for key, value in labels.items())
    return f"{{{','.join(quoted)}}}"


def _escaped(text: str, *, quote: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quote else escaped
