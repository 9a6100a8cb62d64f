"""JSON values as Go prints, names and reads them, and text as it quotes it, which upstream's messages do."""

from __future__ import annotations

from typing import Any

import orjson


def print_value(value: Any) -> str:
    """`map[spec:map[replicas:3]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{print_value(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(print_value(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def json_kind(value: Any) -> str:
    """What encoding/json calls what a value was in its text."""
    kinds = {"map": "object", "slice": "array", "int64": "number", "float64": "number", "nil": "null"}
    name = kind_name(value)
    return kinds.get(name, name)


def kind_name(value: Any) -> str:
    """What Go's reflection calls the kind of a decoded value."""
    if isinstance(value, bool):
        return "bool"
    kinds: dict[type, str] = {str: "string", int: "int64", float: "float64", list: "slice", dict: "map"}
    return kinds.get(type(value), "nil")


TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""What Go reads as true."""

_SHORT = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
_ASCII_END = 0x7F
_BASIC_PLANE_END = 0xFFFF


def quoted(text: str) -> str:
    """`text` in double quotes, as `%q` writes it: what cannot be printed is shown by its number."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_shown, text))}"'


def _shown(character: str) -> str:
    short = _SHORT.get(character)
    if short is not None:
        return short
    if character.isprintable():
        return character
    number = ord(character)
    if number <= _ASCII_END:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= _BASIC_PLANE_END else f"\\U{number:08x}"
