"""`Event` of `v1`, the version in which all events are stored."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.ages import UNKNOWN, since
from mamekube.objects.fielderrors import invalid
from mamekube.objects.meta import Object, namespace_of

COLUMNS = (
    Column(name="Last Seen"),
    Column(name="Type"),
    Column(name="Reason"),
    Column(name="Object"),
    Column(name="Subobject", priority=1),
    Column(name="Source", priority=1),
    Column(name="Message"),
    Column(name="First Seen", priority=1),
    Column(name="Count", priority=1),
    Column(name="Name", format="name", priority=1),
)


def row(event: Object, now_s: float) -> list[Any]:
    about, series = event.get("involvedObject") or {}, event.get("series")
    first = since(event.get("firstTimestamp") or event.get("eventTime"), now_s)
    last = since(event.get("lastTimestamp"), now_s)
    if last == UNKNOWN:
        last = first
    count = event.get("count") or 1
    if series is not None:
        last, count = since(series.get("lastObservedTime"), now_s), series.get("count") or 0
    target = (about.get("kind") or "").lower()
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        f"{target}/{about['name']}" if about.get("name") else target,
        about.get("fieldPath") or "",
        _source_text(event),
        (event.get("message") or "").strip(),
        first,
        count,
        cells.name(event),
    ]


def _source_text(event: Object) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _about(field: str) -> Any:
    return lambda event: (event.get("involvedObject") or {}).get(field) or ""


def _own(field: str) -> Any:
    return lambda event: event.get(field) or ""


def _source(event: Object) -> str:
    return (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""


REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

SELECTABLE = {
    **{f"involvedObject.{field}": _about(field) for field in REFERENCE_FIELDS},
    "reason": _own("reason"),
    "reportingComponent": _own("reportingComponent"),
    "source": _source,
    "type": _own("type"),
}


def default(event: Object) -> None:
    # Upstream's structures have no empty value for these, and write them always.
    event.setdefault("source", {})
    for field in ("reportingComponent", "reportingInstance"):
        if event.get(field) is None:
            event[field] = ""
    for field in ("eventTime", "firstTimestamp", "lastTimestamp"):
        event.setdefault(field, None)


def validate(event: Object) -> Found:
    """An event is in the namespace of what it is about, and in `default` for objects of cluster scope."""
    namespace = namespace_of(event)
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    if about:
        wrong = about != namespace
    else:
        wrong = namespace not in ("", "default", "kube-system")
    return [invalid("involvedObject.namespace", about, "does not match event.namespace")] if wrong else []


KIND = Kind(
    group="",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    short_names=("ev",),
    schema="io.k8s.api.core.v1.Event",
    default=default,
    columns=COLUMNS,
    row=row,
    selectable=SELECTABLE,
    validate=validate,
)
