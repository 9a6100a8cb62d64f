"""Which events are one: client-go's EventCorrelator, as a pure state machine over a clock that the caller reads.

An event passes three stages. Aggregation: many different messages of one reason about one object become one event.
Counting: the same event again raises a count. The spam filter: one source says only so much about one object.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mamekube.foundation.clock import format_time
from mamekube.objects.meta import Object

KEYS_MAX = 4096
"""What is remembered in each stage; the least recently used is forgotten. Upstream: maxLruCacheEntries."""
SIMILAR_MAX = 10
SIMILAR_WITHIN_S = 600.0
"""The tenth different message within this time of the one before is combined with the earlier ones."""
BURST = 25
REFILL_S = 300.0
"""Events of one source about one object that pass at once, and the time after which one more does."""
COMBINED = "(combined from similar events): "

V = TypeVar("V")


class _Recent(Generic[V]):
    """A map that forgets what was used least recently."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, entry: V) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > KEYS_MAX:
            self._entries.popitem(last=False)


@dataclass(slots=True)
class _Similar:
    messages: set[str] = field(default_factory=set)
    last_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    name: str
    count: int
    first_timestamp: str


@dataclass(slots=True)
class _Tokens:
    count: float
    counted_s: float


@dataclass(frozen=True, slots=True)
class Correlated:
    """What to write: a new event, or with `count` above 1 a change of one that was written before."""

    event: Object
    key: Hashable
    """Equal for events that are written into the same object."""

    @property
    def repeats(self) -> bool:
        return bool(self.event["count"] > 1)


class Correlator:
    def __init__(self) -> None:
        self._similar: _Recent[_Similar] = _Recent()
        self._seen: _Recent[_Seen] = _Recent()
        self._tokens: _Recent[_Tokens] = _Recent()

    def correlate(self, event: Object, now_s: float) -> Correlated | None:
        """What to write for a new event; None where the spam filter holds it back. It counts all the same."""
        event, key = self._aggregate(event, now_s)
        event = self._count(event, key)
        return Correlated(event, key) if self._passes(_spam_key(event), now_s) else None

    def _aggregate(self, event: Object, now_s: float) -> tuple[Object, Hashable]:
        group = _group_key(event)
        similar = self._similar.get(group)
        if similar is None or now_s - similar.last_s > SIMILAR_WITHIN_S:
            similar = _Similar()
        similar.messages.add(event["message"])
        similar.last_s = now_s
        self._similar.put(group, similar)
        if len(similar.messages) < SIMILAR_MAX:
            return event, (*group, event["involvedObject"].get("fieldPath"), event["message"])
        similar.messages.pop()
        now = format_time(now_s)
        combined = {
            **event,
            "message": COMBINED + event["message"],
            "firstTimestamp": now,
            "lastTimestamp": now,
        }
        return combined, group

    def _count(self, event: Object, key: Hashable) -> Object:
        seen = self._seen.get(key)
        if seen is not None:
            event = {
                **event,
                "metadata": {**event["metadata"], "name": seen.name},
                "firstTimestamp": seen.first_timestamp,
                "count": seen.count + 1,
            }
        self._seen.put(key, _Seen(event["metadata"]["name"], event["count"], event["firstTimestamp"]))
        return event

    def _passes(self, key: Hashable, now_s: float) -> bool:
        tokens = self._tokens.get(key)
        if tokens is None:
            tokens = _Tokens(BURST, now_s)
        tokens.count = min(BURST, tokens.count + max(0.0, now_s - tokens.counted_s) / REFILL_S)
        tokens.counted_s = now_s
        self._tokens.put(key, tokens)
        if tokens.count < 1:
            return False
        tokens.count -= 1
        return True


def _spam_key(event: Object) -> tuple[Any, ...]:
    source, about = event["source"], event["involvedObject"]
    return (
        source.get("component"),
        source.get("host"),
        *(about.get(name) for name in ("kind", "namespace", "name", "uid", "apiVersion")),
    )


def _group_key(event: Object) -> tuple[Any, ...]:
    return (*_spam_key(event), event["type"], event["reason"])
