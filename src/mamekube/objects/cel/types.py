"""The types of CEL, as declarations and the checker use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any


class Type:
    """A type by name with its parameters: `list(int)`. Equal types are equal; a name of one capital letter stands
    for any type."""

    __slots__ = ("args", "name")

    def __init__(self, name: str, args: tuple[Type, ...] = ()) -> None:
        self.name = name
        self.args = args

    @property
    def variable(self) -> bool:
        return len(self.name) == 1 or self.name[0] == "%"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.name == other.name and self.args == other.args

    def __hash__(self) -> int:
        return hash((self.name, self.args))

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})" if self.args else self.name

    __repr__ = __str__


class ObjectType(Type):
    """A type with fields of its own, each under the name that expressions use for it.

    `load` makes the fields when they are first needed, since types may hold themselves. Two object types are the
    same when their names are.
    """

    __slots__ = ("_fields", "_load")

    def __init__(self, name: str, load: Callable[[], Mapping[str, Type]]) -> None:
        super().__init__(name)
        self._load = load
        self._fields: Mapping[str, Type] | None = None

    @property
    def fields(self) -> Mapping[str, Type]:
        if self._fields is None:
            self._fields = self._load()
        return self._fields


DYN = Type("dyn")
BOOL, INT, UINT, DOUBLE = Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL = Type("string"), Type("bytes"), Type("null_type")
TIMESTAMP, DURATION = Type("google.protobuf.Timestamp"), Type("google.protobuf.Duration")
ERROR = Type("!error!")

_SHORT = {"timestamp": TIMESTAMP, "duration": DURATION, "null": NULL}


def list_of(element: Type) -> Type:
    return Type("list", (element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("optional_type", (value,))


def type_of(value: Type) -> Type:
    return Type("type", (value,))


@cache
def parse_type(text: str) -> Type:
    """`list(map(string, T))` to a type; for the tables of this folder."""
    name, bracket, inner = text.partition("(")
    if not bracket:
        return _SHORT.get(text) or Type(text)
    return Type(name, tuple(parse_type(part) for part in split_types(inner[:-1])))


def split_types(text: str) -> list[str]:
    """The types in a list that is separated by commas."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()] if current.strip() else parts


def object_type(name: str, fields: Mapping[str, Any]) -> ObjectType:
    """An object type whose fields are known."""
    return ObjectType(name, lambda: fields)
