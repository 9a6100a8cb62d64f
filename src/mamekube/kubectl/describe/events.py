"""The events of an object, as the last part of its description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.kubectl.describe.writer import Writer
from mamekube.objects.ages import since
from mamekube.objects.meta import Object


def describe_events(writer: Writer, events: Sequence[Object], now_s: float) -> None:
    if not events:
        writer.line(0, "Events:\t<none>")
        return
    writer.line(0, "Events:")
    writer.line(1, "Type\tReason\tAge\tFrom\tMessage")
    writer.line(1, "----\t------\t----\t----\t-------")
    for event in sorted(events, key=_last_seen):
        message = str(event.get("message", "")).strip()
        cells = (event.get("type", ""), event.get("reason", ""), age(event, now_s), _source(event), message)
        writer.line(1, "\t".join(map(str, cells)))


def _last_seen(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def age(event: Object, now_s: float) -> str:
    """`5m`, or `2s (x3 over 5m)` of what happened again."""
    first = event.get("firstTimestamp") or event.get("eventTime")
    series: dict[str, Any] = event.get("series") or {}
    if series:
        return f"{since(series.get('lastObservedTime'), now_s)} (x{series.get('count')} over {since(first, now_s)})"
    if event.get("count", 0) > 1:
        return f"{since(event.get('lastTimestamp'), now_s)} (x{event['count']} over {since(first, now_s)})"
    return since(first, now_s)


def _source(event: Object) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")
