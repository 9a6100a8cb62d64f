"""Answers in the form that the client wants: as they are, as tables, as metadata; JSON, YAML or protobuf.

What the store keeps is JSON, so plain JSON costs nothing; everything else is made here, for one client.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from mamekube.apiserver import watching
from mamekube.apiserver.documents import Answer, Collection, Pieces, encode, encode_indented
from mamekube.apiserver.formats import codec, negotiation, tables
from mamekube.apiserver.formats.negotiation import Form
from mamekube.apiserver.request import Request
from mamekube.foundation import sidetrack
from mamekube.foundation.clock import Clock
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.kinds.kind import Kind
from mamekube.objects import gotext
from mamekube.objects.meta import Object
from mamekube.objects.status import not_acceptable

GZIP_MIN_BYTES = 128 * 1024
PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")
"""Clients behind which a person reads: answers are indented for them."""


async def body_of(request: Request, answer: Answer | Collection, form: Form, clock: Clock) -> bytes | Pieces:
    """The body of an answer. Raises 406 for what there is no way to write so."""
    if form.media_type == codec.PROTOBUF:
        if not form.as_kind and answer.kind is not None:
            _check_messages(answer.kind)
        if form.as_kind:
            return await _protobuf(await _converted(request, answer, form, clock))
        return await _protobuf(answer.pieces if isinstance(answer, Collection) else answer.document.value)
    body: bytes | Pieces
    if form.as_kind:
        value = await _converted(request, answer, form, clock)
        body = value if isinstance(value, Pieces) else encode(value)
    elif isinstance(answer, Collection):
        body = answer.pieces
    else:
        body = answer.document.value
    if form.media_type != codec.JSON or _wants_pretty(request, form):
        found = body
        size_bytes = len(body) if len(body) > HEAVY_BYTES else 0
        return await sidetrack.run(lambda: _rendered(found, form), size_bytes=size_bytes)
    return body


def refusal_of(request: Request, status: Object) -> tuple[str, bytes]:
    """The content type and the body of a Status that says why there is no other answer."""
    accept = request.headers.get("Accept", "")
    if not negotiation.forms(accept):
        return codec.JSON, encode_indented(status)
    form = negotiation.status_form(accept)
    if form.media_type == codec.PROTOBUF:
        from mamekube.apiserver.formats import protobuf_encoding

        return form.media_type, protobuf_encoding.encode(status)
    body = encode(status)
    if form.media_type != codec.JSON or _wants_pretty(request, form):
        body = _written(status, form)
    return form.media_type, body


def _check_messages(kind: Kind) -> None:
    """Custom resources have none. Raises 406."""
    if not isinstance(kind.schema, str):
        raise not_acceptable(negotiation.OFFERED)


async def _protobuf(value: Object | bytes | Pieces) -> bytes:
    from mamekube.apiserver.formats import protobuf_encoding

    if isinstance(value, dict):
        return protobuf_encoding.encode(value)
    body = value
    size_bytes = len(body) if len(body) > HEAVY_BYTES else 0
    return await sidetrack.run(lambda: protobuf_encoding.encode(_decoded(body)), size_bytes=size_bytes)


async def _converted(request: Request, answer: Answer | Collection, form: Form, clock: Clock) -> Any:
    """The answer as a Table, or with its metadata only."""
    now_s = clock.now()
    if isinstance(answer, Collection):
        if form.as_kind == negotiation.TABLE:
            include = tables.include_of(request.first("includeObject"))
            return await tables.of_collection(answer, version=form.version, include=include, now_s=now_s)
        return await tables.partial_collection(answer, version=form.version)
    obj = answer.document.object
    if form.as_kind != negotiation.TABLE:
        return tables.partial(obj, version=form.version) if answer.kind else obj
    if answer.kind is None:
        return tables.of_status(obj, version=form.version)
    metadata = {"resourceVersion": (obj.get("metadata") or {}).get("resourceVersion", "")}
    include = tables.include_of(request.first("includeObject"))
    return tables.of_objects(answer.kind, [obj], metadata, version=form.version, include=include, now_s=now_s)


# Watches ------------------------------------------------------------------------------------------------

Written = Callable[[str, Object], bytes]
"""`(event type, object)`: the event as it stands in the stream."""


def writer_of_events(
    request: Request, kind: Kind, form: Form, clock: Clock
) -> Callable[[watching.Told], bytes]:
    """How the events of a watch are written in this form. Raises 406 for what cannot be."""
    written = written_events(form)
    if form.as_kind == negotiation.TABLE:
        return _tables(request, kind, form, clock, written)
    if form.as_kind:
        return lambda event: written(event.type, tables.partial(event.document.object, version=form.version))
    if form.media_type == codec.JSON:
        return lambda event: event.wire
    _check_messages(kind)
    return lambda event: written(event.type, event.document.object)


def written_events(form: Form) -> Written:
    if form.media_type == codec.PROTOBUF:
        from mamekube.apiserver.formats.protobuf_encoding import encode_event

        return encode_event
    return lambda kind, obj: b'{"type":"%b","object":%b}\n' % (kind.encode(), encode(obj))


def _tables(
    request: Request, kind: Kind, form: Form, clock: Clock, written: Written
) -> Callable[[watching.Told], bytes]:
    include = tables.include_of(request.first("includeObject"))
    first = True

    def write(event: watching.Told) -> bytes:
        nonlocal first
        # A bookmark is a row, too: what it is annotated with stands in the row's object.
        obj = event.document.object
        shown = tables.of_objects(
            kind,
            [obj],
            {"resourceVersion": obj["metadata"]["resourceVersion"]},
            version=form.version,
            include=include,
            now_s=clock.now(),
            columns=first,
        )
        first = False
        return written(event.type, shown)

    return write


# Bytes --------------------------------------------------------------------------------------------------


def _wants_pretty(request: Request, form: Form) -> bool:
    if form.pretty:
        return True
    pretty = request.first("pretty") if request.query else ""
    if pretty:
        return pretty in gotext.TRUE
    return request.headers.get("User-Agent", "").startswith(PRETTY_AGENTS)


def _rendered(body: bytes | Pieces, form: Form) -> bytes | Pieces:
    if form.media_type == codec.JSON and isinstance(body, Pieces):
        return _indented(body)
    return _written(_decoded(body), form)


def _written(value: Object, form: Form) -> bytes:
    if form.media_type == codec.JSON:
        return encode_indented(value)
    from mamekube.apiserver.formats import yamls

    return yamls.encode(value)


def _decoded(body: bytes | Pieces) -> Object:
    """The values of a list one by one: to decode it as a whole is one long step."""
    obj: Object
    if isinstance(body, bytes):
        obj = orjson.loads(body)
        return obj
    obj = orjson.loads(body.head + body.tail)
    obj[next(reversed(obj))] = [orjson.loads(value) for value in body.values]
    return obj


def _indented(body: Pieces) -> Pieces:
    """A list for people, with its values, which stand last, each set in by two levels."""
    head, _, tail = encode_indented(orjson.loads(body.head + body.tail)).rpartition(b"[]")
    if not body.values:
        return Pieces(head + b"[]", (), tail)
    values = [encode_indented(orjson.loads(value)).replace(b"\n", b"\n    ") for value in body.values]
    return Pieces(
        head + b"[\n    ", [values[0], *(b"\n    " + value for value in values[1:])], b"\n  ]" + tail
    )


async def compressed(request: Request, body: bytes | Pieces, headers: dict[str, str]) -> bytes | Pieces:
    """A long body as gzip where the client takes it, made in a thread: other requests go on meanwhile."""
    if len(body) <= GZIP_MIN_BYTES or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return body
    headers["Content-Encoding"] = "gzip"
    headers["Vary"] = ", ".join(filter(None, (headers.get("Vary", ""), "Accept-Encoding")))
    return await asyncio.get_running_loop().run_in_executor(None, _gzip, body)


def _gzip(body: bytes | Pieces) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    pieces = (body,) if isinstance(body, bytes) else body
    return b"".join([*(packer.compress(piece) for piece in pieces), packer.flush()])
