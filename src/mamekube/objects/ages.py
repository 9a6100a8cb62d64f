"""Durations and ages as upstream prints them for people: `5m`, `2d3h`, `<unknown>`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from mamekube.foundation.clock import parse_time

UNKNOWN = "<unknown>"
INVALID = "<invalid>"

LATER: Any = object()
"""For `now`: a time that is not known yet. An age is then a mark (`MARK`) that `written` replaces."""
MARK = re.compile(rb'\\u0000([^"\\]+)\\u0000')
"""An age in JSON that is still to be written, with its time."""

_MINUTE = 60
_HOUR = 3600
_DAY = 86400
_YEAR = 365 * _DAY


def human(seconds: float) -> str:
    """apimachinery's `duration.HumanDuration`: about two significant units, the smaller dropped as it grows."""
    # A clock that is off by less than two seconds is still "now".
    whole = int(seconds)
    if whole < -1:
        return INVALID
    if whole <= 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 3 * _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes}m{rest}s" if minutes < 10 and rest else f"{minutes}m"
    if whole < 2 * _DAY:
        hours, rest = whole // _HOUR, whole % _HOUR // _MINUTE
        return f"{hours}h{rest}m" if hours < 8 and rest else f"{hours}h"
    if whole < 2 * _YEAR:
        days, rest = whole // _DAY, whole % _DAY // _HOUR
        return f"{days}d{rest}h" if days < 8 and rest else f"{days}d"
    years, rest = whole // _YEAR, whole % _YEAR // _DAY
    return f"{years}y{rest}d" if years < 8 and rest else f"{years}y"


def short(seconds: float) -> str:
    """apimachinery's `duration.ShortHumanDuration`: one unit."""
    whole = int(seconds)
    if whole < -1:
        return INVALID
    if whole <= 0:
        return "0s"
    for unit_s, limit_s, suffix in (
        (1, _MINUTE, "s"),
        (_MINUTE, _HOUR, "m"),
        (_HOUR, _DAY, "h"),
        (_DAY, _YEAR, "d"),
    ):
        if whole < limit_s:
            return f"{whole // unit_s}{suffix}"
    return f"{whole // _YEAR}y"


# Objects made together carry the same timestamps, and a table reads thousands of them.
_seconds = lru_cache(maxsize=1024)(parse_time)


def since(timestamp: Any, now_s: float) -> str:
    """How long ago `timestamp` (RFC 3339, seconds or microseconds) was; `<unknown>` where there is none."""
    if not timestamp:
        return UNKNOWN
    try:
        began_s = _seconds(timestamp)
        return human(now_s - began_s) if now_s is not LATER else f"\0{timestamp}\0"
    except (TypeError, ValueError):
        return UNKNOWN


def written(text: bytes, now_s: float) -> bytes:
    """JSON in which the ages that were left for later are written."""
    return MARK.sub(lambda mark: since(mark[1].decode(), now_s).encode(), text)


def until(timestamp: Any, now_s: float) -> str:
    """How long `timestamp` is ahead; `<unknown>` where there is none. Raises TypeError for `LATER`."""
    if not timestamp:
        return UNKNOWN
    if now_s is LATER:
        raise TypeError("only what has passed can be written later")
    try:
        return human(_seconds(timestamp) - now_s)
    except (TypeError, ValueError):
        return UNKNOWN
