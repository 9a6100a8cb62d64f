"""Profiles as files that `go tool pprof` and its like read, and as text for people.

The format is perftools.profiles.Profile of github.com/google/pprof, compressed. `_Table` gives numbers to what samples
refer to, as the format wants it: texts from 0 on, functions and places from 1 on.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from mamekube.foundation.profiling import Frame, Profile, Running
from mamekube.foundation.protowire import VARINT, delimited, tag_of, varint

LINES_MAX = 60
"""Functions in a text."""


def encode(profile: Profile) -> bytes:
    """The compressed file."""
    table = _Table()
    types = [delimited(1, _value_type(table, *each)) for each in profile.types]
    samples = [
        delimited(2, _packed(1, [table.place(frame) for frame in stack]) + _packed(2, values))
        for stack, values in profile.samples
    ]
    ending = _number(9, int(profile.started_s * 1e9)) + _number(10, int(profile.duration_s * 1e9))
    if profile.period:
        ending += delimited(11, _value_type(table, *profile.types[-1])) + _number(12, profile.period)
    parts = [*types, *samples, *table.parts(), ending]
    return gzip.compress(b"".join(parts), compresslevel=6, mtime=0)


class _Table:
    def __init__(self) -> None:
        self._texts: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str, int], int] = {}
        self._places: dict[Frame, int] = {}

    def text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def place(self, frame: Frame) -> int:
        number = self._places.get(frame)
        if number is None:
            function = (frame.function, frame.file, frame.first_line)
            self._functions.setdefault(function, len(self._functions) + 1)
            self.text(frame.function)
            self.text(frame.file)
            number = self._places[frame] = len(self._places) + 1
        return number

    def parts(self) -> Iterable[bytes]:
        """One mapping for the whole program, then places, functions, texts."""
        yield delimited(3, _number(1, 1) + _number(7, 1) + _number(8, 1) + _number(9, 1))
        for frame, number in self._places.items():
            function = self._functions[frame.function, frame.file, frame.first_line]
            line = _number(1, function) + _number(2, frame.line)
            yield delimited(4, _number(1, number) + _number(2, 1) + delimited(4, line))
        for (name, file, first_line), number in self._functions.items():
            yield delimited(
                5,
                _number(1, number)
                + _number(2, self._texts[name])
                + _number(3, self._texts[name])
                + _number(4, self._texts[file])
                + _number(5, first_line),
            )
        for text in self._texts:
            yield delimited(6, text.encode("utf-8", "replace"))


def _value_type(table: _Table, what: str, unit: str) -> bytes:
    return _number(1, table.text(what)) + _number(2, table.text(unit))


def _number(field: int, value: int) -> bytes:
    return tag_of(field, VARINT) + varint(value) if value else b""


def _packed(field: int, values: Sequence[int]) -> bytes:
    return delimited(field, b"".join(map(varint, values)))


# For people ---------------------------------------------------------------------------------------


def table(profile: Profile) -> str:
    """Which functions took most: by themselves (flat) and with what they called (cum)."""
    what, unit = profile.types[-1]
    flat: Counter[str] = Counter()
    cumulated: Counter[str] = Counter()
    for stack, values in profile.samples:
        if stack:
            flat[_shown(stack[0])] += values[-1]
            for function in dict.fromkeys(map(_shown, stack)):
                cumulated[function] += values[-1]
    total = sum(flat.values())
    lines = [f"{what}: {_amount(total, unit)}, {len(profile.samples)} stacks, {profile.duration_s:g} s", ""]
    lines.append(f"{'flat':>10} {'flat%':>6} {'cum':>10} {'cum%':>6}  function")
    order = sorted(cumulated, key=lambda function: (-flat[function], -cumulated[function], function))
    for function in order[:LINES_MAX]:
        own, whole = flat[function], cumulated[function]
        shares = (f"{100 * part / (total or 1):.1f}%" for part in (own, whole))
        own_share, whole_share = shares
        lines.append(
            f"{_amount(own, unit):>10} {own_share:>6} {_amount(whole, unit):>10} {whole_share:>6}  {function}"
        )
    return "\n".join(lines) + "\n"


def counted_text(profile: Profile) -> str:
    """`goroutine?debug=1`: each stack once, with how many are at it."""
    total = sum(values[0] for _, values in profile.samples)
    lines = [f"goroutine profile: total {total}"]
    for stack, values in profile.samples:
        lines += [
            f"{values[0]} @",
            *(f"#\t{frame.function}\t{frame.file}:{frame.line}" for frame in stack),
            "",
        ]
    return "\n".join(lines) + "\n"


def running_text(running: Iterable[Running]) -> str:
    """`goroutine?debug=2`: each with its name."""
    parts = ([f"{one.kind} {one.name} [{one.state}]:", *_calls(one), ""] for one in running)
    return "\n".join(chain.from_iterable(parts)) + "\n"


def _calls(one: Running) -> Iterable[str]:
    for frame in one.stack:
        yield f"{frame.function}(...)"
        yield f"\t{frame.file}:{frame.line}"


def _shown(frame: Frame) -> str:
    return f"{frame.function} ({frame.file}:{frame.first_line})" if frame.first_line else frame.function


def _amount(value: int, unit: str) -> str:
    if unit == "nanoseconds":
        return f"{value / 1e6:.0f}ms"
    return f"{value / 1024:.0f}kB" if unit == "bytes" else str(value)
