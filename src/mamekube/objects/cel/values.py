"""The values of CEL in Python, what they are equal to, and how they are ordered.

null, bool, int, double, string, bytes, list and map are None, bool, int, float, str, bytes, list and dict, so JSON
needs no conversion. What JSON has no word for is a class of its own here. Equality is CEL's: numbers compare
across their types, and other values of different types differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, NamedTuple, Protocol

from mamekube.foundation.slices import each
from mamekube.objects.cel.errors import EvaluationError

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
NANOS = 1_000_000_000
TIME_MIN_NS, TIME_MAX_NS = -62135596800 * NANOS, 253402300799 * NANOS + 999_999_999
MISSING = object()


class UInt(int):
    """An unsigned integer: a type of its own in CEL."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    ns: int
    """Since 1970, UTC."""
    offset_s: int = field(default=0, compare=False)
    """Of the zone that it was written in, in which it is written again."""


class Duration(NamedTuple):
    ns: int


class TypeValue(NamedTuple):
    """What `type(x)` answers, and what the names `int`, `string`, … stand for."""

    name: str


class Optional:
    """A value that may be absent."""

    __slots__ = ("value",)

    def __init__(self, value: Any = MISSING) -> None:
        self.value = value

    @property
    def present(self) -> bool:
        return self.value is not MISSING


NONE = Optional()


class Opaque:
    """A value from outside that expressions can only hand to functions. `type_name` is its type in CEL."""

    type_name = "dyn"


class Quantity(NamedTuple):
    amount: Decimal
    style: str


class Url(NamedTuple):
    text: str


class Ip(NamedTuple):
    address: IPv4Address | IPv6Address


class Cidr(NamedTuple):
    address: IPv4Address | IPv6Address
    network: IPv4Network | IPv6Network

    @property
    def text(self) -> str:
        return f"{self.address}/{self.network.prefixlen}"


class Semver(NamedTuple):
    release: tuple[int, int, int]
    before: tuple[str, ...]
    build: str = ""


class Format(NamedTuple):
    """A format of the format library: `check` answers what is wrong with a text."""

    name: str
    check: Callable[[str], list[str]]


class Fields(Protocol):
    """A value whose fields are worked out when they are asked for, such as `variables` of a policy."""

    def find(self, name: str) -> Any:
        """The value of a field, or MISSING."""


