"""`HorizontalPodAutoscaler` of `autoscaling/v2`."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.autoscaling import metrics, validation
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

MIN_REPLICAS = 1
CPU_UTILIZATION = 80

COLUMNS = (
    cells.NAME,
    Column(name="Reference", field="autoscaling.v2.HorizontalPodAutoscalerSpec.scaleTargetRef"),
    Column(name="Targets", field="autoscaling.v2.HorizontalPodAutoscalerSpec.metrics"),
    Column(name="MinPods", field="autoscaling.v2.HorizontalPodAutoscalerSpec.minReplicas"),
    Column(name="MaxPods", field="autoscaling.v2.HorizontalPodAutoscalerSpec.maxReplicas"),
    Column(name="Replicas", field="autoscaling.v2.HorizontalPodAutoscalerStatus.currentReplicas"),
    cells.AGE,
)

_SCALE_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: dict[str, Any] = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def default(autoscaler: Object) -> None:
    spec = section(autoscaler, "spec")
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = MIN_REPLICAS
    if not spec.get("metrics"):
        spec["metrics"] = [metrics.cpu_metric(CPU_UTILIZATION, "target")]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    for field, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
        given = behavior.get(field) or {}
        said = {key: value for key, value in given.items() if value is not None}
        behavior[field] = {**deepcopy(rules), **said}


def prepare_create(autoscaler: Object) -> None:
    autoscaler["status"] = {"desiredReplicas": 0, "currentMetrics": None}


def row(autoscaler: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(autoscaler), cells.status_of(autoscaler)
    target, minimum = spec.get("scaleTargetRef") or {}, spec.get("minReplicas")
    return [
        cells.name(autoscaler),
        f"{target.get('kind') or ''}/{target.get('name') or ''}",
        metrics.text(spec.get("metrics") or (), status.get("currentMetrics") or ()),
        cells.UNSET if minimum is None else str(minimum),
        cells.count(spec, "maxReplicas"),
        cells.count(status, "currentReplicas"),
        cells.age(autoscaler, now_s),
    ]


def validate_create(autoscaler: Object) -> Found:
    return validation.validate(autoscaler, replicas_min=MIN_REPLICAS)


def validate_update(new: Object, old: Object) -> Found:
    """One that was allowed to leave nothing may go on with it."""
    none = cells.spec_of(old).get("minReplicas") == 0
    return validation.validate(new, replicas_min=0 if none else MIN_REPLICAS)


KIND = Kind(
    group="autoscaling",
    version="v2",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    kind="HorizontalPodAutoscaler",
    short_names=("hpa",),
    categories=("all",),
    schema="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    has_status=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validation.validate_status,
)
