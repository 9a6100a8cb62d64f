"""How much of a device's capacity may be asked for where several may have it at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mamekube.kinds.fields import Found
from mamekube.kinds.podspec.defaults import canonical_or_same
from mamekube.kinds.resource.lists import check_set
from mamekube.objects import quantity
from mamekube.objects.fielderrors import forbidden, invalid, required

VALUES_MAX = 10


def default_policy(policy: dict[str, Any]) -> None:
    _canonicalize(policy, "default")
    _canonicalize(policy.get("validRange") or {}, "min", "max", "step")
    if policy.get("validValues"):
        policy["validValues"] = list(map(canonical_or_same, policy["validValues"]))


def _canonicalize(holder: dict[str, Any], *fields: str) -> None:
    for field in fields:
        if holder.get(field) is not None:
            holder[field] = canonical_or_same(holder[field])


def check_capacity(capacity: dict[str, Any], path: str, found: Found, *, shared: bool) -> None:
    """`shared`: whether the device may be allocated more than once."""
    policy = capacity.get("requestPolicy")
    if policy is None:
        return
    path, most = f"{path}.requestPolicy", capacity.get("value", "0")
    values, span, preset = policy.get("validValues"), policy.get("validRange"), policy.get("default")
    if not shared:
        found.append(forbidden(path, "allowMultipleAllocations must be true"))
    elif values and span is not None:
        detail = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        found.append(forbidden(path, detail))
    elif values or span is not None:
        field = "validValues" if values else "validRange"
        if preset is None:
            found.append(required(f"{path}.default", f"required when {field} is defined"))
        elif values:
            _check_values(values, preset, most, f"{path}.{field}", found)
        else:
            _check_range(span, preset, most, f"{path}.{field}", found)


def _check_values(values: list[Any], preset: Any, most: Any, path: str, found: Found) -> None:
    for index in range(1, len(values)):
        if _amount(values[index - 1]) > _amount(values[index]):
            detail = "values must be sorted in ascending order"
            found.append(invalid(f"{path}[{index}]", _text(values[index]), detail))

    def check_one(value: Any, at: str, found: Found) -> None:
        if _amount(value) > _amount(most):
            detail = f"option is larger than capacity value: {_text(most)}"
            found.append(invalid(at, _text(value), detail))

    check_set(
        values,
        path,
        found,
        most=VALUES_MAX,
        each=check_one,
        key=quantity.value,
        shown=lambda value: str(quantity.value(value)),
    )
    if _amount(preset) not in map(_amount, values[:VALUES_MAX]) or len(values) > VALUES_MAX:
        detail = "default value is not valid according to the requestPolicy"
        found.append(invalid(path, _text(preset), detail))


def _check_range(span: dict[str, Any], preset: Any, most: Any, path: str, found: Found) -> None:
    low, high, step = span.get("min"), span.get("max"), span.get("step")
    if low is None:
        found.append(required(f"{path}.min", "required when validRange is defined"))
        return
    if _amount(low) > _amount(most):
        found.append(invalid(f"{path}.min", _text(low), f"min is larger than capacity value: {_text(most)}"))
    if _amount(preset) < _amount(low):
        found.append(invalid(f"{path}.default", _text(preset), f"default is less than min: {_text(low)}"))
    if high is not None:
        if _amount(low) > _amount(high):
            found.append(invalid(f"{path}.max", _text(low), f"min is larger than max: {_text(high)}"))
        if _amount(high) > _amount(most):
            detail = f"max is larger than capacity value: {_text(most)}"
            found.append(invalid(f"{path}.max", _text(high), detail))
        if _amount(preset) > _amount(high):
            detail = f"default is more than max: {_text(high)}"
            found.append(invalid(f"{path}.default", _text(preset), detail))
    if step is not None:
        _check_step(span, preset, most, path, found)


def _check_step(span: dict[str, Any], preset: Any, most: Any, path: str, found: Found) -> None:
    low, high, step, path = span["min"], span.get("max"), span["step"], f"{path}.step"
    if _amount(step) <= 0:
        found.append(invalid(path, _text(step), "must be greater than zero"))
        return
    added = quantity.add(low, step)
    if _amount(added) > _amount(most):
        detail = f"one step {added} is larger than capacity value: {_text(most)}"
        found.append(invalid(path, _text(step), detail))
    for value in (preset, *([high] if high is not None else [])):
        if (quantity.value(value) - quantity.value(low)) % quantity.value(step):
            detail = f"value is not a multiple of a given step ({_text(step)}) from ({_text(low)})"
            found.append(invalid(path, _text(value), detail))


def _amount(value: Any) -> Decimal:
    return quantity.parse_any(value)


def _text(value: Any) -> str:
    return quantity.canonical(str(value))
