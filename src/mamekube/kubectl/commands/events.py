"""kubectl events: what happened in a namespace, or to one object, in the order in which it did."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mamekube.kubectl import tabs
from mamekube.kubectl.describe.events import age
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import OUTPUT_FLAGS, chosen_format, printer
from mamekube.kubectl.session import Session
from mamekube.objects.meta import Object, metadata, namespace_of

FLAGS = (
    *OUTPUT_FLAGS,
    Flag("all-namespaces", "bool", short="A"),
    Flag("for"),
    Flag("types", "list"),
    Flag("watch", "bool", short="w"),
    Flag("no-headers", "bool"),
    Flag("chunk-size", "int"),
    Flag("show-managed-fields", "bool"),
)
TYPES = ("normal", "warning")


def run(session: Session) -> int:
    if any(kind.lower() not in TYPES for kind in session.flag("types", ())):
        raise Failure("error: valid --types are Normal or Warning")
    path, query = _place(session)
    listed: Any = session.api.get(path, query=query)
    events = [event for event in listed["items"] if _wanted(session, event)]
    if session.flag("watch"):
        return _watch(session, path, query, events, metadata(listed)["resourceVersion"])
    events.sort(key=_moment)
    output = chosen_format(session)
    if not events and not output:
        place = "" if session.flag("all-namespaces") else f" in {session.namespace} namespace"
        session.warn(f"No events found{place}.")
    elif output == "name":
        for event in events:
            session.out.write(printer(session, output)(_typed(event)))
    elif output:
        whole = {**listed, "apiVersion": "v1", "kind": "EventList", "items": events}
        session.out.write(printer(session, output)(whole))
    else:
        _print_rows(session, events, headed=not session.flag("no-headers"))
    return 0


def _place(session: Session) -> tuple[str, dict[str, Any]]:
    within = "" if session.flag("all-namespaces") else f"/namespaces/{session.namespace}"
    path = f"/api/v1{within}/events"
    asked = session.flag("for")
    if asked is None:
        return path, {}
    kind, slash, name = asked.partition("/")
    if not slash or not name or "/" in name:
        raise Failure("error: --for must be in resource/name form")
    resource = session.discovery.find(kind).resource
    wanted = {"apiVersion": resource.api_version, "kind": resource.kind, "name": name}
    return path, {
        "fieldSelector": ",".join(f"involvedObject.{field}={text}" for field, text in wanted.items())
    }


def _wanted(session: Session, event: Object) -> bool:
    kinds = session.flag("types", ())
    return not kinds or event.get("type", "") in kinds


def _typed(event: Object) -> Object:
    return {"apiVersion": "v1", "kind": "Event", **event}


def _moment(event: Object) -> float:
    """When the event was seen last."""
    series = event.get("series") or {}
    return _seconds(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime"))


def _seconds(timestamp: str | None) -> float:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else 0.0


def _print_rows(session: Session, events: Iterable[Object], *, headed: bool) -> None:
    across = session.flag("all-namespaces")
    header = [*(["NAMESPACE"] if across else []), "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    rows = [header] if headed else []
    for event in events:
        subject = event.get("involvedObject") or {}
        rows.append(
            [
                *([namespace_of(event)] if across else []),
                age(event, time.time()),
                event.get("type", ""),
                event.get("reason", ""),
                f"{subject.get('kind', '')}/{subject.get('name', '')}",
                event.get("message", "").strip(),
            ]
        )
    session.out.write(tabs.table(rows) if rows else "")
    session.out.flush()


def _watch(session: Session, path: str, query: dict[str, Any], events: list[Object], version: str) -> int:
    """Every event as it comes, after those that came before."""
    output = chosen_format(session)
    headed = not session.flag("no-headers")

    def show(some: list[Object]) -> None:
        nonlocal headed
        if output:
            for event in some:
                session.out.write(printer(session, output)(_typed(event)))
            session.out.flush()
        elif some:
            _print_rows(session, some, headed=headed)
            headed = False

    show(sorted(events, key=_moment))
    follow = {**query, "watch": "true", "resourceVersion": version}
    for change in session.api.lines(path, query=follow):
        if change["type"] == "ERROR":
            raise Failure(f"error: {change['object'].get('message', 'the watch ended')}")
        if change["type"] in ("ADDED", "MODIFIED") and _wanted(session, change["object"]):
            show([change["object"]])
    return 0
