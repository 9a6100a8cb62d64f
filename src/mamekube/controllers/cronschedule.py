"""Cron schedules: five fields, names, steps, `@daily` and the like, in a time zone. Pure.

As `robfig/cron`'s standard parser: where both day of month and day of week are restricted, either is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_YEARS_AHEAD_MAX = 5
"""A schedule that does not match within this many years never does (30 February)."""


class ScheduleError(ValueError):
    """A text that is no schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes at which it fires."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Both kinds of day are restricted, so one of them is enough."""

    def next_after(self, moment_s: float, zone: tzinfo) -> float | None:
        """The first time after `moment_s`, in seconds since the epoch; None where there is none."""
        local = datetime.fromtimestamp(moment_s, zone).replace(second=0, microsecond=0) + timedelta(minutes=1)
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


def parse(text: str) -> Schedule:
    """Raises ScheduleError."""
    fields = DESCRIPTORS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{text}]")
    minutes, hours, days, months, weekdays = fields
    return Schedule(
        minutes=_field(minutes, 0, 59),
        hours=_field(hours, 0, 23),
        days=_field(days, 1, 31),
        months=_field(months, 1, 12, names=_MONTHS, first_name=1),
        weekdays=frozenset(day % 7 for day in _field(weekdays, 0, 7, names=_DAYS)),
        either_day=days[0] not in "*?" and weekdays[0] not in "*?",
    )


def _field(
    text: str, lowest: int, highest: int, *, names: list[str] | None = None, first_name: int = 0
) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, text) if slash else 1
        if step <= 0:
            raise ScheduleError(f"step of range should be a positive number: {part}")
        if span in ("*", "?"):
            first, last = lowest, highest
        else:
            low, dash, high = span.partition("-")
            first = _value(low, names, first_name, text)
            last = _value(high, names, first_name, text) if dash else (highest if slash else first)
        if first < lowest or last > highest or first > last:
            raise ScheduleError(f"range ({first}-{last}) is out of bounds ({lowest}-{highest}): {part}")
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _value(word: str, names: list[str] | None, first_name: int, text: str) -> int:
    if names and word.lower() in names:
        return names.index(word.lower()) + first_name
    return _number(word, text)


def _number(word: str, text: str) -> int:
    if not word.isdigit():
        raise ScheduleError(f"failed to parse int from {word}: {text}")
    return int(word)
