"""JSON of very many values, decoded piece by piece.

A decoder in C holds the interpreter until it is done: a text of 200,000 members keeps every other thread waiting for
50 ms. Here it gets no more than a piece at a time, cut where a comma or a bracket ends one, and the pieces are put
together in between. What comes out, and what is refused, is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from mamekube.foundation.limits import BODY_DEPTH_MAX

PIECE_BYTES = 4 * 1024
"""A tenth of a millisecond of decoding at worst."""

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
"""A string; without its end where the text has none. It never looks at a character twice: a pattern that tries again
from the next quotation mark takes hours for half a string of a megabyte.
"""
_SYMBOL = re.compile(rb'(?:[^"\[\]{},]++|' + STRING + rb")*+([\[\]{},])", re.DOTALL)
"""The next bracket or comma, and what stands before it."""
_FEW = rb'(?:[^"\[\]{}]++|' + STRING + rb"){0,100}+"
_PART = rb'[^"\[\]{},]++|' + STRING + rb"|\{" + _FEW + rb"\}|\[" + _FEW + rb"\]"
_MEMBERS = re.compile(rb"(?:(?:" + _PART + rb"){0,6},){1,32}", re.DOTALL)
"""Some members with their commas, in which there is nothing large. (Python 3.11 repeats nothing for good, by `*+`, that
may fail in its middle: there it goes on where that was.)
"""

BLANK = b" \t\r\n"
_CLOSED_BY = {b"{": b"}", b"[": b"]"}


class Broken(ValueError):
    """The text is no JSON."""


class TooDeep(ValueError):
    """It is deeper than a body may be."""


def loads(text: bytes, decode: Callable[[bytes], Any] = orjson.loads) -> Any:
    """What `decode(text)` returns, or a ValueError. Its objects are updated, and its lists extended, piece by piece."""
    first = _SYMBOL.match(text)
    if first is None or first.group(1) not in _CLOSED_BY:
        return decode(text)
    begins = first.start(1)
    root = _Container(text, begins, decode)
    end = _read(root)
    if (text[:begins] + text[end:]).strip(BLANK):
        raise Broken("there is something beside the value")
    return root.made


class _Container:
    """An object or a list whose end is not seen yet."""

    __slots__ = ("begins", "bracket", "decode", "made", "member", "rest", "text", "whole")

    def __init__(self, text: bytes, begins: int, decode: Callable[[bytes], Any]) -> None:
        self.text = text
        self.decode = decode
        self.begins = begins
        self.bracket = text[begins : begins + 1]
        self.member = self.rest = begins + 1
        """Where the present member begins, and what is not decoded yet."""
        self.made: Any = None
        """What is decoded of it, from the first piece on."""
        self.whole = False
        """The present member is decoded already."""

    def comma(self, at: int) -> None:
        if self.whole or at - self.rest > PIECE_BYTES:
            self._add_until(at)
            self.rest, self.whole = at + 1, False
        self.member = at + 1

    def close(self, at: int) -> None:
        if self.made is None and not self.text[self.rest : at].strip(BLANK):
            self.made = self._decoded(b"")
        else:
            self._add_until(at)

    def attach(self, inner: _Container, end: int) -> None:
        """`inner`, which ends before `end`, as the present member."""
        if self.whole:
            raise Broken("a comma is missing")
        if self.member > self.rest:
            self._add_until(self.member - 1)
        # Decoded with null in the place of what is decoded already, so that whatever else is wrong is seen.
        member = self._decoded(self.text[self.member : inner.begins] + b"null")
        if self.bracket == b"[":
            member[0] = inner.made
        else:
            (key,) = member
            member[key] = inner.made
        self._add(member)
        self.rest, self.whole = end, True

    def _add_until(self, end: int) -> None:
        """The members that stand there, of which the last ends there."""
        piece = self.text[self.rest : end]
        if bool(piece.strip(BLANK)) == self.whole:
            raise Broken("a comma or a member is missing")
        if not self.whole:
            self._add(self._decoded(piece))

    def _add(self, members: Any) -> None:
        if self.made is None:
            self.made = members
        elif self.bracket == b"{":
            self.made.update(members)
        else:
            self.made.extend(members)

    def _decoded(self, members: bytes) -> Any:
        return self.decode(self.bracket + members + _CLOSED_BY[self.bracket])


def _read(root: _Container) -> int:
    """Make what is in `root`; where it ends."""
    text, decode = root.text, root.decode
    around = [root]
    at = root.begins
    while True:
        container = around[-1]
        if not container.whole:
            members = _MEMBERS.match(text, at + 1)
            if members is not None:
                at = members.end() - 1
                container.comma(at)
                continue
        match = _SYMBOL.match(text, at + 1)
        if match is None:
            raise Broken("the value does not end")
        at, symbol = match.start(1), match.group(1)
        if symbol == b",":
            container.comma(at)
        elif symbol in _CLOSED_BY:
            if len(around) == BODY_DEPTH_MAX:
                raise TooDeep
            around.append(_Container(text, at, decode))
        elif symbol != _CLOSED_BY[container.bracket]:
            raise Broken("a bracket is closed by another")
        else:
            around.pop()
            if container is root:
                container.close(at)
                return at + 1
            if container.made is not None or at - container.begins > PIECE_BYTES:
                container.close(at)
                around[-1].attach(container, at + 1)
