"""What a request is answered with: objects that know their wire JSON, and collections of them.

`store.Item` is a document too, so an answer that is in the store already is sent without encoding anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object


class Document(Protocol):
    """An object with its wire JSON; read-only."""

    @property
    def object(self) -> Object: ...

    @property
    def value(self) -> bytes: ...


class Made:
    """A document that is not in the store: the outcome of a dry run, a review, another version of an object."""

    __slots__ = ("_value", "object")

    def __init__(self, obj: Object) -> None:
        self.object = obj
        self._value: bytes | None = None

    @property
    def value(self) -> bytes:
        if self._value is None:
            self._value = encode(self.object)
        return self._value


@dataclass(slots=True)
class Answer:
    """One object, or a Status."""

    document: Document
    code: int = 200
    kind: Kind | None = None
    """Of the object, where it may be shown as a table."""


@dataclass(slots=True)
class Collection:
    """The answer to a list."""

    kind: Kind
    items: Sequence[Document]
    revision: int
    continue_token: str = ""
    remaining: int | None = None
    """How many items follow, where that is known."""

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            metadata["continue"] = self.continue_token
            if self.remaining is not None:
                metadata["remainingItemCount"] = self.remaining
        return metadata

    @property
    def value(self) -> bytes:
        """The wire JSON of the list: the items' own bytes, joined."""
        head = encode(
            {
                "kind": self.kind.list_kind or f"{self.kind.kind}List",
                "apiVersion": self.kind.api_version,
                "metadata": self.metadata,
            }
        )
        return b"".join((head[:-1], b',"items":[', b",".join([item.value for item in self.items]), b"]}\n"))

    @property
    def object(self) -> Object:
        return {
            "kind": self.kind.list_kind or f"{self.kind.kind}List",
            "apiVersion": self.kind.api_version,
            "metadata": self.metadata,
            "items": [item.object for item in self.items],
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
