"""What Go's encoding/json says of text that is no JSON: upstream's messages quote it.

Only refused texts come here. Python's scanner finds the place, since it goes from left to right and is as strict as
Go's; its words and what stands at the place tell what Go's scanner would have been in the middle of.
"""

from __future__ import annotations

import json
import re

from mamekube.apiserver.formats import dense_json

END = "unexpected end of JSON input"

_BRACKET = re.compile(dense_json.STRING.decode() + r"|[\[\]{}]", re.DOTALL)
_INTEGER = re.compile(r"(?<![0-9.eE+-])-?(?:0|[1-9][0-9]*)$")
_FRACTION = re.compile(r"(?<![0-9.eE+-])-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$")
_NUMBER_CHARACTERS = 400
"""How far back a number is looked at that ends in the wrong way."""

_LITERALS = {"t": "true", "f": "false", "n": "null"}
_PLACES = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Invalid control character at": "in string literal",
}
_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
_ESCAPES |= {"\\": r"\\", "'": r"\'"}


class _Constant(Exception):
    """NaN or an infinity: Python's scanner takes them, Go's does not."""


def explain(body: bytes) -> str:
    """The error's text; empty for what Go would take."""
    text = body.decode("latin-1")  # Go's scanner reads bytes too, and shows one that stands wrong by itself
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return _explain(text, error.msg.rstrip(": "), error.pos)
    except RecursionError:
        return "exceeded max depth"
    except _Constant as constant:
        name = str(constant)
        return _after_sign(name, 0) if name[0] == "-" else _wrong(name, 0, "looking for beginning of value")
    return ""


def _refuse(name: str) -> None:
    raise _Constant(name)


def _explain(text: str, message: str, place: int) -> str:
    if message in _PLACES:
        return _wrong(text, place, _PLACES[message])
    if message == "Expecting value":
        return _no_value(text, place)
    if message.startswith("Invalid \\u"):
        return _bad_hexadecimal(text, text.rindex("\\u", 0, place + 3) + 2)
    if message.startswith("Invalid \\escape"):
        return _wrong(text, place + 1, "in string escape code")
    if message.startswith("Unterminated string"):
        return END
    return _bad_number(text, place) or _wrong(text, place, _after_value(text, place))


def _wrong(text: str, place: int, where: str) -> str:
    if place >= len(text):
        return END
    character = text[place]
    if character not in _ESCAPES and not character.isprintable():
        code = ord(character)
        shown = f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
    else:
        shown = _ESCAPES.get(character, character)
    return f"invalid character '{shown}' {where}"


def _no_value(text: str, place: int) -> str:
    if text[place : place + 1] == "-":
        return _after_sign(text, place)
    literal = _LITERALS.get(text[place : place + 1])
    if literal is None:
        return _wrong(text, place, "looking for beginning of value")
    good = next(n for n in range(len(literal)) if text[place + n : place + n + 1] != literal[n])
    return _wrong(text, place + good, f"in literal {literal} (expecting '{literal[good]}')")


def _after_sign(text: str, place: int) -> str:
    return _wrong(text, place + 1, "in numeric literal")


def _bad_hexadecimal(text: str, place: int) -> str:
    end = place + 4
    while place < end and text[place : place + 1] in set("0123456789abcdefABCDEF"):
        place += 1
    return END if place == end else _wrong(text, place, "in \\u hexadecimal character escape")


def _bad_number(text: str, place: int) -> str:
    """Of a number that stops after its point or its exponent; empty when no such number ends at `place`."""
    before, stop = text[max(0, place - _NUMBER_CHARACTERS) : place], text[place : place + 1]
    if stop == "." and _INTEGER.search(before):
        return _wrong(text, place + 1, "after decimal point in numeric literal")
    if stop and stop in "eE" and _FRACTION.search(before):
        signed = text[place + 1 : place + 2] in ("+", "-")
        return _wrong(text, place + (2 if signed else 1), "in exponent of numeric literal")
    return ""


def _after_value(text: str, place: int) -> str:
    around: list[str] = []
    for match in _BRACKET.finditer(text, 0, place):
        symbol = match.group()
        if symbol in ("{", "["):
            around.append(symbol)
        elif symbol in ("}", "]"):
            around.pop()
    if not around:
        return "after top-level value"
    return "after object key:value pair" if around[-1] == "{" else "after array element"
