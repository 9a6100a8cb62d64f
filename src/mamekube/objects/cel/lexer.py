"""Text to tokens, as CEL's grammar says."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mamekube.objects.cel.errors import CelCompileError
from mamekube.objects.cel.values import UInt

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1

_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f]+|//[^\n]*)+)
  | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"{3}|'{3}|\"|'))
  | (?P<float>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))
  | (?P<int>(?:0x[0-9a-fA-F]+|\d+)(?P<unsigned>[uU])?)
  | (?P<ident>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|&&|\|\||[\[\]{}().,<>\-!?:+*/%])
    """,
    re.VERBOSE,
)
_SIMPLE = {
    "a": 7,
    "b": 8,
    "f": 12,
    "n": 10,
    "r": 13,
    "t": 9,
    "v": 11,
    "\\": 92,
    "?": 63,
    '"': 34,
    "'": 39,
    "`": 96,
}
_DIGITS = {"x": 2, "X": 2, "u": 4, "U": 8}
WORDS = frozenset({"in", "true", "false", "null"})


class Token(NamedTuple):
    """`kind` is ident, literal, end, or the sign or word itself."""

    kind: str
    pos: int
    text: str
    value: Any = None


def tokenize(source: str) -> list[Token]:
    """Raises CelCompileError."""
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            text = f"Syntax error: token recognition error at: '{source[position]}'"
            raise CelCompileError(source, [(position, text)])
        end = match.end()
        group = match.lastgroup if match.lastgroup != "unsigned" else "int"
        text = match.group()
        if group == "string":
            value, end = _string(source, position, text)
            tokens.append(Token("literal", position, source[position:end], value))
        elif group in ("int", "float"):
            tokens.append(Token("literal", position, text, text))
        elif group == "ident":
            tokens.append(Token(text if text in WORDS else "ident", position, text))
        elif group == "sign":
            tokens.append(Token(text, position, text))
        position = end
    tokens.append(Token("end", len(source), "<EOF>"))
    return tokens


def number(source: str, token: Token, *, negative: bool = False) -> Any:
    """The value of a literal that is a number. Raises CelCompileError for one that does not fit."""
    text = token.text
    if text[-1] in "uU" and not negative:
        value = int(text[:-1], 0) if text[:2] == "0x" else int(text[:-1])
        if value > UINT_MAX:
            raise CelCompileError(source, [(token.pos, "Syntax error: invalid uint literal")])
        return UInt(value)
    if text[:2] != "0x" and any(sign in text for sign in ".eE"):
        return -float(text) if negative else float(text)
    whole = int(text, 16) if text[:2] == "0x" else int(text)
    whole = -whole if negative else whole
    if not INT_MIN <= whole <= INT_MAX:
        raise CelCompileError(source, [(token.pos, "Syntax error: invalid int literal")])
    return whole


def _string(source: str, start: int, opening: str) -> tuple[str | bytes, int]:
    quote = opening.lstrip("rRbB")
    prefix = opening[: len(opening) - len(quote)].lower()
    raw, is_bytes = "r" in prefix, "b" in prefix
    position = start + len(opening)
    parts: list[str] = []
    data = bytearray()
    while True:
        if position >= len(source) or (len(quote) == 1 and source[position] in "\r\n"):
            text = f"Syntax error: token recognition error at: '{source[start:]}'"
            raise CelCompileError(source, [(start, text)])
        if source.startswith(quote, position):
            return (bytes(data) if is_bytes else "".join(parts)), position + len(quote)
        if source[position] == "\\" and not raw:
            code, position, byte = _escape(source, position)
        else:
            code, byte = ord(source[position]), False
            position += 1
            if raw and code == 92 and source.startswith(quote[0], position):
                _append(parts, data, code, False)
                code, position = ord(source[position]), position + 1
        _append(parts, data, code, byte)


def _append(parts: list[str], data: bytearray, code: int, byte: bool) -> None:
    parts.append(chr(code))
    data.extend(bytes([code]) if byte and code < 256 else chr(code).encode("utf-8", "surrogatepass"))


def _escape(source: str, position: int) -> tuple[int, int, bool]:
    """Code, where the text goes on, and whether the code is a byte where the literal is bytes."""
    letter = source[position + 1 : position + 2]
    if letter in _SIMPLE and letter:
        return _SIMPLE[letter], position + 2, False
    width = _DIGITS.get(letter, 0)
    digits = source[position + 2 : position + 2 + width] if width else source[position + 1 : position + 4]
    base = 16 if width else 8
    try:
        code = int(digits, base)
        if len(digits) != (width or 3) or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ValueError
    except ValueError:
        text = "Syntax error: token recognition error at: '" + source[position : position + 2] + "'"
        raise CelCompileError(source, [(position, text)]) from None
    return code, position + (2 + width if width else 4), letter in "xX" or not width
