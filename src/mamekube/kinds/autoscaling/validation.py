"""What a HorizontalPodAutoscaler, as `autoscaling/v2` has it, is refused for."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.autoscaling import metrics
from mamekube.kinds.fields import Found, check, check_not_negative, check_quantity
from mamekube.objects import names, quantity
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

PERIOD_S_MAX = 1800
STABILIZATION_WINDOW_S_MAX = 3600
METRIC_TYPES = frozenset(metrics.SECTIONS)
SELECT_POLICIES = ("Disabled", "Max", "Min")
POLICY_TYPES = ("Percent", "Pods")
TARGET_TYPES = ("Utilization", "Value", "AverageValue")

_SECTIONS = ("object", "external", "pods", "resource", "containerResource")
"""In the order in which upstream looks at them: only the first that is there is looked into."""


def validate(autoscaler: Object, *, replicas_min: int) -> Found:
    """`replicas_min`: as few as it may leave."""
    found: Found = []
    spec = cells.spec_of(autoscaler)
    minimum, maximum = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if minimum is not None and minimum < replicas_min:
        detail = f"must be greater than or equal to {replicas_min}"
        found.append(invalid("spec.minReplicas", minimum, detail))
    if maximum < 1:
        found.append(invalid("spec.maxReplicas", maximum, "must be greater than 0"))
    if minimum is not None and maximum < minimum:
        detail = "must be greater than or equal to `minReplicas`"
        found.append(invalid("spec.maxReplicas", maximum, detail))
    _validate_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", found)
    _validate_metrics(spec.get("metrics") or (), found, minimum=minimum)
    behavior = spec.get("behavior") or {}
    for field in ("scaleUp", "scaleDown"):
        if behavior.get(field) is not None:
            _validate_rules(behavior[field], f"spec.behavior.{field}", found)
    return found


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    for field in ("currentReplicas", "desiredReplicas"):
        check_not_negative(cells.status_of(new), field, "status", found)
    return found


def _validate_reference(reference: dict[str, Any], path: str, found: Found) -> None:
    for field in ("kind", "name"):
        if not reference.get(field):
            found.append(required(f"{path}.{field}"))
        else:
            check(reference[field], f"{path}.{field}", names.path_segment, found)
    version = reference.get("apiVersion") or ""
    if version.count("/") > 1:
        found.append(invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))


def _validate_metrics(listed: Any, found: Found, *, minimum: int | None) -> None:
    for index, metric in enumerate(listed):
        _validate_metric(metric, f"spec.metrics[{index}]", found)
    if minimum == 0 and not any(metric.get("type") in ("Object", "External") for metric in listed):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        found.append(forbidden("spec.metrics", detail))


def _validate_metric(metric: dict[str, Any], path: str, found: Found) -> None:
    kind = metric.get("type") or ""
    if not kind:
        found.append(required(f"{path}.type", "must specify a metric source type"))
    if kind not in METRIC_TYPES:
        found.append(not_supported(f"{path}.type", kind, METRIC_TYPES))
    present = [section for section in _SECTIONS if metric.get(section) is not None]
    if present:
        _validate_source(metric[present[0]], present[0], f"{path}.{present[0]}", found)
    expected = metrics.SECTIONS.get(kind, "")
    if expected and expected not in present:
        detail = "must populate information for the given metric source"
        found.append(required(f"{path}.{expected}", detail))
    if len(present) != 1:
        detail = "must populate the given metric source only"
        found += [forbidden(f"{path}.{section}", detail) for section in present if section != expected]


def _validate_source(source: dict[str, Any], section: str, path: str, found: Found) -> None:
    target, at = source.get("target") or {}, f"{path}.target"
    if section == "object":
        _validate_reference(source.get("describedObject") or {}, f"{path}.describedObject", found)
    if section in ("object", "external", "pods"):
        name = (source.get("metric") or {}).get("name")
        if not name:
            found.append(required(f"{path}.metric.name", "must specify a metric name"))
        else:
            check(name, f"{path}.metric.name", names.path_segment, found)
    elif not source.get("name"):
        found.append(required(f"{path}.name", "must specify a resource name"))
    if section == "containerResource" and not source.get("container"):
        found.append(required(f"{path}.container", "must specify a container"))
    _validate_target(target, at, found)
    value, average = target.get("value"), target.get("averageValue")
    utilization = target.get("averageUtilization")
    if section == "object" and value is None and average is None:
        found.append(required(f"{at}.averageValue", "must set either a target value or averageValue"))
    elif section == "external":
        _validate_either(value, average, at, found)
    elif section == "pods" and average is None:
        found.append(required(f"{at}.averageValue", "must specify a positive target averageValue"))
    elif section in ("resource", "containerResource"):
        if utilization is None and average is None:
            detail = "must set either a target raw value or a target utilization"
            found.append(required(f"{at}.averageUtilization", detail))
        elif utilization is not None and average is not None:
            detail = "may not set both a target raw value and a target utilization"
            found.append(forbidden(f"{at}.averageValue", detail))


def _validate_either(value: Any, average: Any, path: str, found: Found) -> None:
    if value is None and average is None:
        detail = "must set either a target value for metric or a per-pod target"
        found.append(required(f"{path}.averageValue", detail))
    elif value is not None and average is not None:
        detail = "may not set both a target value for metric and a per-pod target"
        found.append(forbidden(f"{path}.value", detail))


def _validate_target(target: dict[str, Any], path: str, found: Found) -> None:
    kind = target.get("type") or ""
    if not kind:
        found.append(required(f"{path}.type", "must specify a metric target type"))
    if kind not in TARGET_TYPES:
        detail = "must be either Utilization, Value, or AverageValue"
        found.append(invalid(f"{path}.type", kind, detail))
    for field in ("value", "averageValue"):
        if target.get(field) is not None and not _is_positive(target[field]):
            found.append(invalid(f"{path}.{field}", str(target[field]), "must be positive"))
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        found.append(invalid(f"{path}.averageUtilization", utilization, "must be greater than 0"))


def _is_positive(amount: Any) -> bool:
    try:
        return quantity.parse_any(amount) > 0
    except ValueError:
        return False


def _validate_rules(rules: dict[str, Any], path: str, found: Found) -> None:
    window, chosen = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    if window is not None and window < 0:
        detail = "must be greater than or equal to zero"
        found.append(invalid(f"{path}.stabilizationWindowSeconds", window, detail))
    if window is not None and window > STABILIZATION_WINDOW_S_MAX:
        detail = f"must be less than or equal to {STABILIZATION_WINDOW_S_MAX}"
        found.append(invalid(f"{path}.stabilizationWindowSeconds", window, detail))
    if chosen is not None and chosen not in SELECT_POLICIES:
        found.append(not_supported(f"{path}.selectPolicy", chosen, SELECT_POLICIES))
    if not rules.get("policies"):
        found.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(rules.get("policies") or ()):
        _validate_policy(policy, f"{path}.policies[{index}]", found)
    if rules.get("tolerance") is not None:
        check_quantity(rules["tolerance"], f"{path}.tolerance", found)


def _validate_policy(policy: dict[str, Any], path: str, found: Found) -> None:
    kind, period = policy.get("type") or "", policy.get("periodSeconds") or 0
    if kind not in POLICY_TYPES:
        found.append(not_supported(f"{path}.type", kind, POLICY_TYPES))
    for field in ("value", "periodSeconds"):
        if (policy.get(field) or 0) <= 0:
            found.append(invalid(f"{path}.{field}", policy.get(field) or 0, "must be greater than zero"))
    if period > PERIOD_S_MAX:
        found.append(
            invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {PERIOD_S_MAX}")
        )
