"""`Event` of `v1`, the version in which all events are stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.ages import UNKNOWN, since
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object, namespace_of

COLUMNS = (
    Column(name="Last Seen", field="core.v1.Event.lastTimestamp"),
    Column(name="Type", field="core.v1.Event.type"),
    Column(name="Reason", field="core.v1.Event.reason"),
    Column(name="Object", field="core.v1.Event.involvedObject"),
    Column(name="Subobject", field="core.v1.ObjectReference.fieldPath", priority=1),
    Column(name="Source", field="core.v1.Event.source", priority=1),
    Column(name="Message", field="core.v1.Event.message"),
    Column(name="First Seen", field="core.v1.Event.firstTimestamp", priority=1),
    Column(name="Count", field="core.v1.Event.count", priority=1),
    replace(cells.NAME, priority=1),
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


WORD_LENGTH_MAX = 128
MESSAGE_LENGTH_MAX = 1024

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
    return validate_as(event, controller_field="reportingComponent")


def validate_as(event: Object, *, controller_field: str) -> Found:
    """An event in its form of `v1`; `controller_field` is what the version of the request calls that field."""
    found: Found = []
    namespace, exact = namespace_of(event), bool(event.get("eventTime"))
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    # What an object of cluster scope meets with is told in one of the namespaces that are always there.
    homes = ("default", "kube-system") if exact else ("", "default")
    if namespace not in homes if not about else namespace != about and not exact:
        found.append(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    if exact:
        _validate_new_style(event, controller_field, found)
    return found


def _validate_new_style(event: Object, controller_field: str, found: Found) -> None:
    """Whoever says when exactly it happened must say who saw it, and what was done."""
    controller = event.get("reportingComponent") or ""
    if not controller:
        found.append(required(controller_field))
    check(controller, controller_field, names.qualified_name, found)
    for field in ("reportingInstance", "action", "reason"):
        value = event.get(field) or ""
        if not value:
            found.append(required(field))
        elif len(value.encode()) > WORD_LENGTH_MAX:
            found.append(invalid(field, "", f"can have at most {WORD_LENGTH_MAX} characters"))
    if len((event.get("message") or "").encode()) > MESSAGE_LENGTH_MAX:
        found.append(invalid("message", "", f"can have at most {MESSAGE_LENGTH_MAX} characters"))


KIND = Kind(
    group="",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    short_names=("ev",),
    name_rule="path",
    schema="io.k8s.api.core.v1.Event",
    default=default,
    columns=COLUMNS,
    row=row,
    selectable=SELECTABLE,
    validate=validate,
)
