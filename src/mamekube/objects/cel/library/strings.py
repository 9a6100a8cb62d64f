"""The strings extension, version 2, and `find`, `findAll` of Kubernetes. Positions count code points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.standard import (
    bool_text,
    double_text,
    duration_text,
    matching_cost,
    through,
    timestamp_text,
)
from mamekube.objects.cel.regex import compile_pattern
from mamekube.objects.cel.values import LISTS, Duration, Timestamp, TypeValue, UInt, type_name

FORMAT_PRECISION_MAX = 1000


def _range_error(position: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {position}")


@declare("charAt", "string, int", "string", member=True, cost=through)
def char_at(text: str, position: int) -> str:
    if not 0 <= position <= len(text):
        raise _range_error(position)
    return text[position : position + 1]


@declare("indexOf", "string, string", "int", member=True, cost=through)
def index_of(text: str, part: str) -> int:
    return text.find(part)


@declare("indexOf", "string, string, int", "int", member=True, cost=through)
def index_of_from(text: str, part: str, start: int) -> int:
    if not part:
        return start
    if not 0 <= start < len(text):
        raise _range_error(start)
    return text.find(part, start)


@declare("lastIndexOf", "string, string", "int", member=True, cost=through)
def last_index_of(text: str, part: str) -> int:
    return text.rfind(part)


@declare("lastIndexOf", "string, string, int", "int", member=True, cost=through)
def last_index_of_from(text: str, part: str, start: int) -> int:
    if not part:
        return start
    if not 0 <= start < len(text):
        raise _range_error(start)
    return text.rfind(part, 0, start + len(part))


def _joined_cost(parts: list[str], separator: str = "") -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in parts) // 10 + len(parts) + 1


@declare("join", "list(string)", "string", member=True, cost=_joined_cost)
@declare("join", "list(string), string", "string", member=True, cost=_joined_cost)
def join(parts: list[str], separator: str = "") -> str:
    if not all(isinstance(part, str) for part in parts):
        raise EvaluationError("no such overload")
    return separator.join(parts)


_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_SPACES = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Unicode calls white space."""

declare("lowerAscii", "string", "string", member=True, cost=through)(lambda text: text.translate(_LOWER))
declare("upperAscii", "string", "string", member=True, cost=through)(lambda text: text.translate(_UPPER))
declare("trim", "string", "string", member=True, cost=through)(lambda text: text.strip(_SPACES))


def _replaced_cost(text: str, old: str, new: str, count: int = -1) -> int:
    """The result may be longer than what it was made of."""
    found = len(text) + 1 if not old else text.count(old)
    if count >= 0:
        found = min(found, count)
    return 1 + (len(text) + found * len(new)) // 10


@declare("replace", "string, string, string", "string", member=True, cost=_replaced_cost)
@declare("replace", "string, string, string, int", "string", member=True, cost=_replaced_cost)
def replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


@declare("split", "string, string", "list(string)", member=True, cost=through)
@declare("split", "string, string, int", "list(string)", member=True, cost=through)
def split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if 0 < count < len(text):
        return [*text[: count - 1], text[count - 1 :]]
    return list(text)


@declare("substring", "string, int", "string", member=True, cost=through)
def substring_from(text: str, start: int) -> str:
    if not 0 <= start <= len(text):
        raise _range_error(start)
    return text[start:]


@declare("substring", "string, int, int", "string", member=True, cost=through)
def substring(text: str, start: int, end: int) -> str:
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    if not 0 <= start <= len(text):
        raise _range_error(start)
    if end > len(text):
        raise _range_error(end)
    return text[start:end]


_QUOTED = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\", 34: '\\"'}


@declare("strings.quote", "string", "string", cost=through)
def quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


# format -------------------------------------------------------------------------------------------------


def _format_cost(pattern: str, values: list[Any]) -> int:
    return 1 + len(pattern) // 10 + sum(len(value) if isinstance(value, str) else 8 for value in values) // 10


