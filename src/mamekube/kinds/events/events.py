"""`Event` of `events.k8s.io/v1`: the same events as those of `v1`, under other names, and stored as those."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core import events as core
from mamekube.kinds.fields import IMMUTABLE, Found
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object

API_VERSION = "events.k8s.io/v1"

_CORE_NAMES = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
SERIES_COUNT_MIN = 2
_FIXED = {
    **{
        field: field
        for field in (
            "involvedObject",
            "reason",
            "message",
            "source",
            "firstTimestamp",
            "lastTimestamp",
            "count",
            "type",
            "eventTime",
            "action",
            "related",
        )
    },
    "reportingComponent": "reportingController",
    "reportingInstance": "reportingInstance",
}
"""What never changes, with the names that messages have for it."""
_OWN_NAMES = {core_name: own_name for own_name, core_name in _CORE_NAMES.items()}


def to_storage(event: Object) -> Object:
    return {**_renamed(event, _CORE_NAMES), "apiVersion": "v1"}


def from_storage(event: Object) -> Object:
    return {**_renamed(event, _OWN_NAMES), "apiVersion": API_VERSION}


def _renamed(event: Object, names: dict[str, str]) -> Object:
    return {names.get(field, field): value for field, value in event.items()}


def default(event: Object) -> None:
    for field in ("deprecatedFirstTimestamp", "deprecatedLastTimestamp"):
        event.setdefault(field, None)
    event.setdefault("deprecatedSource", {})


def row(event: Object, now_s: float) -> list[Any]:
    return core.row(to_storage(event), now_s)


def _selects(value_of: Any) -> Any:
    return lambda event: value_of(to_storage(event))


def validate(event: Object) -> Found:
    return core.validate_as(to_storage(event), controller_field="reportingController")


def validate_create(event: Object) -> Found:
    """What only events of the old form may say, or leave out."""
    found = _validate_series(event)
    if not event.get("eventTime"):
        found.append(required("eventTime"))
    kind = event.get("type") or ""
    if kind not in ("Normal", "Warning"):
        found.append(invalid("type", "", f"has invalid value: {kind}"))
    for field in (
        "deprecatedFirstTimestamp",
        "deprecatedLastTimestamp",
        "deprecatedCount",
        "deprecatedSource",
    ):
        if event.get(field):
            found.append(invalid(_CORE_NAMES[field], "", "needs to be unset"))
    return found


def _validate_series(event: Object) -> Found:
    found: Found = []
    series = event.get("series")
    if series is not None and cells.count(series, "count") < SERIES_COUNT_MIN:
        found.append(invalid("series.count", "", f"should be at least {SERIES_COUNT_MIN}"))
    if series is not None and not series.get("lastObservedTime"):
        found.append(required("series.lastObservedTime"))
    return found


def validate_update(new: Object, old: Object) -> Found:
    """That it went on is all that can be told of an event later."""
    after, before = to_storage(new), to_storage(old)
    found = _validate_series(new) if new.get("series") != old.get("series") else []
    for field, shown in _FIXED.items():
        if (after.get(field) or None) != (before.get(field) or None):
            found.append(invalid(shown, after.get(field), IMMUTABLE))
    return found


KIND = Kind(
    group="events.k8s.io",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    short_names=("ev",),
    schema="io.k8s.api.events.v1.Event",
    default=default,
    validate=validate,
    validate_create=validate_create,
    validate_update=validate_update,
    columns=core.COLUMNS,
    row=row,
    selectable={
        **{
            f"regarding.{field}": _selects(core.SELECTABLE[f"involvedObject.{field}"])
            for field in core.REFERENCE_FIELDS
        },
        "reason": _selects(core.SELECTABLE["reason"]),
        "reportingController": _selects(core.SELECTABLE["reportingComponent"]),
        "type": _selects(core.SELECTABLE["type"]),
    },
    storage=core.KIND,
    to_storage=to_storage,
    from_storage=from_storage,
)
