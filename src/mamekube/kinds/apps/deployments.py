"""`Deployment` of `apps/v1`."""

from __future__ import annotations

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
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec import validation, warnings
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.ages import INVALID
from mamekube.objects.fielderrors import Struct, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object, annotations_of, metadata

COLUMNS = (
    cells.NAME,
    Column(name="Ready", description="Number of the pod with ready state"),
    Column(name="Up-to-date", field="apps.v1.DeploymentStatus.updatedReplicas"),
    Column(name="Available", field="apps.v1.DeploymentStatus.availableReplicas"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column(name="Selector", field="apps.v1.DeploymentSpec.selector", priority=1),
)


def default(deployment: Object) -> None:
    spec = section(deployment, "spec")
    default_template(spec.get("template"))
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    strategy = section(spec, "strategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = section(strategy, "rollingUpdate")
        for field in ("maxUnavailable", "maxSurge"):
            if rolling.get(field) is None:
                rolling[field] = "25%"
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    if spec.get("progressDeadlineSeconds") is None:
        spec["progressDeadlineSeconds"] = 600


def prepare_create(deployment: Object) -> None:
    deployment["status"] = {}


def row(deployment: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(deployment), cells.status_of(deployment)
    return [
        cells.name(deployment),
        f"{cells.count(status, 'readyReplicas')}/{cells.count(spec, 'replicas')}",
        cells.count(status, "updatedReplicas"),
        cells.count(status, "availableReplicas"),
        cells.age(deployment, now_s),
        *cells.container_cells(spec.get("template")),
        cells.selector_text(spec.get("selector"), invalid=INVALID),
    ]


STRATEGIES = ("Recreate", "RollingUpdate")


def validate(deployment: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(deployment)
    check_not_negative(spec, "replicas", "spec", found)
    if workloads.validate_selector(spec, found, empty="deployment"):
        template = spec.get("template") or {}
        selectors.validate_template_labels(spec.get("selector"), template, "spec.template", found)
        validation.validate_template(template, "spec.template", found)
        validation.validate_long_running(template, "spec.template", found, owner="ReplicaSet")
    _validate_strategy(spec.get("strategy") or {}, "spec.strategy", found)
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        check_not_negative(spec, field, "spec", found)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= cells.count(spec, "minReadySeconds"):
        detail = "must be greater than minReadySeconds"
        found.append(invalid("spec.progressDeadlineSeconds", deadline, detail))
    return found


def _validate_strategy(strategy: dict[str, Any], path: str, found: Found) -> None:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            found.append(forbidden(f"{path}.rollingUpdate", detail))
    elif kind != "RollingUpdate":
        found.append(not_supported(path, Struct(Type=kind or "", RollingUpdate=rolling), STRATEGIES))
    elif rolling is None:
        found.append(required(f"{path}.rollingUpdate", "this should be defaulted and never be nil"))
    else:
        unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        check_int_or_percent(unavailable, f"{path}.rollingUpdate.maxUnavailable", found)
        check_int_or_percent(surge, f"{path}.rollingUpdate.maxSurge", found)
        if not int_or_percent(unavailable) and not int_or_percent(surge):
            detail = "may not be 0 when `maxSurge` is 0"
            found.append(invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, detail))
        check_percent_max(unavailable, f"{path}.rollingUpdate.maxUnavailable", found)


def validate_status(new: Object, old: Object) -> Found:
    status = cells.status_of(new)
    found = workloads.validate_counts(
        status,
        (
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ),
    )
    pairs = (
        ("updatedReplicas", "replicas"),
        ("readyReplicas", "replicas"),
        ("availableReplicas", "replicas"),
        ("availableReplicas", "readyReplicas"),
    )
    workloads.validate_at_most(status, pairs, found)
    workloads.validate_collisions(new, old, found)
    return found


def prepare_update(new: Object, old: Object) -> None:
    """Annotations count as much as the spec: what asks for a rollback or records a cause is seen as a change."""
    if annotations_of(new) != annotations_of(old):
        section(new, "metadata")["generation"] = cells.count(metadata(old), "generation") + 1


KIND = Kind(
    group="apps",
    version="v1",
    plural="deployments",
    singular="deployment",
    kind="Deployment",
    short_names=("deploy",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.Deployment",
    has_status=True,
    status_resets=(("metadata", "labels"),),
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=workloads.validate_selector_update,
    validate_status=validate_status,
    warnings=warnings.of_workload("spec", "template"),
    prepare_update=prepare_update,
)
