"""What operators do: arithmetic that tells of overflow, comparisons, membership, indices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mamekube.foundation.slices import each
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.values import (
    LISTS,
    MISSING,
    Duration,
    MapList,
    SetList,
    Timestamp,
    UInt,
    checked_duration,
    checked_int,
    checked_timestamp,
    checked_uint,
    compare,
    equal,
    type_name,
    unescape,
)


def no_overload() -> EvaluationError:
    return EvaluationError("no such overload")


def add(first: Any, second: Any) -> Any:
    one, other = type(first), type(second)
    if one is other:
        if one is int:
            return checked_int(first + second)
        if one in (str, float, bytes, list):
            return first + second
        if one is UInt:
            return checked_uint(int(first) + int(second))
        if one is Duration:
            return checked_duration(first.ns + second.ns)
    if one in LISTS and other in LISTS:
        return first.joined(second) if one in (SetList, MapList) else [*first, *second]
    if one is Timestamp and other is Duration:
        return checked_timestamp(first.ns + second.ns, first.offset_s)
    if one is Duration and other is Timestamp:
        return checked_timestamp(first.ns + second.ns, second.offset_s)
    raise no_overload()


def subtract(first: Any, second: Any) -> Any:
    one, other = type(first), type(second)
    if one is other:
        if one is int:
            return checked_int(first - second)
        if one is float:
            return first - second
        if one is UInt:
            return checked_uint(int(first) - int(second))
        if one in (Duration, Timestamp):
            return checked_duration(first.ns - second.ns)
    if one is Timestamp and other is Duration:
        return checked_timestamp(first.ns - second.ns, first.offset_s)
    raise no_overload()


def multiply(first: Any, second: Any) -> Any:
    if type(first) is type(second):
        if type(first) is int:
            return checked_int(first * second)
        if type(first) is float:
            return first * second
        if type(first) is UInt:
            return checked_uint(int(first) * int(second))
    raise no_overload()


def divide(first: Any, second: Any) -> Any:
    if type(first) is not type(second):
        raise no_overload()
    if type(first) is float:
        if second:
            return first / second
        if not first or math.isnan(first):
            return math.nan
        return math.copysign(math.inf, first) * math.copysign(1.0, second)
    if type(first) not in (int, UInt):
        raise no_overload()
    if not second:
        raise EvaluationError("division by zero")
    if type(first) is UInt:
        return UInt(int(first) // int(second))
    return checked_int(_truncated(first, second))


def modulo(first: Any, second: Any) -> Any:
    if type(first) is not type(second) or type(first) not in (int, UInt):
        raise no_overload()
    if not second:
        raise EvaluationError("modulus by zero")
    if type(first) is UInt:
        return UInt(int(first) % int(second))
    return first - _truncated(first, second) * second


def _truncated(first: int, second: int) -> int:
    quotient = abs(first) // abs(second)
    return quotient if (first < 0) == (second < 0) else -quotient


def negate(value: Any) -> Any:
    if type(value) is int:
        return checked_int(-value)
    if type(value) is float:
        return -value
    if type(value) is Duration:
        return checked_duration(-value.ns)
    raise no_overload()


def invert(value: Any) -> bool:
    if value is True:
        return False
    if value is False:
        return True
    raise no_overload()


def contains(element: Any, container: Any) -> bool:
    """`element in container`."""
    if type(container) in LISTS:
        return any(equal(element, candidate) for candidate in each(container))
    if isinstance(container, dict):
        return lookup(container, element) is not MISSING
    raise no_overload()


def lookup(mapping: dict[Any, Any], key: Any) -> Any:
    """The value of a key, numbers of any type being one key, or MISSING."""
    if type(key) is str:
        return mapping.get(key, MISSING)
    if isinstance(key, (list, dict)):
        return MISSING
    for candidate, value in mapping.items():
        if equal(candidate, key):
            return value
    return MISSING


def index(container: Any, key: Any) -> Any:
    """`container[key]`"""
    kind = type(container)
    if isinstance(container, dict):
        value = lookup(container, key)
        if value is MISSING:
            raise EvaluationError(f"no such key: {shown(key)}")
        return value
    if kind in LISTS:
        position = whole(key)
        if not 0 <= position < len(container):
            raise EvaluationError(f"index out of bounds: {position}")
        return container[position]
    raise EvaluationError("no such overload")


def whole(key: Any) -> int:
    """A number as a position in a list."""
    if type(key) in (int, UInt):
        return int(key)
    if type(key) is float and key == math.trunc(key):
        return int(key)
    raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")


def find(container: Any, name: str) -> Any:
    """The field `name`, or MISSING. Raises where there can be no fields."""
    if isinstance(container, dict):
        value = container.get(name, MISSING)
        if value is MISSING and "__" in name:
            return container.get(unescape(name), MISSING)
        return value
    finder: Callable[[str], Any] | None = getattr(container, "find", None)
    if finder is not None and not isinstance(container, (str, bytes)):
        return finder(name)
    if type(container) in LISTS:
        raise EvaluationError("unsupported index type 'string' in list")
    raise EvaluationError(f"no such key: {name}" if container is None else "no such overload")


def shown(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def less(first: Any, second: Any) -> bool:
    return compare(first, second) < 0


def less_or_equal(first: Any, second: Any) -> bool:
    return compare(first, second) <= 0


def greater(first: Any, second: Any) -> bool:
    return compare(first, second) > 0


def greater_or_equal(first: Any, second: Any) -> bool:
    return compare(first, second) >= 0


def differ(first: Any, second: Any) -> bool:
    return not equal(first, second)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "_+_": add,
    "_-_": subtract,
    "_*_": multiply,
    "_/_": divide,
    "_%_": modulo,
    "_==_": equal,
    "_!=_": differ,
    "_<_": less,
    "_<=_": less_or_equal,
    "_>_": greater,
    "_>=_": greater_or_equal,
    "@in": contains,
    "_[_]": index,
}
UNARY: dict[str, Callable[[Any], Any]] = {"-_": negate, "!_": invert}


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, dict)) else 1


def tenth(length: int) -> int:
    """What it costs to go through a text."""
    return -(-length // 10)


def cost(function: str, first: Any, second: Any) -> int:
    """What a binary operator costs on these values, as upstream counts it."""
    if function == "@in":
        return max(_length(second), 1) if isinstance(second, list) else 1
    if function == "_+_":
        if isinstance(first, (str, bytes)):
            return tenth(len(first) + _length(second))
        return max(1, tenth(_length(first) + _length(second))) if isinstance(first, list) else 1
    if function in ("_==_", "_!=_"):
        return tenth(min(_deep(first), _deep(second)))
    if isinstance(first, (str, bytes)) and isinstance(second, (str, bytes)):
        return tenth(min(len(first), len(second)))
    return 1


def _deep(value: Any) -> int:
    """The size of a value with all that is in it: Python compares it in about as many steps."""
    if type(value) in LISTS:
        return 1 + sum(map(_deep, value))
    if isinstance(value, dict):
        return 1 + sum(map(_deep, value.values()))
    return len(value) if isinstance(value, (str, bytes)) else 1
