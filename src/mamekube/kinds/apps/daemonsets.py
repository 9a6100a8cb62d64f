"""`DaemonSet` of `apps/v1`."""

from __future__ import annotations

import re
from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.apps import workloads
from mamekube.kinds.fields import (
    Found,
    check_int_or_percent,
    check_not_negative,
    check_percent_max,
    int_or_percent,
    section,
)
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import validation, warnings
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.fielderrors import Struct, invalid, not_supported, required
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
    *(Column(name=name, type="integer", field=f"apps.v1.DaemonSetStatus.{field}") for name, field in _COUNTS),
    Column(name="Node Selector", field="core.v1.PodSpec.nodeSelector"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column(name="Selector", field="apps.v1.DaemonSetSpec.selector", priority=1),
)


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""How often the template has changed. A field of the spec until apps/v1, which shows it as this annotation."""


def template_generation(daemon_set: Object) -> int:
    """0 where it is not told."""
    text = ((daemon_set.get("metadata") or {}).get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    return int(text) if isinstance(text, str) and _INT64.fullmatch(text) else 0


_INT64 = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


def _count(daemon_set: Object, generation: int) -> None:
    described = section(daemon_set, "metadata")
    described["annotations"] = {**(described.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def default(daemon_set: Object) -> None:
    _count(daemon_set, template_generation(daemon_set))
    spec = section(daemon_set, "spec")
    default_template(spec.get("template"))
    strategy = section(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = section(strategy, "rollingUpdate")
        if rolling.get("maxUnavailable") is None:
            rolling["maxUnavailable"] = 1
        if rolling.get("maxSurge") is None:
            rolling["maxSurge"] = 0
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10


def prepare_create(daemon_set: Object) -> None:
    _count(daemon_set, max(1, template_generation(daemon_set)))
    # All of the status are counts that upstream writes even while they are zero.
    daemon_set["status"] = dict.fromkeys(
        ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0
    )


def prepare_update(new: Object, old: Object) -> None:
    changed = cells.spec_of(new).get("template") != cells.spec_of(old).get("template")
    _count(new, template_generation(old) + changed)


def prepare_status(new: Object, old: Object, now_s: float) -> None:
    _count(new, template_generation(old))


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


STRATEGIES = ("RollingUpdate", "OnDelete")


def validate(daemon_set: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(daemon_set)
    selector, template = spec.get("selector"), spec.get("template") or {}
    selectors.validate(selector, "spec.selector", found)
    if not found:
        selectors.validate_template_labels(selector, template, "spec.template", found)
    if selectors.is_empty(selector):
        found.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    validation.validate_template(template, "spec.template", found)
    validation.validate_long_running(template, "spec.template", found, owner="DaemonSet")
    check_not_negative(spec, "minReadySeconds", "spec", found)
    _validate_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy", found)
    check_not_negative(spec, "revisionHistoryLimit", "spec", found)
    return found


def _validate_strategy(strategy: dict[str, Any], path: str, found: Found) -> None:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return
    if kind != "RollingUpdate":
        found.append(not_supported(path, Struct(Type=kind or "", RollingUpdate=rolling), STRATEGIES))
        return
    rolling_path = f"{path}.rollingUpdate"
    if rolling is None:
        found.append(required(rolling_path))
        return
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    for field, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        check_int_or_percent(value, f"{rolling_path}.{field}", found)
        check_percent_max(value, f"{rolling_path}.{field}", found)
    if int_or_percent(unavailable) and int_or_percent(surge):
        detail = "may not be set when maxUnavailable is non-zero"
        found.append(invalid(f"{rolling_path}.maxSurge", surge, detail))
    elif not int_or_percent(unavailable) and not int_or_percent(surge):
        found.append(required(f"{rolling_path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def validate_status(new: Object, old: Object) -> Found:
    found = workloads.validate_counts(
        cells.status_of(new),
        (
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ),
    )
    workloads.validate_collisions(new, old, found)
    return found


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
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=workloads.validate_selector_update,
    validate_status=validate_status,
    warnings=warnings.of_template("spec", "template"),
)
