"""`HorizontalPodAutoscaler` of `autoscaling/v2`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

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
)
