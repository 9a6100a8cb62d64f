"""`HorizontalPodAutoscaler` of `autoscaling/v2`."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.autoscaling import metrics
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid, not_supported, required
from mamekube.objects.meta import Object

MIN_REPLICAS = 1
CPU_UTILIZATION = 80

COLUMNS = (
    cells.NAME,
    Column(name="Reference"),
    Column(name="Targets"),
    Column(name="MinPods"),
    Column(name="MaxPods"),
    Column(name="Replicas"),
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


METRIC_TYPES = frozenset(metrics.SECTIONS)


def validate(autoscaler: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(autoscaler)
    minimum, maximum = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if minimum is not None and minimum < MIN_REPLICAS:
        detail = f"must be greater than or equal to {MIN_REPLICAS}"
        found.append(invalid("spec.minReplicas", minimum, detail))
    if maximum < 1:
        found.append(invalid("spec.maxReplicas", maximum, "must be greater than 0"))
    elif minimum is not None and maximum < minimum:
        detail = "must be greater than or equal to `minReplicas`"
        found.append(invalid("spec.maxReplicas", maximum, detail))
    target = spec.get("scaleTargetRef") or {}
    found.extend(required(f"spec.scaleTargetRef.{key}") for key in ("kind", "name") if not target.get(key))
    for index, metric in enumerate(spec.get("metrics") or ()):
        _validate_metric(metric, f"spec.metrics[{index}]", found)
    return found


def _validate_metric(metric: dict[str, Any], path: str, found: Found) -> None:
    kind = metric.get("type") or ""
    if not kind:
        found.append(required(f"{path}.type", "must specify a metric source type"))
        return
    if kind not in METRIC_TYPES:
        found.append(not_supported(f"{path}.type", kind, METRIC_TYPES))
        return
    section = metrics.SECTIONS[kind]
    source, source_path = metric.get(section), f"{path}.{section}"
    if source is None:
        found.append(required(source_path, f"must populate the given metric source type {kind}"))
        return
    target = source.get("target") or {}
    if section in ("resource", "containerResource") and not source.get("name"):
        found.append(required(f"{source_path}.name", "must specify a resource name"))
    if not target.get("type"):
        found.append(required(f"{source_path}.target.type", "must specify a metric target type"))
    if target.get("averageUtilization") is not None and target["averageUtilization"] < 1:
        value = target["averageUtilization"]
        found.append(invalid(f"{source_path}.target.averageUtilization", value, "must be greater than 0"))


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
    validate=validate,
)
