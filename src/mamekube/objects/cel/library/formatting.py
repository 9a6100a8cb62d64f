"""`"%s: %.2f".format([…])`, as the strings extension has it in version 2: what stands for what, and what is known to be
wrong before there are values. Numbers are written as in American English.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from mamekube.objects.cel.ast import ListLiteral, MapLiteral, Node
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.standard import bool_text, double_text, duration_text, timestamp_text
from mamekube.objects.cel.types import Type
from mamekube.objects.cel.values import LISTS, Duration, Timestamp, TypeValue, UInt, type_name

PRECISION, PRECISION_MAX = 6, 1000
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SPECIAL = ("NaN", "Infinity", "-Infinity")


class Clause(NamedTuple):
    """What is to be written, and with how many digits."""

    letter: str
    precision: int


def _clauses(pattern: str, count: int) -> Iterator[str | Clause]:
    """Texts, and a clause for each of `count` values. Raises EvaluationError."""
    used = position = 0
    while (found := pattern.find("%", position)) >= 0:
        yield pattern[position:found]
        position = found + 1
        if pattern.startswith("%", position):
            yield "%"
            position += 1
            continue
        if used >= count:
            raise EvaluationError(f"index {used} out of range")
        precision, position = _precision(pattern, position)
        letter = pattern[position : position + 1]
        if not letter:
            raise EvaluationError("unexpected end of string")
        if letter not in _WRITERS:
            raise EvaluationError(
                f'could not parse formatting clause: unrecognized formatting clause "{letter}"'
            )
        yield Clause(letter, precision)
        position += 1
        used += 1
    yield pattern[position:]


def _precision(pattern: str, position: int) -> tuple[int, int]:
    if not pattern.startswith(".", position):
        return PRECISION, position
    end = position + 1
    while end < len(pattern) and pattern[end] in "0123456789":
        end += 1
    digits = pattern[position + 1 : end]
    problem = ""
    if end == len(pattern):
        problem = "could not find end of precision specifier"
    elif not digits:
        problem = 'error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax'
    elif len(digits) > 4 or int(digits) > PRECISION_MAX:
        problem = f"precision limit exceeded: {digits}"
    if problem:
        raise EvaluationError(f"could not parse formatting clause: error while parsing precision: {problem}")
    return int(digits), end


def _cost(pattern: str, values: list[Any]) -> int:
    return 1 + len(pattern) // 10 + sum(len(value) if isinstance(value, str) else 8 for value in values) // 10


@declare("format", "string, list(dyn)", "string", member=True, cost=_cost)
def format_text(pattern: str, values: list[Any]) -> str:
    parts: list[str] = []
    rest = iter(values)
    for part in _clauses(pattern, len(values)):
        parts.append(
            part if isinstance(part, str) else _WRITERS[part.letter].write(next(rest), part.precision)
        )
    return "".join(parts)


def problem_with(
    pattern: str, values: Sequence[Node], type_of: Callable[[Node], Type]
) -> tuple[Node | None, str] | None:
    """The first mistake in a call whose pattern and values stand in the expression: the value, or None for the
    whole call, and what is wrong. `type_of`: of the parts of the expression."""
    used = 0
    try:
        for part in _clauses(pattern, len(values)):
            if isinstance(part, str):
                continue
            wrong = _mistyped(values[used], _WRITERS[part.letter], type_of)
            if wrong is not None:
                name = type_of(wrong).name
                text = f"error during formatting: {_WRITERS[part.letter].takes}, was given {name}"
                return wrong, text
            used += 1
    except EvaluationError as error:
        return None, str(error)
    if used < len(values):
        return (
            None,
            f"too many arguments supplied to string.format (expected {used}, got {len(values)})",
        )
    return None


def _mistyped(value: Node, writer: _Writer, type_of: Callable[[Node], Type]) -> Node | None:
    found = type_of(value)
    if not (found.name == "dyn" or found.variable or found.name in writer.types):
        return value
    if writer is not _WRITERS["s"]:
        return None
    below: Sequence[Node] = ()
    if isinstance(value, ListLiteral):
        below = value.elements
    elif isinstance(value, MapLiteral):
        below = [part for entry in value.entries for part in entry]
    return next((wrong for part in below if (wrong := _mistyped(part, writer, type_of)) is not None), None)


# What is written ----------------------------------------------------------------------------------------


class _Writer(NamedTuple):
    write: Callable[[Any, int], str]
    takes: str
    """In words."""
    types: frozenset[str]
    """Of what it takes, as far as that can be told beforehand."""


def _refused(letter: str, value: Any) -> EvaluationError:
    return EvaluationError(f"error during formatting: {_WRITERS[letter].takes}, was given {type_name(value)}")


def _shown(value: Any, precision: int = PRECISION) -> str:
    if type(value) in _TEXTS:
        return _TEXTS[type(value)](value)
    if type(value) in LISTS:
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        entries = sorted((_key(key), _literal(inner)) for key, inner in value.items())
        return "{" + ", ".join(f"{key}:{inner}" for key, inner in entries) + "}"
    raise _refused("s", value)


_TEXTS: dict[type, Callable[[Any], str]] = {
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


def _literal(value: Any) -> str:
    """A value within a list or a map, as CEL writes it."""
    kind = type(value)
    if kind is float:
        return f"{value:.6f}" if math.isfinite(value) else _quoted(double_text(value))
    if kind is str:
        return _quoted(value)
    if kind is bytes:
        return "b" + _quoted(_shown(value))
    if kind in (Timestamp, Duration):
        return f"{'timestamp' if kind is Timestamp else 'duration'}({_quoted(_shown(value))})"
    if kind in _TEXTS or kind in LISTS or isinstance(value, dict):
        return _shown(value)
    raise EvaluationError(f"error during formatting: no formatting function for {type_name(value)}")


def _key(key: Any) -> str:
    if type(key) not in (str, bool, int, UInt):
        name = type_name(key)
        raise EvaluationError(f"error during formatting: no formatting function for map key of type {name}")
    return _literal(key)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _whole(value: Any, precision: int) -> str:
    if type(value) not in (int, UInt):
        raise _refused("d", value)
    return str(int(value))


def _fixed(value: Any, precision: int) -> str:
    number = _double("f", value)
    return f"{number:,.{precision}f}" if math.isfinite(number) else _unbounded(number)


def _scientific(value: Any, precision: int) -> str:
    number = _double("e", value)
    if not math.isfinite(number):
        return _unbounded(number)
    digits, _, exponent = f"{number:.{precision}e}".partition("e")
    power = exponent.replace("+", "").translate(_SUPERSCRIPT)
    return f"{digits}\u202f×\u202f10{power}"


def _double(letter: str, value: Any) -> float:
    if type(value) is not float and value not in _SPECIAL:
        raise _refused(letter, value)
    return float(value)


def _unbounded(number: float) -> str:
    return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"


def _binary(value: Any, precision: int) -> str:
    if type(value) is bool:
        return "1" if value else "0"
    if type(value) not in (int, UInt):
        raise _refused("b", value)
    return format(int(value), "b")


def _hex(value: Any, precision: int) -> str:
    if type(value) is str:
        return value.encode().hex()
    if type(value) is bytes:
        return value.hex()
    if type(value) not in (int, UInt):
        raise _refused("x", value)
    return format(int(value), "x")


def _octal(value: Any, precision: int) -> str:
    if type(value) not in (int, UInt):
        raise _refused("o", value)
    return format(int(value), "o")


_WHOLE = frozenset({"int", "uint"})
_SHOWN = _WHOLE | {
    *("list", "map", "double", "bool", "string", "bytes", "type", "null_type"),
    *("google.protobuf.Timestamp", "google.protobuf.Duration"),
}
_HEXED = "only integers, byte buffers, and strings can be formatted as hex"
_WRITERS = {
    "s": _Writer(
        _shown,
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, "
        "and timestamps",
        _SHOWN,
    ),
    "d": _Writer(_whole, "decimal clause can only be used on integers", _WHOLE),
    "f": _Writer(_fixed, "fixed-point clause can only be used on doubles", frozenset({"double", "string"})),
    "e": _Writer(
        _scientific, "scientific clause can only be used on doubles", frozenset({"double", "string"})
    ),
    "b": _Writer(_binary, "only integers and bools can be formatted as binary", _WHOLE | {"bool"}),
    "x": _Writer(_hex, _HEXED, _WHOLE | {"string", "bytes"}),
    "X": _Writer(
        lambda value, precision: _hex(value, precision).upper(), _HEXED, _WHOLE | {"string", "bytes"}
    ),
    "o": _Writer(_octal, "octal clause can only be used on integers", _WHOLE),
}