@declare("format", "string, list(dyn)", "string", member=True, cost=_format_cost)
def format_text(pattern: str, values: list[Any]) -> str:
    """`"%s: %.2f".format([…])`: s, d, f, e, b, x, X, o and %%."""
    parts: list[str] = []
    used = position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character != "%":
            parts.append(character)
            continue
        if pattern.startswith("%", position):
            parts.append("%")
            position += 1
            continue
        if used >= len(values):
            raise EvaluationError(f"index {used} out of range")
        precision, position = _precision(pattern, position)
        clause = pattern[position : position + 1]
        position += 1
        if clause not in _CLAUSES:
            raise EvaluationError(
                f'could not parse formatting clause: unrecognized formatting clause "{clause}"'
                if clause
                else "unexpected end of string"
            )
        parts.append(_CLAUSES[clause](values[used], precision))
        used += 1
    return "".join(parts)


def _precision(pattern: str, position: int) -> tuple[int, int]:
    if not pattern.startswith(".", position):
        return 6, position
    end = position + 1
    while end < len(pattern) and pattern[end].isdigit():
        end += 1
    digits = pattern[position + 1 : end]
    if not digits:
        return 6, end
    if len(digits) > 4 or int(digits) > FORMAT_PRECISION_MAX:
        raise EvaluationError(f"error while parsing precision: precision limit exceeded: {digits}")
    return int(digits), end


def _shown(value: Any, precision: int = 6) -> str:
    kind = type(value)
    simple: dict[type, Callable[[Any], str]] = {
        str: str,
        bool: bool_text,
        int: str,
        UInt: lambda number: str(int(number)),
        float: double_text,
        Timestamp: timestamp_text,
        Duration: duration_text,
        TypeValue: lambda known: known.name,
        type(None): lambda _: "null",
        bytes: lambda data: data.decode(errors="replace"),
    }
    if kind in simple:
        return simple[kind](value)
    if type(value) in LISTS:
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        entries = sorted((_shown(key), _shown(inner)) for key, inner in value.items())
        return "{" + ", ".join(f"{key}: {inner}" for key, inner in entries) + "}"
    raise _clause_error(
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, "
        f"types, durations, and timestamps, was given {type_name(value)}"
    )


def _clause_error(text: str) -> EvaluationError:
    return EvaluationError(f"error during formatting: {text}")


def _whole(value: Any, precision: int) -> str:
    if type(value) not in (int, UInt):
        raise _clause_error(f"decimal clause can only be used on integers, was given {type_name(value)}")
    return str(int(value))


def _fixed(value: Any, precision: int) -> str:
    if type(value) is not float:
        raise _clause_error(f"fixed-point clause can only be used on doubles, was given {type_name(value)}")
    return _special(value) or f"{value:.{precision}f}"


def _scientific(value: Any, precision: int) -> str:
    if type(value) is not float:
        raise _clause_error(f"scientific clause can only be used on doubles, was given {type_name(value)}")
    return _special(value) or f"{value:.{precision}e}"


def _special(value: float) -> str:
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(str(value), "")


def _binary(value: Any, precision: int) -> str:
    if type(value) is bool:
        return "1" if value else "0"
    if type(value) not in (int, UInt):
        raise _clause_error(
            f"only integers and bools can be formatted as binary, was given {type_name(value)}"
        )
    return format(int(value), "b")


def _hex(value: Any, precision: int) -> str:
    if type(value) is str:
        return value.encode().hex()
    if type(value) is bytes:
        return value.hex()
    if type(value) not in (int, UInt):
        raise _clause_error(
            "only integers, byte buffers, and strings can be formatted as hex, was given " + type_name(value)
        )
    return format(int(value), "x")


def _octal(value: Any, precision: int) -> str:
    if type(value) not in (int, UInt):
        raise _clause_error(f"octal clause can only be used on integers, was given {type_name(value)}")
    return format(int(value), "o")


_CLAUSES: dict[str, Callable[[Any, int], str]] = {
    "s": _shown,
    "d": _whole,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "x": _hex,
    "X": lambda value, precision: _hex(value, precision).upper(),
    "o": _octal,
}


# Regular expressions ------------------------------------------------------------------------------------


@declare("find", "string, string", "string", member=True, cost=matching_cost)
def find(text: str, pattern: str) -> str:
    match = compile_pattern(pattern).search(text)
    return match.group() if match else ""


@declare("findAll", "string, string", "list(string)", member=True, cost=matching_cost)
@declare("findAll", "string, string, int", "list(string)", member=True, cost=matching_cost)
def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in compile_pattern(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group())
    return found
