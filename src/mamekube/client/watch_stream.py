"""The body of a watch's response, without I/O: bytes in, events out.

A response is a line of JSON per event. Its states: events follow one another until the server ends the response,
or until an ERROR event, after which nothing counts any more.
"""

from __future__ import annotations

import orjson

from mamekube.client.client import Event
from mamekube.objects.status import StatusError, internal_error


class WatchStream:
    """Feed it chunks as they come; `error` is set once the server has said why it ends."""

    def __init__(self) -> None:
        self._rest = b""
        self.error: StatusError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. An event never takes part in two answers."""
        if self.error is not None:
            return []
        *lines, self._rest = (self._rest + chunk).split(b"\n") if self._rest else chunk.split(b"\n")
        events: list[Event] = []
        for line in lines:
            if not line.strip():
                continue
            event = self._decode(line)
            if event is None:
                break
            events.append(event)
        return events

    def _decode(self, line: bytes) -> Event | None:
        try:
            decoded = orjson.loads(line)
            event = Event(decoded["type"], decoded["object"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            self.error = internal_error(f"unable to decode an event from the watch stream: {error}")
            return None
        if event.type == "ERROR":
            self.error = StatusError.from_status(event.object)
            return None
        return event