class Message(dict[str, Any]):
    """The value of a message literal: a map that knows its type."""

    type_name: str

    def __init__(self, type_name: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.type_name = type_name


class SetList(list[Any]):
    """A list whose schema says that it is a set: its order does not matter, and adding to it is a union."""

    __slots__ = ()

    def joined(self, other: Sequence[Any]) -> SetList:
        """Its own elements where they are, then those of the other that it does not have."""
        found = SetList(self)
        found += [item for item in other if not any(equal(item, mine) for mine in self)]
        return found

    def equals(self, other: Sequence[Any]) -> bool:
        if len(self) != len(other):
            return False
        try:
            return set(self) == set(other)
        except TypeError:
            return all(any(equal(item, mine) for mine in self) for item in each(other))


class MapList(list[Any]):
    """A list whose schema says that it is a map by `keys`: order does not matter, and adding to it is a merge."""

    __slots__ = ("keys",)

    def __init__(self, items: Sequence[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def key_of(self, item: Any) -> tuple[Any, ...]:
        return tuple(item.get(key) for key in self.keys) if isinstance(item, dict) else ()

    def joined(self, other: Sequence[Any]) -> MapList:
        """Its own elements where they are, replaced by those of the other with their keys, then the rest of these."""
        found = dict(zip(map(self.key_of, self), self, strict=True))
        found |= {self.key_of(item): item for item in other}
        return MapList(list(found.values()), self.keys)

    def equals(self, other: Sequence[Any]) -> bool:
        mine = {self.key_of(item): item for item in self}
        return len(self) == len(other) and all(
            equal(mine.get(self.key_of(item), MISSING), item) for item in each(other)
        )


LISTS = frozenset({list, tuple, SetList, MapList})
TYPE_NAMES: Mapping[type, str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    tuple: "list",
    SetList: "list",
    MapList: "list",
    dict: "map",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeValue: "type",
    Optional: "optional_type",
    Quantity: "kubernetes.Quantity",
    Url: "kubernetes.URL",
    Ip: "net.IP",
    Cidr: "net.CIDR",
    Semver: "kubernetes.Semver",
    Format: "kubernetes.NamedFormat",
}


def type_name(value: Any) -> str:
    """The name of a value's type in CEL."""
    found = TYPE_NAMES.get(type(value))
    return found if found is not None else getattr(value, "type_name", "dyn")


_NUMBERS = frozenset({int, UInt, float})


def equal(first: Any, second: Any) -> bool:
    """CEL's `==`."""
    one, other = type(first), type(second)
    if one in _NUMBERS:
        return other in _NUMBERS and first == second
    if one in LISTS:
        if other not in LISTS:
            return False
        if one is SetList or one is MapList:
            same: bool = first.equals(second)
            return same
        return len(first) == len(second) and all(map(equal, each(first), second))
    if isinstance(first, dict):
        if not isinstance(second, dict) or len(first) != len(second):
            return False
        return all(key in second and equal(value, second[key]) for key, value in first.items())
    if one is Optional:
        if other is not Optional or first.present != second.present:
            return False
        return not first.present or equal(first.value, second.value)
    if one is Semver and other is Semver:
        return compare(first, second) == 0
    if one is Quantity and other is Quantity:
        return bool(first.amount == second.amount)
    return one is other and bool(first == second)


def compare(first: Any, second: Any) -> int:
    """-1, 0 or 1. Raises EvaluationError for values without an order."""
    one, other = type(first), type(second)
    if one in _NUMBERS and other in _NUMBERS:
        if math.isnan(first) or math.isnan(second):
            raise EvaluationError("NaN values cannot be ordered")
    elif one is not other or one not in ORDERED:
        raise EvaluationError("no such overload")
    if one is str:
        # Upstream compares bytes; the order of code points is the same in UTF-8.
        return (first > second) - (first < second)
    if one is Semver:
        first, second = _semver_key(first), _semver_key(second)
    elif one is Quantity:
        first, second = first.amount, second.amount
    return (first > second) - (first < second)


ORDERED = frozenset({bool, int, UInt, float, str, bytes, Timestamp, Duration, Semver, Quantity})


def _semver_key(version: Semver) -> tuple[Any, ...]:
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in version.before)
    return (*version.release, not version.before, parts)


def checked_int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("integer overflow")
    return value


def checked_uint(value: int) -> UInt:
    if not 0 <= value <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def checked_duration(ns: int) -> Duration:
    if not INT_MIN <= ns <= INT_MAX:
        raise EvaluationError("duration overflow")
    return Duration(ns)


def checked_timestamp(ns: int, offset_s: int = 0) -> Timestamp:
    if not TIME_MIN_NS <= ns <= TIME_MAX_NS:
        raise EvaluationError("timestamp overflow")
    return Timestamp(ns, offset_s)


RESERVED_FIELDS = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
    }
    | {"namespace", "null", "package", "return", "true", "var", "void", "while"}
)
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def escape(name: str) -> str:
    """The name that expressions use for a field, as upstream escapes what is no identifier."""
    if name in RESERVED_FIELDS:
        return f"__{name}__"
    for text, word in _ESCAPES:
        name = name.replace(text, word)
    return name


def unescape(name: str) -> str:
    """The field that an identifier names."""
    if "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and name[2:-2] in RESERVED_FIELDS:
        return name[2:-2]
    parts: list[str] = []
    position = 0
    while position < len(name):
        for text, word in _ESCAPES:
            if name.startswith(word, position):
                parts.append(text)
                position += len(word)
                break
        else:
            parts.append(name[position])
            position += 1
    return "".join(parts)
