"""`DaemonSet` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.meta import Object

_COUNTS = (
    ("Desired", "desiredNumberScheduled"),
    ("Current", "currentNumberScheduled"),
    ("Ready", "numberReady"),
    ("Up-to-date", "updatedNumberScheduled"),
    ("Available", "numberAvailable"),
)

COLUMNS = (
    cells.NAME,
    *(Column(name=name, type="integer") for name, _ in _COUNTS),
    Column(name="Node Selector"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    cells.SELECTOR,
)


def default(daemon_set: Object) -> None:
    spec = daemon_set.setdefault("spec", {})
    default_template(spec.get("template"))
    strategy = spec.get("updateStrategy")
    if strategy is None:
        strategy = spec["updateStrategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate")
        if rolling is None:
            rolling = strategy["rollingUpdate"] = {}
        if rolling.get("maxUnavailable") is None:
            rolling["maxUnavailable"] = 1
        if rolling.get("maxSurge") is None:
            rolling["maxSurge"] = 0
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10


def prepare_create(daemon_set: Object) -> None:
    # All of the status are counts that upstream writes even while they are zero.
    daemon_set["status"] = dict.fromkeys(
        ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0
    )


def row(daemon_set: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(daemon_set), cells.status_of(daemon_set)
    template = spec.get("template") or {}
    return [
        cells.name(daemon_set),
        *(cells.count(status, field) for _, field in _COUNTS),
        cells.labels_text((template.get("spec") or {}).get("nodeSelector")),
        cells.age(daemon_set, now_s),
        *cells.container_cells(template),
        cells.selector_or_none(spec.get("selector")),
    ]


KIND = Kind(
    group="apps",
    version="v1",
    plural="daemonsets",
    singular="daemonset",
    kind="DaemonSet",
    short_names=("ds",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.DaemonSet",
    has_status=True,
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)
