"""/openapi/v2 and /openapi/v3.

Nothing is built until it is asked for, in a thread, piece by piece; what is kept is the compressed bytes of the
answer. A document's hash is taken from what the document is made of, so the index of v3 needs no document, and a
kind that is added or changed at run time changes the hash of its own group and version only.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import orjson

from mamekube.apiserver import version
from mamekube.apiserver.aggregation.remote_openapi import RemoteOpenApi
from mamekube.apiserver.openapi import documents, gnostic, merging, operations
from mamekube.apiserver.openapi.merging import Part
from mamekube.apiserver.openapi.operations import V2, V3, Operation
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects import schema

FORMAT = "6"
"""Counts up when the same kinds come to give another document."""

JSON = "application/json"
PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTOBUF_V2_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

SECURITY = {
    "BearerToken": {
        "description": "Bearer Token authentication",
        "in": "header",
        "name": "authorization",
        "type": "apiKey",
    }
}
DOCUMENTS_MAX = 200
"""Answers kept. Of each document only the newest is."""

Answer = tuple[int, dict[str, str], bytes]


class _Kept(NamedTuple):
    hash: str
    gzipped: bytes


class Source(NamedTuple):
    """What a document is made of."""

    kinds: Sequence[Kind] = ()
    others: Sequence[Operation] = ()
    """Operations on no kind: discovery, the version and so on."""

    def operations(self) -> Iterator[Operation]:
        yield from self.others
        for kind in self.kinds:
            yield from operations.operations(kind)


class OpenApi:
    """The answers to every request below /openapi, for the kinds of one registry."""

    def __init__(self, registry: Registry, others: RemoteOpenApi | None = None) -> None:
        self._registry = registry
        self._others = others
        """The documents of other servers."""
        self._kept: dict[str, _Kept] = {}
        self._building: dict[str, asyncio.Task[_Kept]] = {}

    async def handle(
        self,
        path: str,
        accept: str,
        query: Mapping[str, Sequence[str]],
        if_none_match: str,
        *,
        accept_encoding: str = "",
    ) -> Answer:
        """Status, headers and body. 404 for what is not there, 406 for a form that there is not."""
        path = path.rstrip("/")
        if path == "/openapi/v2":
            return await self._v2(accept, if_none_match, accept_encoding)
        if path == "/openapi/v3":
            return await self._index(accept, if_none_match)
        if path.startswith("/openapi/v3/"):
            return await self._v3(path, accept, query, if_none_match, accept_encoding)
        return 404, {"Content-Type": "text/plain"}, b"404 page not found\n"

    async def _v2(self, accept: str, if_none_match: str, accept_encoding: str) -> Answer:
        form = choose(accept, (JSON, PROTOBUF_V2, PROTOBUF_V2_ANSWER))
        if not form:
            return _not_acceptable()
        sources = self._sources().values()
        source = Source(
            [kind for source in sources for kind in source.kinds],
            [operation for source in sources for operation in source.others],
        )
        build = json_v2 if form == JSON else protobuf_v2
        content_type = JSON if form == JSON else PROTOBUF_V2_ANSWER
        parts = await self._others.parts() if self._others is not None else []
        wanted = fingerprint(source, content_type)
        if parts:
            wanted = _digest([wanted.encode(), *(part.digest.encode() for part in parts)])
        headers = {"Content-Type": content_type, "Etag": f'"{wanted}"', "Vary": "Accept"}
        if _matches(if_none_match, wanted):
            return 304, headers, b""
        kept = await self._document("v2 " + content_type, wanted, lambda: build(source, parts))
        return _encoded(headers, kept.gzipped, accept_encoding)

    async def _index(self, accept: str, if_none_match: str) -> Answer:
        if not choose(accept, (JSON,)):
            return _not_acceptable()
        urls: dict[str, Any] = {}
        for name, source in self._sources().items():
            url = f"/openapi/v3/{name}?hash={fingerprint(source, JSON)}"
            urls[name] = {"serverRelativeURL": url}
        if self._others is not None:
            urls = {**await self._others.entries(), **urls}
        body = orjson.dumps({"paths": dict(sorted(urls.items()))})
        etag = _digest([body])
        headers = {"Content-Type": JSON, "Etag": f'"{etag}"', "Vary": "Accept", "Cache-Control": "no-cache"}
        return (304, headers, b"") if _matches(if_none_match, etag) else (200, headers, body)

    async def _v3(
        self,
        path: str,
        accept: str,
        query: Mapping[str, Sequence[str]],
        if_none_match: str,
        accept_encoding: str,
    ) -> Answer:
        name = path.removeprefix("/openapi/v3/")
        source = self._sources().get(name)
        asked = (query.get("hash") or [""])[0]
        remote = self._others.find(name) if source is None and self._others is not None else None
        if remote is not None and self._others is not None:
            return await self._others.forward(remote, hash_=asked, accept=accept, if_none_match=if_none_match)
        if source is None:
            return 404, {"Content-Type": "text/plain"}, b"404 page not found\n"
        if not choose(accept, (JSON,)):
            return _not_acceptable()
        wanted = fingerprint(source, JSON)
        if asked and asked != wanted:
            return 301, {"Location": f"/openapi/v3/{name}?hash={wanted}"}, b""
        headers = {
            "Content-Type": JSON,
            "Etag": f'"{wanted}"',
            "Vary": "Accept",
            "Cache-Control": "public, max-age=31536000, immutable" if asked else "no-cache, private",
        }
        if _matches(if_none_match, wanted):
            return 304, headers, b""
        kept = await self._document(name, wanted, lambda: json_v3(source))
        return _encoded(headers, kept.gzipped, accept_encoding)

    def _sources(self) -> dict[str, Source]:
        """By the name of the document in the index: `version`, `apis/apps`, `apis/apps/v1`."""
        versions: dict[tuple[str, str], list[Kind]] = {}
        for kind in self._registry.all():
            versions.setdefault((kind.group, kind.version), []).append(kind)
        found = {name: Source((), described) for name, described in operations.page_operations().items()}
        for (group, name), kinds in versions.items():
            # Of custom resources upstream publishes the resources and not what discovery says of them.
            built_in = isinstance(kinds[0].schema, str)
            if built_in and group:
                found[f"apis/{group}"] = Source((), (operations.group_operation(group),))
            described = (operations.version_operation(group, name),) if built_in else ()
            found[f"apis/{group}/{name}" if group else f"api/{name}"] = Source(kinds, described)
        return found

    async def _document(self, name: str, wanted: str, build: Any) -> _Kept:
        """The document `name` as of hash `wanted`, built once however many ask for it."""
        kept = self._kept.get(name)
        if kept is not None and kept.hash == wanted:
            return kept
        task = self._building.get(name + wanted)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_built, wanted, build))
            self._building[name + wanted] = task
            task.add_done_callback(lambda _: self._building.pop(name + wanted, None))
        kept = await asyncio.shield(task)
        if len(self._kept) >= DOCUMENTS_MAX:
            self._kept.clear()
        self._kept[name] = kept
        return kept


def _built(wanted: str, build: Any) -> _Kept:
    return _Kept(wanted, gzip.compress(build(), compresslevel=5, mtime=0))


# Documents ----------------------------------------------------------------------------------------------


def json_v3(source: Source) -> bytes:
    """A document of version 3."""
    info = {"title": "Kubernetes", "version": version.GIT_VERSION}
    schemas = (
        (name, documents.dialect(name, definition, V3))
        for name, definition in documents.closure(source.kinds, source.operations())
    )
    return b"".join(
        (
            b'{"openapi":"3.0.0","info":',
            orjson.dumps(info),
            b',"paths":{',
            _members(operations.paths(source.operations(), V3)),
            b'},"components":{"schemas":{',
            _members(schemas),
            b'},"securitySchemes":',
            orjson.dumps(SECURITY),
            b'},"security":[{"BearerToken":[]}]}',
        )
    )


def json_v2(source: Source, parts: Sequence[Part] = ()) -> bytes:
    """The document of all kinds and of other servers' parts, as JSON."""
    others = merging.merged(parts, _definitions_v2(source) if parts else ())
    return b"".join(
        (
            b'{"swagger":"2.0","info":',
            orjson.dumps(_info_v2()),
            b',"paths":{',
            _members(chain(operations.paths(source.operations(), V2), others.paths.items())),
            b'},"definitions":{',
            _members(chain(_definitions_v2(source), others.definitions.items())),
            b'},"securityDefinitions":',
            orjson.dumps(SECURITY),
            b',"security":[{"BearerToken":[]}]}',
        )
    )


