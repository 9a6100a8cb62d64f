"""Bytes of a watch in, events out."""

from __future__ import annotations

import orjson
import pytest

from mamekube.client.client import Event
from mamekube.client.watch_stream import WatchStream
from mamekube.objects.status import expired

LINES = b"".join(
    orjson.dumps({"type": "ADDED", "object": {"n": n, "text": "a\nb"}}) + b"\n" for n in range(3)
)


@pytest.mark.parametrize("size", [1, 7, 20, 1000])
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    stream = WatchStream()
    events = [event for at in range(0, len(LINES), size) for event in stream.feed(LINES[at : at + size])]
    assert events == [Event("ADDED", {"n": n, "text": "a\nb"}) for n in range(3)]
    assert stream.error is None


def test_an_incomplete_line_waits() -> None:
    stream = WatchStream()
    assert stream.feed(b'{"type":"ADDED","object":{}}') == []
    assert stream.feed(b"\n") == [Event("ADDED", {})]


def test_an_error_event_ends_the_stream_after_what_came_before() -> None:
    stream = WatchStream()
    error = orjson.dumps({"type": "ERROR", "object": expired("too old").status})
    assert len(stream.feed(LINES + error + b"\n" + LINES)) == 3
    assert stream.error is not None
    assert (stream.error.code, stream.error.reason, stream.error.message) == (410, "Expired", "too old")
    assert stream.feed(LINES) == []


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b"{}\n", b'{"type":"ADDED"}\n'])
def test_what_is_no_event_is_an_error(line: bytes) -> None:
    stream = WatchStream()
    assert stream.feed(line) == []
    assert stream.error is not None
    assert stream.error.reason == "InternalError"
