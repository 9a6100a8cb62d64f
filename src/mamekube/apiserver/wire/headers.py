"""The headers of a request: names without regard to case, values in order, cheap to make and to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

T = TypeVar("T")

NAMES_KEPT_MAX = 1_000
"""Spellings of names whose lower case is remembered. Clients send the same few; an attacker's are worked out anew."""

NAME_KEPT_MAX = 64
"""Characters of a name that is remembered: anybody may send long ones."""

_names: dict[bytes, str] = {}


def lower_name(name: bytes) -> str:
    """The name as `Headers` keeps it. `name` is a token, so it is ASCII."""
    known = _names.get(name)
    if known is None:
        known = name.decode("ascii").lower()
        if len(_names) < NAMES_KEPT_MAX and len(name) <= NAME_KEPT_MAX:
            _names[name] = known
    return known


class Headers(Mapping[str, str]):
    """A mapping from names to their first values, as Go's `Header.Get` reads them; `getall` knows the others.

    Invariant: every key is in lower case, and `_more` has only names that are in `by_name`.
    """

    __slots__ = ("_more", "by_name")

    def __init__(self) -> None:
        self.by_name: dict[str, str] = {}
        """The first values by their names in lower case: for who asks with every request."""
        self._more: dict[str, list[str]] | None = None

    def add(self, name: bytes, value: bytes) -> None:
        """Note a header as it came off the wire."""
        key = _names.get(name) or lower_name(name)
        text = value.decode("utf-8", "replace").rstrip(" \t")
        if key in self.by_name:
            if self._more is None:
                self._more = {}
            self._more.setdefault(key, []).append(text)
        else:
            self.by_name[key] = text

    @overload
    def get(self, key: str, /) -> str | None: ...

    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...

    def get(self, key: str, default: object = None) -> object:
        return self.by_name.get(key.lower(), default)

    def getall(self, key: str, default: list[str] | tuple[str, ...] = ()) -> list[str]:
        """Every value, in order."""
        key = key.lower()
        if key not in self.by_name:
            return list(default)
        return [self.by_name[key], *(self._more or {}).get(key, ())]

    def repeats(self, key: str) -> bool:
        """Whether a header was sent more than once. `key` is in lower case."""
        return self._more is not None and key in self._more

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every header with its name as Go writes it, `X-Remote-User`: for who hands them on."""
        for key in self.by_name:
            name = "-".join([part.capitalize() for part in key.split("-")])
            for value in self.getall(key):
                yield name, value

    def count(self) -> int:
        """How many headers were sent."""
        return len(self.by_name) + sum(map(len, (self._more or {}).values()))

    def __getitem__(self, key: str) -> str:
        return self.by_name[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self.by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)