def protobuf_v2(source: Source, parts: Sequence[Part] = ()) -> bytes:
    """The same as protobuf."""
    others = merging.merged(parts, _definitions_v2(source) if parts else ())
    return gnostic.encode_document(
        info=_info_v2(),
        paths=chain(operations.paths(source.operations(), V2), others.paths.items()),
        definitions=chain(_definitions_v2(source), others.definitions.items()),
        security=SECURITY,
    )


def _info_v2() -> dict[str, str]:
    return {"title": "Kubernetes", "version": version.GIT_VERSION}


def _definitions_v2(source: Source) -> Iterable[tuple[str, dict[str, Any]]]:
    for name, definition in documents.closure(source.kinds, source.operations()):
        yield name, documents.dialect(name, definition, V2)


def _members(items: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    return b",".join(orjson.dumps(name) + b":" + orjson.dumps(item) for name, item in items)


def fingerprint(source: Source, form: str) -> str:
    """A hash of everything that a document in this form is made of."""
    parts = [FORMAT.encode(), schema.VERSION.encode(), version.GIT_VERSION.encode(), form.encode()]
    parts += [operation.path.encode() for operation in source.others]
    for kind in source.kinds:
        parts.append(f"{kind.api_version} {kind.kind} {kind.plural} {kind.namespaced} {kind.verbs}".encode())
        parts.append(f"{kind.subresources} {kind.has_status} {kind.scale is not None}".encode())
        own = kind.schema
        parts.append(own.encode() if isinstance(own, str) else _schema_digest(own))
        parts.append(" ".join(kind.selectable).encode())
    return _digest(parts)


SCHEMA_DIGESTS_MAX = 1_000
_schema_digests: dict[int, tuple[Mapping[str, Any], bytes]] = {}


def _schema_digest(schema: Mapping[str, Any]) -> bytes:
    """Of a custom kind's schema, which may be a megabyte and never changes: worked out once."""
    known = _schema_digests.get(id(schema))
    if known is not None and known[0] is schema:
        return known[1]
    if len(_schema_digests) >= SCHEMA_DIGESTS_MAX:
        _schema_digests.clear()
    digest = hashlib.sha256(orjson.dumps(schema)).digest()
    _schema_digests[id(schema)] = (schema, digest)
    return digest


# HTTP ---------------------------------------------------------------------------------------------------


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b"\0")
    return digest.hexdigest().upper()


def choose(accept: str, offered: Sequence[str]) -> str:
    """The first media type of `accept` that is offered, by its weight; the first offered for `*/*` or nothing."""
    if not accept:
        return offered[0]
    ranges: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, *parameters = [item.strip() for item in part.split(";")]
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        ranges.append((weight, name))
    for weight, name in sorted(ranges, key=lambda item: -item[0]):
        if weight > 0 and name in offered:
            return name
        if weight > 0 and name in ("*/*", "application/*"):
            return offered[0]
    return ""


def _matches(if_none_match: str, etag: str) -> bool:
    wanted = [item.strip().removeprefix("W/").strip('"') for item in if_none_match.split(",")]
    return etag in wanted or "*" in wanted


def _encoded(headers: dict[str, str], gzipped: bytes, accept_encoding: str) -> Answer:
    if "gzip" in accept_encoding:
        return 200, {**headers, "Content-Encoding": "gzip", "Vary": "Accept, Accept-Encoding"}, gzipped
    return 200, headers, gzip.decompress(gzipped)


def _not_acceptable() -> Answer:
    return 406, {"Content-Type": "text/plain"}, b""
