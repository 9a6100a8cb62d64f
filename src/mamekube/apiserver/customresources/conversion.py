"""Objects of a custom resource between the versions in which they are stored, asked for and sent.

What comes out of the store is pruned and defaulted by the schema of the version it was stored in, converted if
another one is asked for, and pruned again by that one's schema. Strategy `None` rewrites apiVersion only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mamekube.apiserver.customresources import structural
from mamekube.apiserver.documents import Document, Made
from mamekube.apiserver.formats import fieldvalidation
from mamekube.apiserver.resources import fresh
from mamekube.objects.meta import Object
from mamekube.objects.schema import Schema, schema_from_crd
from mamekube.store.store import Item

CLEAN_MAX = 100_000
"""Stored objects remembered as needing no change; beyond that all are looked at again."""

Converter = Callable[[Sequence[Object], str], Awaitable[list[Object]]]
"""Objects, which it may change, and the API version to bring them to."""


class Shape:
    """The schema of one version, as far as it changes objects."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._typed: Schema | None = None

    @property
    def typed(self) -> Schema:
        if self._typed is None:
            self._typed = schema_from_crd(self.schema)
        return self._typed

    def prune(self, obj: Object) -> None:
        fieldvalidation.inspect(obj, self.typed)

    def fill(self, obj: Object) -> None:
        structural.fill(obj, self.schema)


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
        clean = self._clean
        out: list[Document] = []
        foreign: list[tuple[int, Object]] = []
        for document in documents:
            stored = isinstance(document, Item)
            if stored and clean.get(document.key) == document.revision:
                out.append(document)
                continue
            obj = self._read(document.object)
            if obj["apiVersion"] != self._api_version:
                foreign.append((len(out), obj))
                out.append(document)
            elif obj == document.object:
                if stored:
                    self._remember(document)
                out.append(document)
            else:
                out.append(Made(obj))
        if foreign:
            converted = await self._convert([obj for _, obj in foreign], self._api_version)
            for (place, _), obj in zip(foreign, converted, strict=True):
                self._shapes[self._version].prune(obj)
                out[place] = Made(obj)
        return out

    def _remember(self, document: Item) -> None:
        if len(self._clean) >= CLEAN_MAX:
            self._clean.clear()
        self._clean[document.key] = document.revision

    def _read(self, stored: Object) -> Object:
        obj = fresh(stored)
        shape = self._shapes.get(obj["apiVersion"].rpartition("/")[2])
        if shape is not None:
            shape.prune(obj)
            shape.fill(obj)
        return obj

    async def converted(
        self, objects: Sequence[Object], api_version: str
    ) -> tuple[list[Object], Schema] | None:
        """Objects of any versions in one of them, served or not, and its schema. Raises as `stored`."""
        shape = self._shapes.get(api_version.rpartition("/")[2])
        if shape is None:
            return None
        out = [fresh(obj) for obj in objects]
        foreign = [index for index, obj in enumerate(out) if obj["apiVersion"] != api_version]
        if foreign:
            made = await self._convert([out[index] for index in foreign], api_version)
            for index, obj in zip(foreign, made, strict=True):
                shape.prune(obj)
                out[index] = obj
        return out, shape.typed

    async def stored(self, obj: Object) -> Object:
        """Raises StatusError where a webhook fails."""
        if obj["apiVersion"] == self._stored_as:
            return obj
        [converted] = await self._convert([fresh(obj)], self._stored_as)
        self._shapes[self._storage].prune(converted)
        return converted
