"""Values of CEL as JSON: what mutations put into objects."""

from __future__ import annotations

import base64
import math
from typing import Any

from mamekube.objects import quantity
from mamekube.objects.cel.library.standard import duration_text, timestamp_text
from mamekube.objects.cel.values import Duration, Optional, Quantity, Timestamp, UInt, type_name


class NotJson(Exception):
    """A value that JSON has no form for."""


def to_json(value: Any) -> Any:
    """Raises NotJson."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, UInt):
        return int(value)
    if isinstance(value, (int, float)):
        if isinstance(value, float) and math.isfinite(value) and value == int(value):
            return int(value)
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if type(value) in (list, tuple):
        return [to_json(element) for element in value]
    if isinstance(value, dict):
        return {_key(key): to_json(inner) for key, inner in value.items()}
    return _special(value)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotJson(f"a key of type {type_name(key)}")
    return key


def _special(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return timestamp_text(value)
    if isinstance(value, Duration):
        return duration_text(value)
    if isinstance(value, Quantity):
        return quantity.render(value.amount, value.style)
    if isinstance(value, Optional) and value.present:
        return to_json(value.value)
    raise NotJson(f"unsupported type conversion: '{type_name(value)}' to google.protobuf.Value")
