"""`Event` of `events.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="events.k8s.io",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    short_names=("ev",),
    schema="io.k8s.api.events.v1.Event",
)
