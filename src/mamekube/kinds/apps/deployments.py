"""`Deployment` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Ready", description="Number of the pod with ready state"),
    Column(name="Up-to-date"),
    Column(name="Available"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    cells.SELECTOR,
)


def default(deployment: Object) -> None:
    spec = deployment.setdefault("spec", {})
    default_template(spec.get("template"))
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    strategy = spec.get("strategy")
    if strategy is None:
        strategy = spec["strategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate")
        if rolling is None:
            rolling = strategy["rollingUpdate"] = {}
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
        cells.selector_text(spec.get("selector")),
    ]


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
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)
