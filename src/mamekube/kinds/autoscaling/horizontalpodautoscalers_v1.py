"""`HorizontalPodAutoscaler` of `autoscaling/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

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
)
