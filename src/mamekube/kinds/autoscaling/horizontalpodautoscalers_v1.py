"""`HorizontalPodAutoscaler` of `autoscaling/v1`."""

from __future__ import annotations

import json
from typing import Any

from mamekube.kinds.autoscaling import horizontalpodautoscalers as v2
from mamekube.kinds.autoscaling import metrics, validation
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"


def to_storage(autoscaler: Object) -> Object:
    """As v2. What v1 has no field for comes back out of the annotations that `from_storage` put it in."""
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    annotations = dict((autoscaler.get("metadata") or {}).get("annotations") or {})
    targets = _loaded(annotations.pop(METRICS, None))
    readings = _loaded(annotations.pop(CURRENT_METRICS, None))
    cpu, cpu_now = (
        spec.pop("targetCPUUtilizationPercentage", None),
        status.pop("currentCPUUtilizationPercentage", None),
    )
    if cpu is not None:
        targets.insert(0, metrics.cpu_metric(cpu, "target"))
    if cpu_now is not None:
        readings.insert(0, metrics.cpu_metric(cpu_now, "current"))
    behavior = _loaded(annotations.pop(BEHAVIOR, None))
    conditions = _loaded(annotations.pop(CONDITIONS, None))
    if targets:
        spec["metrics"] = targets
    if behavior:
        spec["behavior"] = behavior[0]
    if readings:
        status["currentMetrics"] = readings
    if conditions:
        status["conditions"] = conditions
    if status:
        # v2 leaves out this count while it is zero, and never the readings.
        status = {key: value for key, value in status.items() if value or key != "currentReplicas"}
        status.setdefault("currentMetrics", None)
    return _rebuilt(autoscaler, "autoscaling/v2", spec, status, annotations)


def from_storage(autoscaler: Object) -> Object:
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    annotations = dict((autoscaler.get("metadata") or {}).get("annotations") or {})
    targets, readings = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    cpu, cpu_now = metrics.cpu_utilization(targets, "target"), metrics.cpu_utilization(readings, "current")
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu
    if cpu_now is not None:
        status["currentCPUUtilizationPercentage"] = cpu_now
    if status:
        status.setdefault("currentReplicas", 0)
    behavior = spec.pop("behavior", None)
    for key, values in (
        (METRICS, [item for item in targets if metrics.cpu_utilization([item], "target") is None]),
        (CURRENT_METRICS, [item for item in readings if metrics.cpu_utilization([item], "current") is None]),
        (CONDITIONS, status.pop("conditions", None) or []),
        (BEHAVIOR, [behavior] if behavior else []),
    ):
        if values:
            annotations[key] = json.dumps(values, separators=(",", ":"))
    return _rebuilt(autoscaler, "autoscaling/v1", spec, status, annotations)


def _rebuilt(
    autoscaler: Object, api_version: str, spec: Object, status: Object, annotations: dict[str, str]
) -> Object:
    metadata = {**(autoscaler.get("metadata") or {}), "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    made = {**autoscaler, "apiVersion": api_version, "metadata": metadata, "spec": spec}
    if status or "status" in autoscaler:
        made["status"] = status
    return made


def _loaded(text: str | None) -> list[Any]:
    try:
        value = json.loads(text) if text else []
    except ValueError:
        return []
    return value if isinstance(value, list) else []


def default(autoscaler: Object) -> None:
    spec = section(autoscaler, "spec")
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = v2.MIN_REPLICAS
    annotations = (autoscaler.get("metadata") or {}).get("annotations") or {}
    if spec.get("targetCPUUtilizationPercentage") is None and METRICS not in annotations:
        spec["targetCPUUtilizationPercentage"] = v2.CPU_UTILIZATION


def prepare_create(autoscaler: Object) -> None:
    autoscaler["status"] = {"currentReplicas": 0, "desiredReplicas": 0}


def row(autoscaler: Object, now_s: float) -> list[Any]:
    return v2.row(to_storage(autoscaler), now_s)


def validate_create(autoscaler: Object) -> Found:
    return v2.validate_create(to_storage(autoscaler))


def validate_update(new: Object, old: Object) -> Found:
    return v2.validate_update(to_storage(new), to_storage(old))


KIND = Kind(
    group="autoscaling",
    version="v1",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    kind="HorizontalPodAutoscaler",
    short_names=("hpa",),
    categories=("all",),
    schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    has_status=True,
    default=default,
    prepare_create=prepare_create,
    columns=v2.COLUMNS,
    row=row,
    storage=v2.KIND,
    to_storage=to_storage,
    from_storage=from_storage,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validation.validate_status,
)
