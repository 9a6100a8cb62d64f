"""What events of both kinds are refused for."""

from typing import Any

import pytest

from mamekube.kinds.core import events as core
from mamekube.kinds.events import events

TIME = "2026-01-01T00:00:00.000000Z"
LATER = "2026-01-01T00:00:01.000000Z"
APART = "does not match event.namespace"
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def plain(namespace: str, about: str = "", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "involvedObject": {"namespace": about}, **fields}


def exact(namespace: str, about: str = "", **fields: Any) -> dict[str, Any]:
    seen = {"reportingComponent": "c", "reportingInstance": "i", "action": "a", "reason": "r"}
    return plain(namespace, about, eventTime=TIME, **{**seen, **fields})


PLACES = [
    (plain("a", "a"), ""),
    (plain("default"), ""),
    (plain("kube-system"), f'involvedObject.namespace: Invalid value: "": {APART}'),
    (plain("a", "b"), f'involvedObject.namespace: Invalid value: "b": {APART}'),
    (exact("default"), ""),
    (exact("kube-system"), ""),
    (exact("a", "b"), ""),
    (exact("a"), f'involvedObject.namespace: Invalid value: "": {APART}'),
]


@pytest.mark.parametrize(("event", "expected"), PLACES)
def test_an_event_is_where_it_may_be(event: dict[str, Any], expected: str) -> None:
    assert [str(error) for error in core.KIND.validate(event)] == ([expected] if expected else [])


def test_an_exact_event_is_refused_for() -> None:
    bare = exact(
        "default", reportingComponent="", reportingInstance="ä" * 65, action="", reason="", message="m" * 1025
    )
    assert [str(error) for error in core.KIND.validate(bare)] == [
        "reportingComponent: Required value",
        'reportingComponent: Invalid value: "": name part must be non-empty',
        f'reportingComponent: Invalid value: "": {NAME_PART}',
        'reportingInstance: Invalid value: "": can have at most 128 characters',
        "action: Required value",
        "reason: Required value",
        'message: Invalid value: "": can have at most 1024 characters',
    ]
    (error,) = events.KIND.validate(events.from_storage(exact("default", reportingComponent="-")))
    assert str(error) == f'reportingController: Invalid value: "-": {NAME_PART}'


def test_events_of_the_new_kind_are_exact_and_have_nothing_of_old() -> None:
    old = {
        "type": "Odd",
        "series": {"count": 1},
        "deprecatedFirstTimestamp": TIME,
        "deprecatedLastTimestamp": TIME,
        "deprecatedCount": 1,
        "deprecatedSource": {"component": "c"},
    }
    assert [str(error) for error in events.KIND.validate_create(old)] == [
        'series.count: Invalid value: "": should be at least 2',
        "series.lastObservedTime: Required value",
        "eventTime: Required value",
        'type: Invalid value: "": has invalid value: Odd',
        *(
            f'{field}: Invalid value: "": needs to be unset'
            for field in ("firstTimestamp", "lastTimestamp", "count", "source")
        ),
    ]


def test_only_that_it_goes_on_is_told_of_an_event_later() -> None:
    old = events.from_storage(exact("default", message="m", type="Normal"))
    events.KIND.default(old)
    going_on = {**old, "series": {"count": 2, "lastObservedTime": LATER}}
    assert events.KIND.validate_update(going_on, old) == []
    other = {
        **old,
        "series": {"count": 1, "lastObservedTime": LATER},
        "note": "n",
        "reportingController": "d",
    }
    assert [str(error) for error in events.KIND.validate_update(other, old)] == [
        'series.count: Invalid value: "": should be at least 2',
        'message: Invalid value: "n": field is immutable',
        'reportingController: Invalid value: "d": field is immutable',
    ]
    assert core.KIND.validate_update(exact("default", message="n"), exact("default")) == []


def test_names_of_events_of_old_need_only_fit_into_a_path() -> None:
    assert core.KIND.name_rule == "path"
    assert events.KIND.name_rule == "subdomain"
