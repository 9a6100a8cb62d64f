"""Go's durations, `1h2m3s`, as flags take them."""

from __future__ import annotations

import re

from mamekube.kubectl.failures import Failure

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: str) -> float:
    """The seconds of a duration; a bare number counts as seconds where it is 0. Raises Failure."""
    body = text.removeprefix("-")
    sign = -1.0 if text.startswith("-") else 1.0
    if body == "0":
        return 0.0
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise Failure(f'error: invalid argument "{text}": time: invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def text_of(duration_s: float) -> str:
    """A duration as Go writes it: `1m30s`, `0s`, `250ms`."""
    if duration_s < 0:
        return f"-{text_of(-duration_s)}"
    if duration_s == 0:
        return "0s"
    if duration_s < 1:
        return f"{_decimal(duration_s * 1000)}ms"
    minutes, rest_s = divmod(duration_s, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if hours or minutes else "", f"{_decimal(rest_s)}s"]
    return "".join(parts)


def _decimal(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")
