"""Durations in Go's notation; the messages are those of time.ParseDuration."""

from __future__ import annotations

import pytest

from mamekube.objects.durations import parse_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("-0", 0.0),
        ("0s", 0.0),
        ("32s", 32.0),
        ("1h30m", 5400.0),
        ("-1.5s", -1.5),
        ("+.5m", 30.0),
        ("1.s", 1.0),
        ("250ms", 0.25),
        ("3µs", 3e-6),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("invalid", 'time: invalid duration "invalid"'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("3000000h", 'time: invalid duration "3000000h"'),
        ("30", 'time: missing unit in duration "30"'),
        ("1m30", 'time: missing unit in duration "1m30"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
    ],
)
def test_what_is_no_duration_is_said_in_the_words_of_go(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_s(text)
    assert str(refused.value) == message
