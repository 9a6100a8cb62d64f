"""CEL's own functions: sizes, conversions, times, types, optionals."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.operators import tenth
from mamekube.objects.cel.regex import compile_pattern
from mamekube.objects.cel.values import (
    INT_MAX,
    INT_MIN,
    MISSING,
    NANOS,
    NONE,
    TIME_MIN_NS,
    UINT_MAX,
    Cidr,
    Duration,
    Ip,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    checked_duration,
    checked_timestamp,
    type_name,
)
from mamekube.objects.gotext import TRUE


def through(*values: Any) -> int:
    """The cost of going once through the first value, a text."""
    return tenth(len(values[0])) or 1


for _type in ("string", "bytes", "list(A)", "map(A, B)"):
    for _member in (False, True):
        declare("size", _type, "int", member=_member)(len)


# Texts --------------------------------------------------------------------------------------------------


def _with_part(text: str, part: str) -> int:
    return tenth(len(part)) or 1


def _within_text(text: str, part: str) -> int:
    return (tenth(len(text)) or 1) * (tenth(len(part)) or 1)


declare("startsWith", "string, string", "bool", member=True, cost=_with_part)(str.startswith)
declare("endsWith", "string, string", "bool", member=True, cost=_with_part)(str.endswith)


@declare("contains", "string, string", "bool", member=True, cost=_within_text)
def contains(text: str, part: str) -> bool:
    return part in text


def matching_cost(text: str, pattern: str, *limit: int) -> int:
    return tenth(len(text) + 1) * max(1, -(-len(pattern) // 4))


@declare("matches", "string, string", "bool", member=True, cost=matching_cost)
@declare("matches", "string, string", "bool", cost=matching_cost)
def matches(text: str, pattern: str) -> bool:
    return compile_pattern(pattern).search(text) is not None


# Conversions --------------------------------------------------------------------------------------------

for _name, _own in (("int", "int"), ("uint", "uint"), ("double", "double"), ("string", "string")):
    declare(_name, _own, _own)(lambda value: value)
declare("bytes", "bytes", "bytes")(lambda value: value)
declare("bool", "bool", "bool")(lambda value: value)
declare("timestamp", "timestamp", "timestamp")(lambda value: value)
declare("duration", "duration", "duration")(lambda value: value)
declare("dyn", "A", "dyn")(lambda value: value)


@declare("type", "A", "type(A)")
def type_value(value: Any) -> TypeValue:
    return TypeValue(type_name(value))


@declare("int", "uint", "int")
@declare("int", "double", "int")
def to_int(value: float) -> int:
    if isinstance(value, float) and (not math.isfinite(value) or not INT_MIN < value < INT_MAX):
        raise EvaluationError("integer overflow")
    whole = int(value)
    if whole > INT_MAX:
        raise EvaluationError("integer overflow")
    return whole


@declare("int", "string", "int")
def text_to_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        raise EvaluationError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    value = int(text) if len(text) < 30 else INT_MAX + 1
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return value


@declare("int", "timestamp", "int")
def time_to_int(value: Timestamp) -> int:
    return value.ns // NANOS


@declare("int", "duration", "int")
def duration_to_int(value: Duration) -> int:
    return value.ns


@declare("uint", "int", "uint")
@declare("uint", "double", "uint")
def to_uint(value: float) -> UInt:
    if isinstance(value, float) and not math.isfinite(value):
        raise EvaluationError("unsigned integer overflow")
    whole = int(value)
    if not 0 <= whole <= UINT_MAX or value < 0:
        raise EvaluationError("unsigned integer overflow")
    return UInt(whole)


@declare("uint", "string", "uint")
def text_to_uint(text: str) -> UInt:
    if not re.fullmatch(r"[0-9]+", text, re.ASCII):
        raise EvaluationError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > 30 or int(text) > UINT_MAX:
        raise EvaluationError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return UInt(int(text))


declare("double", "int", "double")(float)
declare("double", "uint", "double")(float)


@declare("double", "string", "double")
def text_to_double(text: str) -> float:
    try:
        return float(text.strip() if text.strip() == text and "_" not in text else "x")
    except ValueError:
        raise EvaluationError(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from None


@declare("bool", "string", "bool")
def text_to_bool(text: str) -> bool:
    if text in TRUE:
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise EvaluationError(f"type conversion error from '{text}' to 'bool'")


declare("string", "int", "string")(str)
declare("string", "uint", "string")(lambda value: str(int(value)))


@declare("string", "bool", "string")
def bool_text(value: bool) -> str:
    return "true" if value else "false"


@declare("string", "double", "string")
def double_text(value: float) -> str:
    """As Go prints it: the shortest digits, with an exponent of two digits when it is large or small."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if not value:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    point = len(digits) + exponent
    if -4 <= point - 1 < 6:
        return format(Decimal((sign, digits, exponent)), "f")
    mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{'-' if point - 1 < 0 else '+'}{abs(point - 1):02d}"


@declare("string", "bytes", "string", cost=through)
def bytes_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


@declare("bytes", "string", "bytes", cost=through)
def text_bytes(value: str) -> bytes:
    return value.encode()


