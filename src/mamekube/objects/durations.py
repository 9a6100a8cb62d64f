"""Durations as Go writes them, `1h30m` or `1.5s`, with Go's words for what is none."""

from __future__ import annotations

import json
import re

UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SPAN = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)(?P<unit>[^\d.]*)")
SECONDS_MAX = (2**63 - 1) / 1e9


def parse_s(text: str) -> float:
    """Seconds. Raises ValueError with the message of Go's time.ParseDuration."""
    shown = json.dumps(text, ensure_ascii=False)
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    seconds, at = 0.0, 0
    while at < len(unsigned) or not at:
        span = SPAN.match(unsigned, at)
        if span is None:
            raise ValueError(f"time: invalid duration {shown}")
        if not span["unit"]:
            raise ValueError(f"time: missing unit in duration {shown}")
        if span["unit"] not in UNITS_S:
            unit = json.dumps(span["unit"], ensure_ascii=False)
            raise ValueError(f"time: unknown unit {unit} in duration {shown}")
        seconds += float(span["number"]) * UNITS_S[span["unit"]]
        at = span.end()
    if seconds > SECONDS_MAX:
        raise ValueError(f"time: invalid duration {shown}")
    return -seconds if text.startswith("-") else seconds


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
