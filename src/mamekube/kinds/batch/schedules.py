"""Cron schedules: are they well formed? The wording is that of the library which upstream parses them with."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BOUNDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
)
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


class ScheduleError(ValueError):
    """A schedule that does not parse; the text says why."""


def check(text: str) -> None:
    """Raises ScheduleError."""
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, text = text.partition("=")[2].partition(" ")
        text = text.strip()
        if not is_zone(zone or "UTC"):
            raise ScheduleError(f"provided bad location {zone}: unknown time zone {zone}")
    if text.startswith("@"):
        if text not in _DESCRIPTORS and not text.startswith("@every "):
            raise ScheduleError(f"unrecognized descriptor: {text}")
        return
    fields = text.split()
    if len(fields) != len(_BOUNDS):
        shown = " ".join(fields)
        raise ScheduleError(f"expected exactly {len(_BOUNDS)} fields, found {len(fields)}: [{shown}]")
    for field, (low, high, words) in zip(fields, _BOUNDS, strict=True):
        numbers = {word: low + index for index, word in enumerate(words)}
        for part in field.split(","):
            _check_range(part, low, high, numbers)


def is_zone(name: str) -> bool:
    """Whether the time zone is known on this machine."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return False
    return True


def _check_range(part: str, low: int, high: int, words: dict[str, int]) -> None:
    span, *steps = part.split("/")
    start_text, *end_texts = span.split("-")
    if start_text in ("*", "?"):
        start, end = low, high
    else:
        start = _number(start_text, words)
        if len(end_texts) > 1:
            raise ScheduleError(f"too many hyphens: {part}")
        end = _number(end_texts[0], words) if end_texts else start
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {part}")
    if steps:
        step = _number(steps[0], {})
        end = end if end_texts or start_text in ("*", "?") else high
        if step == 0:
            raise ScheduleError(f"step of range should be a positive number: {part}")
    if start < low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {part}")
    if end > high:
        raise ScheduleError(f"end of range ({end}) above maximum ({high}): {part}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {part}")


def _number(text: str, words: dict[str, int]) -> int:
    if text.lower() in words:
        return words[text.lower()]
    if text[:1] == "-":
        raise ScheduleError(f"negative number ({text}) not allowed: {text}")
    if not (text.isascii() and text.isdigit()):
        raise ScheduleError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    return int(text)