# Times --------------------------------------------------------------------------------------------------

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NANOS,
    "m": 60 * NANOS,
    "h": 3600 * NANOS,
}
_SPAN = re.compile(r"(\d++(?:\.\d*+)?|\.\d++)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


@declare("timestamp", "string", "timestamp")
def parse_timestamp(text: str) -> Timestamp:
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        problem = f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        raise EvaluationError(problem) from None
    nanos = int((match.group(7) or "").ljust(9, "0")[:9])
    zone = match.group(8)
    offset_s = 0
    if zone not in "Zz":
        offset_s = (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * (1 if zone[0] == "+" else -1)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return checked_timestamp((seconds - offset_s) * NANOS + nanos, offset_s)


@declare("timestamp", "int", "timestamp")
def seconds_timestamp(seconds: int) -> Timestamp:
    return checked_timestamp(seconds * NANOS)


@declare("duration", "string", "duration")
def parse_duration(text: str) -> Duration:
    body = text.lstrip("+-") if text[:1] in ("+", "-") else text
    if body == "0":
        return Duration(0)
    spans, end = [], 0
    while match := _SPAN.match(body, end):
        spans.append(match.groups())
        end = match.end()
    if not spans or end < len(body):
        raise EvaluationError(f'time: invalid duration "{text}"')
    ns = int(sum(Decimal(number) * _UNITS[unit] for number, unit in spans))
    return checked_duration(-ns if text.startswith("-") else ns)


@declare("string", "timestamp", "string")
def timestamp_text(value: Timestamp) -> str:
    seconds, nanos = divmod(value.ns, NANOS)
    try:
        moment = datetime(1970, 1, 1) + timedelta(seconds=seconds + value.offset_s)
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    minutes = abs(value.offset_s) // 60
    sign = "-" if value.offset_s < 0 else "+"
    zone = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else "Z"
    return f"{moment.isoformat(timespec='seconds')}{fraction}{zone}"


@declare("string", "duration", "string")
def duration_text(value: Duration) -> str:
    number = Decimal(value.ns) / NANOS
    return f"{format(number.normalize(), 'f')}s"


def _zone(name: str) -> tzinfo:
    if not name or name == "UTC":
        return UTC
    match = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name)
    if match:
        offset = timedelta(hours=int(match.group(2)), minutes=int(match.group(3)))
        return timezone(-offset if match.group(1) == "-" else offset)
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _in_zone(value: Timestamp, zone: str = "") -> datetime:
    seconds = value.ns // NANOS
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(_zone(zone))
    except (OverflowError, ValueError):
        # The first and the last day of all times, in a zone where it is another one.
        raise EvaluationError("timestamp overflow") from None


_PARTS = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
}


def _declare_part(name: str, read: Any) -> None:
    declare(name, "timestamp", "int", member=True)(lambda value: read(_in_zone(value)))
    declare(name, "timestamp, string", "int", member=True)(lambda value, zone: read(_in_zone(value, zone)))


for _name, _read in _PARTS.items():
    _declare_part(_name, _read)


@declare("getMilliseconds", "timestamp, string", "int", member=True)
@declare("getMilliseconds", "timestamp", "int", member=True)
def milliseconds(value: Timestamp, zone: str = "") -> int:
    return value.ns % NANOS // 1_000_000


def _declare_span(name: str, unit_ns: int) -> None:
    declare(name, "duration", "int", member=True)(lambda value: int(Decimal(value.ns) / unit_ns))


for _name, _unit in (("getHours", "h"), ("getMinutes", "m"), ("getSeconds", "s")):
    _declare_span(_name, _UNITS[_unit])


@declare("getMilliseconds", "duration", "int", member=True)
def duration_milliseconds(value: Duration) -> int:
    return int(Decimal(value.ns) / 1_000_000)


# Optionals ----------------------------------------------------------------------------------------------

declare("optional.of", "V", "optional_type(V)")(Optional)
declare("optional.none", "", "optional_type(V)")(lambda: NONE)
declare("hasValue", "optional_type(V)", "bool", member=True)(lambda value: value.present)
declare("or", "optional_type(V), optional_type(V)", "optional_type(V)", member=True)(
    lambda value, other: value if value.present else other
)
declare("orValue", "optional_type(V), V", "V", member=True)(
    lambda value, other: value.value if value.present else other
)


@declare("optional.ofNonZeroValue", "V", "optional_type(V)")
def of_non_zero(value: Any) -> Optional:
    if value in (None, False, 0, "", b"") or (isinstance(value, (list, dict)) and not value):
        return NONE
    return NONE if value in (Timestamp(TIME_MIN_NS), Duration(0)) else Optional(value)


@declare("value", "optional_type(V)", "V", member=True)
def optional_value(value: Optional) -> Any:
    if value.value is MISSING:
        raise EvaluationError("optional.none() dereference")
    return value.value


@declare("string", "net.IP", "string")
def address_text(value: Ip) -> str:
    return str(value.address)


@declare("string", "net.CIDR", "string")
def network_text(value: Cidr) -> str:
    return value.text
