"""Metrics of a HorizontalPodAutoscaler: their text in tables, and their form in `autoscaling/v1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kinds import cells

SHOWN_MAX = 2
UNKNOWN = "<unknown>"

SECTIONS = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
"""By the type of a metric, the field that describes it."""


def text(specs: Sequence[Mapping[str, Any]], statuses: Sequence[Mapping[str, Any]]) -> str:
    """`cpu: 10%/80%`, of the first two."""
    if not specs:
        return cells.NONE
    texts = []
    for index, spec in enumerate(specs):
        status = statuses[index] if index < len(statuses) else {}
        texts.append(_metric_text(spec, status))
    if len(texts) > SHOWN_MAX:
        return f"{', '.join(texts[:SHOWN_MAX])} + {len(texts) - SHOWN_MAX} more..."
    return ", ".join(texts)


def _metric_text(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    section = SECTIONS.get(spec.get("type") or "")
    if section is None:
        return "<unknown type>"
    source, seen = spec.get(section) or {}, status.get(section)
    target, current = source.get("target") or {}, (seen or {}).get("current") or {}
    if section in ("resource", "containerResource"):
        return f"{source.get('name') or ''}: {_resource_text(target, current, seen is not None)}"
    if section != "pods" and target.get("averageValue") is not None:
        value = current.get("averageValue")
        now = UNKNOWN if value is None else _amount(value)
        return f"{now}/{_amount(target['averageValue'])} (avg)"
    field = "averageValue" if section == "pods" else "value"
    now = UNKNOWN if seen is None else _amount(current.get(field))
    return f"{now}/{_amount(target.get(field))}"


def _amount(value: Any) -> str:
    """What is left out is not zero, but what Go prints of a pointer to nothing."""
    return "<nil>" if value is None else cells.quantity_text(value)


def _resource_text(target: Mapping[str, Any], current: Mapping[str, Any], seen: bool) -> str:
    if target.get("averageValue") is not None:
        now = _amount(current.get("averageValue")) if seen else UNKNOWN
        return f"{now}/{_amount(target['averageValue'])}"
    used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    return f"{UNKNOWN if used is None else f'{used}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"


def cpu_utilization(metrics: Sequence[Mapping[str, Any]], side: str) -> int | None:
    """The utilization of CPU among targets (`side` is `target`) or readings (`current`)."""
    for metric in metrics:
        resource = metric.get("resource") or {}
        if metric.get("type") == "Resource" and resource.get("name") == "cpu":
            value = (resource.get(side) or {}).get("averageUtilization")
            if value is not None:
                return int(value)
    return None


def cpu_metric(utilization: int, side: str) -> dict[str, Any]:
    amount: dict[str, Any] = {"averageUtilization": utilization}
    if side == "target":
        amount["type"] = "Utilization"
    return {"type": "Resource", "resource": {"name": "cpu", side: amount}}
