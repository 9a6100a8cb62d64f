"""What a request is answered with: objects that know their wire JSON, and collections of them.

`store.Item` is a document too, so an answer that is in the store already is sent without encoding anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import orjson

from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object


class Document(Protocol):
    """An object with its wire JSON; read-only."""

    @property
    def object(self) -> Object: ...

    @property
    def value(self) -> bytes: ...

    @property
    def decoded(self) -> bool:
        """Whether `object` costs nothing."""
        ...

    @property
    def raw(self) -> bytes:
        """JSON for a look inside: its resourceVersion may be missing."""
        ...

    @property
    def labels(self) -> bytes:
        """The JSON of metadata.labels."""
        ...

    aside: Any
    """What a reader keeps with it."""

    def transient(self) -> Object:
        """The object, not kept if it has to be decoded."""
        ...

    def metadata_span(self, obj: Object) -> tuple[int, int] | None:
        """Where in `value` the metadata of `obj`, which is this object decoded, begins and ends, if that is known."""
        ...


class Made:
    """A document that is not in the store: the outcome of a dry run, a review, another version of an object."""

    __slots__ = ("_value", "aside", "object")

    def __init__(self, obj: Object) -> None:
        self.object = obj
        self.aside: Any = None
        self._value: bytes | None = None

    @property
    def value(self) -> bytes:
        if self._value is None:
            self._value = encode(self.object)
        return self._value

    @property
    def decoded(self) -> bool:
        return True

    @property
    def raw(self) -> bytes:
        return self.value

    @property
    def labels(self) -> bytes:
        return encode(self.object["metadata"].get("labels") or {})

    def transient(self) -> Object:
        return self.object

    def metadata_span(self, obj: Object) -> tuple[int, int] | None:
        return None


@dataclass(slots=True)
class Answer:
    """One object, or a Status."""

    document: Document
    code: int = 200
    kind: Kind | None = None
    """Of the object, where it may be shown as a table."""


PIECE_ITEMS = 40
"""Items of a list that are joined and sent at a time: a piece of pods fits the processor's cache, while one body
for all of them costs a page fault for every 4 KB."""


@dataclass(slots=True)
class Pieces:
    """A long body that is put together while it is sent, and never is in memory as a whole."""

    head: bytes
    values: Sequence[bytes]
    tail: bytes

    def __len__(self) -> int:
        return len(self.head) + sum(map(len, self.values)) + max(len(self.values) - 1, 0) + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head + b",".join(self.values[:PIECE_ITEMS])
        for start in range(PIECE_ITEMS, len(self.values), PIECE_ITEMS):
            yield b",".join((b"", *self.values[start : start + PIECE_ITEMS]))
        yield self.tail


ITEMS_IN_TURN = 100
"""Items that something is made of before other requests have their turn: a millisecond or three."""

T = TypeVar("T")


async def in_turns(make: Callable[[Document], T], items: Sequence[Document]) -> list[T]:
    """What `make` makes of each, while a long list keeps nobody waiting."""
    made: list[T] = []
    for start in range(0, len(items), ITEMS_IN_TURN):
        if start:
            await asyncio.sleep(0)
        made += map(make, items[start : start + ITEMS_IN_TURN])
    return made


@dataclass(slots=True)
class Collection:
    """The answer to a list."""

    kind: Kind
    items: Sequence[Document]
    revision: int
    """0 where nothing of it is stored."""
    continue_token: str = ""
    remaining: int | None = None
    """How many items follow, where that is known."""

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"resourceVersion": str(self.revision)} if self.revision else {}
        if self.continue_token:
            metadata["continue"] = self.continue_token
            if self.remaining is not None:
                metadata["remainingItemCount"] = self.remaining
        return metadata

    @property
    def value(self) -> bytes:
        """The wire JSON of the list: the items' own bytes, joined."""
        return b"".join(self.pieces)

    @property
    def pieces(self) -> Pieces:
        """The wire JSON, as it is sent."""
        head = encode(
            {
                "kind": self.kind.list_kind or f"{self.kind.kind}List",
                "apiVersion": self.kind.api_version,
                "metadata": self.metadata,
            }
        )
        return Pieces(head[:-1] + b',"items":[', [item.value for item in self.items], b"]}\n")

    @property
    def object(self) -> Object:
        return {
            "kind": self.kind.list_kind or f"{self.kind.kind}List",
            "apiVersion": self.kind.api_version,
            "metadata": self.metadata,
            "items": [item.transient() for item in self.items],
        }


@dataclass(slots=True)
class Text:
    """An answer that is no object: `/healthz`, `/metrics`, discovery that is kept encoded."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def encode(value: Any) -> bytes:
    """JSON as it goes over the wire."""
    return orjson.dumps(value)


def encode_indented(value: Any) -> bytes:
    """JSON for people, as upstream writes what is no object of the API."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
