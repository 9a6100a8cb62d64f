"""Objects of a custom resource between the versions in which they are stored, asked for and sent.

What comes out of the store is pruned and defaulted by the schema of the version it was stored in, converted if
another one is asked for, and pruned again by that one's schema. Strategy `None` rewrites apiVersion only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from mamekube.apiserver.customresources import structural
from mamekube.apiserver.documents import Document, Made
from mamekube.apiserver.formats import fieldvalidation
from mamekube.apiserver.resources import fresh
from mamekube.foundation import sidetrack, slices
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.kinds.apiextensions import embedded
from mamekube.objects.meta import Object, metadata
from mamekube.objects.schema import Schema, schema_from_crd
from mamekube.objects.status import StatusError
from mamekube.store.store import Item

CLEAN_MAX = 100_000
"""Stored objects remembered as needing no change; beyond that all are looked at again."""

T = TypeVar("T")

Converter = Callable[[Sequence[Object], str], Awaitable[list[Object]]]
"""Objects, which it may change, and the API version to bring them to."""


class Shape:
    """The schema of one version, as far as it changes objects."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._typed: Schema | None = None
        self._defaults: structural.Defaults | None = None

    @property
    def typed(self) -> Schema:
        if self._typed is None:
            self._typed = schema_from_crd(self.schema)
        return self._typed

    def prune(self, obj: Object) -> None:
        if fieldvalidation.inspect(obj, self.typed).error:
            _drop_malformed(obj, self.schema, resource=True)

    def fill(self, obj: Object) -> None:
        if self._defaults is None:
            self._defaults = structural.Defaults(self.schema)
        self._defaults.fill(obj)


METADATA = schema_from_crd({"type": "object"})


def _drop_malformed(value: Any, schema: Mapping[str, Any], *, resource: bool) -> None:
    """Drop metadata of wrong types, which were stored before a schema said that they are metadata."""
    meta = value.get("metadata") if resource and isinstance(value, dict) else None
    if isinstance(meta, dict):
        for key in list(meta):
            if fieldvalidation.inspect({"metadata": {key: meta[key]}}, METADATA).error:
                del meta[key]
    elif meta is not None:
        del value["metadata"]
    for item, below, _ in embedded.children(value, schema, ""):
        _drop_malformed(item, below, resource=bool(below.get("x-kubernetes-embedded-resource")))


async def rewrite(objects: Sequence[Object], api_version: str) -> list[Object]:
    """Strategy `None`."""
    return [{**obj, "apiVersion": api_version} for obj in objects]


class VersionConversion:
    """To and from one served version of a custom resource (`kinds.kind.Conversion`)."""

    def __init__(
        self, group: str, version: str, storage: str, shapes: Mapping[str, Shape], convert: Converter
    ) -> None:
        self._api_version = f"{group}/{version}"
        self._version = version
        self._stored_as = f"{group}/{storage}"
        self._storage = storage
        self._shapes = shapes
        self._convert = convert
        self._clean: dict[str, int] = {}

    async def shown(self, documents: Sequence[Any]) -> list[Document]:
        """Raises StatusError where a webhook fails."""
        clean, out = self._clean, list(documents)
        unread = [
            place
            for place, document in enumerate(documents)
            if not (isinstance(document, Item) and clean.get(document.key) == document.revision)
        ]
        if not unread:
            return out
        foreign: list[tuple[int, Object]] = []
        heavy_bytes = sum(map(_heavy_bytes, (documents[place] for place in unread)))
        objects = [documents[place].object for place in unread]
        found = await _in_turns(self._read, objects, heavy_bytes=heavy_bytes)
        for place, (obj, as_it_is) in zip(unread, found, strict=True):
            document = documents[place]
            if obj["apiVersion"] != self._api_version:
                foreign.append((place, obj))
            elif not as_it_is:
                out[place] = Made(obj)
            elif isinstance(document, Item):
                self._remember(document)
        if foreign:
            converted = await self._convert([obj for _, obj in foreign], self._api_version)
            pruned = await self._pruned(converted, self._version, heavy_bytes=heavy_bytes)
            for (place, _), obj in zip(foreign, pruned, strict=True):
                out[place] = Made(obj)
        return out

    async def _pruned(self, objects: Sequence[Object], version: str, *, heavy_bytes: int) -> list[Object]:
        """What a conversion made, without what the version does not know. To prune twice is to prune once."""

        def prune(obj: Object) -> Object:
            self._shapes[version].prune(obj)
            return obj

        return await _in_turns(prune, objects, heavy_bytes=heavy_bytes)

    def _remember(self, document: Item) -> None:
        if len(self._clean) >= CLEAN_MAX:
            self._clean.clear()
        self._clean[document.key] = document.revision

    def _read(self, stored: Object) -> tuple[Object, bool]:
        """By the schema that it was stored in, and whether that changed nothing."""
        obj = fresh(stored)
        shape = self._shapes.get(obj["apiVersion"].rpartition("/")[2])
        if shape is not None:
            shape.prune(obj)
            # Defaults may be too much for it since they changed; it can be read and deleted all the same.
            with contextlib.suppress(StatusError):
                shape.fill(obj)
        if not metadata(obj).get("generation"):
            obj["metadata"]["generation"] = 1
        return obj, obj == stored

    async def converted(
        self, objects: Sequence[Object], api_version: str
    ) -> tuple[list[Object], Schema] | None:
        """Objects of any versions in one of them, served or not, and its schema. Raises as `stored`."""
        version = api_version.rpartition("/")[2]
        shape = self._shapes.get(version)
        if shape is None:
            return None
        out = [fresh(obj) for obj in objects]
        foreign = [index for index, obj in enumerate(out) if obj["apiVersion"] != api_version]
        if foreign:
            made = await self._convert([out[index] for index in foreign], api_version)
            pruned = await self._pruned(made, version, heavy_bytes=sum(map(_heavy_bytes, made)))
            for index, obj in zip(foreign, pruned, strict=True):
                out[index] = obj
        return out, shape.typed

    async def stored(self, obj: Object) -> Object:
        """Raises StatusError where a webhook fails."""
        if obj["apiVersion"] == self._stored_as:
            return obj
        made = await self._convert([fresh(obj)], self._stored_as)
        [converted] = await self._pruned(made, self._storage, heavy_bytes=sum(map(_heavy_bytes, made)))
        return converted


def _heavy_bytes(document: Any) -> int:
    """How large a document or an object is, where that is more than can be worked on at once."""
    if isinstance(document, Item):
        size = len(document.value)
    else:
        size = len(orjson.dumps(document.object if isinstance(document, Made) else document))
    return size if size > HEAVY_BYTES else 0


async def _in_turns(work: Callable[[Object], T], objects: Sequence[Object], *, heavy_bytes: int) -> list[T]:
    """What `work` makes of each object: large ones beside the loop, many small ones in turns with it."""

    def compute() -> list[T]:
        made = []
        for obj in objects:
            slices.breathe()
            made.append(work(obj))
        return made

    if heavy_bytes:
        return await sidetrack.run(compute, size_bytes=heavy_bytes)
    return await slices.run(compute)
