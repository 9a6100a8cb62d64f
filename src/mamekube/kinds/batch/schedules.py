"""Cron schedules: five fields, names, steps, `@daily` and the like. Pure.

As `robfig/cron`'s standard parser has it, with its words for what is wrong: where both day of month and day of week are
restricted, either is enough.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mamekube.objects import durations

DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_ZONES = ("TZ=", "CRON_TZ=")
_BOUNDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
)
"""Of minutes, hours, days, months and weekdays: the lowest, the highest, and the names from the lowest on."""
_NUMBER_MAX = 2**63
_YEARS_AHEAD_MAX = 5
"""A schedule that does not match within this many years never does (30 February)."""

_match_number = re.compile("[+-]?[0-9]+").fullmatch


class ScheduleError(ValueError):
    """A schedule that does not parse; the text says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """The minutes at which it fires."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Both kinds of day are restricted, so one of them is enough."""
    zone: tzinfo | None
    """Of the schedule itself; it goes before the zone that is said beside it."""

    def next_after(self, moment_s: float, zone: tzinfo) -> float | None:
        """The first time after `moment_s`, in seconds since the epoch; None where there is none."""
        if not (self.minutes and self.hours and self.months):
            return None
        moment = datetime.fromtimestamp(moment_s, self.zone or zone)
        local = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        end_year = local.year + _YEARS_AHEAD_MAX
        while local.year <= end_year:
            if local.month not in self.months or not self._day_matches(local):
                local = (local + timedelta(days=1)).replace(hour=0, minute=0)
            elif local.hour not in self.hours:
                local = local.replace(minute=0) + timedelta(hours=1)
            elif local.minute not in self.minutes:
                local += timedelta(minutes=1)
            elif local.timestamp() > moment_s:
                return local.timestamp()
            else:
                local += timedelta(minutes=1)
        return None

    def _day_matches(self, local: datetime) -> bool:
        by_date = local.day in self.days
        by_weekday = local.isoweekday() % 7 in self.weekdays
        return (by_date or by_weekday) if self.either_day else (by_date and by_weekday)


@dataclass(frozen=True, slots=True)
class Every:
    """Again and again, so many whole seconds after the last time."""

    seconds: int

    def next_after(self, moment_s: float, zone: tzinfo) -> float:
        return int(moment_s) + self.seconds


Schedule = Times | Every


def parse(text: str) -> Schedule:
    """Raises ScheduleError."""
    zone = None
    if text.startswith(_ZONES):
        name, _, text = text.partition("=")[2].partition(" ")
        text = text.strip()
        if not is_zone(name or "UTC"):
            raise ScheduleError(f"provided bad location {name}: unknown time zone {name}")
        zone = ZoneInfo(name or "UTC")
    if text.startswith(_EVERY):
        return _every(text)
    if text.startswith("@") and text not in DESCRIPTORS:
        raise ScheduleError(f"unrecognized descriptor: {text}")
    fields = DESCRIPTORS.get(text, text).split()
    if len(fields) != len(_BOUNDS):
        shown = " ".join(fields)
        raise ScheduleError(f"expected exactly {len(_BOUNDS)} fields, found {len(fields)}: [{shown}]")
    parsed = [_field(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = parsed
    return Times(minutes, hours, days, months, weekdays, not (any_day or any_weekday), zone)


def is_zone(name: str) -> bool:
    """Whether the time zone is known on this machine."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return False
    return True


def _every(text: str) -> Every:
    try:
        seconds = durations.parse_s(text.removeprefix(_EVERY))
    except ValueError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from None
    return Every(max(int(seconds), 1))


def _field(text: str, low: int, high: int, words: list[str]) -> tuple[frozenset[int], bool]:
    """The numbers that it names, and whether it names all of them by a star."""
    numbers = {word: low + index for index, word in enumerate(words)}
    named: set[int] = set()
    starred = False
    for part in text.split(","):
        if part:
            values, is_star = _range(part, low, high, numbers)
            named.update(values)
            starred = starred or is_star
    return frozenset(named), starred


def _range(part: str, low: int, high: int, words: dict[str, int]) -> tuple[range, bool]:
    span, *steps = part.split("/")
    start_text, *end_texts = span.split("-")
    is_star = start_text in ("*", "?")
    if is_star:
        start, end = low, high
    else:
        start = _number(start_text, words)
        if len(end_texts) > 1:
            raise ScheduleError(f"too many hyphens: {part}")
        end = _number(end_texts[0], words) if end_texts else start
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {part}")
    step = 1
    if steps:
        step = _number(steps[0], {})
        end = end if end_texts else high
    if start < low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {part}")
    if end > high:
        raise ScheduleError(f"end of range ({end}) above maximum ({high}): {part}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {part}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {part}")
    return range(start, end + 1, step), is_star and step == 1


def _number(text: str, words: dict[str, int]) -> int:
    if text.lower() in words:
        return words[text.lower()]
    shown = json.dumps(text, ensure_ascii=False)
    if not _match_number(text):
        raise ScheduleError(f"failed to parse int from {text}: strconv.Atoi: parsing {shown}: invalid syntax")
    number = int(text)
    if not -_NUMBER_MAX <= number < _NUMBER_MAX:
        problem = f"strconv.Atoi: parsing {shown}: value out of range"
        raise ScheduleError(f"failed to parse int from {text}: {problem}")
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number
