"""Requests of the server's own parts for the APIs of other servers: the in-process client's other half.

The user is told to the other server in the `X-Remote-*` headers, as `proxy` tells it of clients from
outside. Whoever calls has authorized the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from mamekube.apiserver.aggregation.apiservices import ApiServices, Remote
from mamekube.apiserver.formats import codec
from mamekube.apiserver.request import Request
from mamekube.apiserver.webhook_client import reason_of
from mamekube.client.client import Event
from mamekube.client.watch_stream import WatchStream
from mamekube.foundation.limits import REQUEST_TIMEOUT_S
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError, internal_error, unavailable


class RemoteCalls:
    """Asks other servers."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def find(self, request: Request) -> Remote | None:
        """The server that is responsible, None where it is this one."""
        remotes = self._services.remotes
        return remotes.get((request.group, request.version)) if remotes else None

    async def call(self, remote: Remote, request: Request, *, content_type: str, document: Any) -> Object:
        """The object, list or Status that is answered. Raises StatusError."""
        body = orjson.dumps(document) if document is not None else None
        with _as_refusals(remote):
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                async with self._send(remote, request, body, content_type) as answer:
                    return _object(answer.status, await answer.read())

    @asynccontextmanager
    async def watch(self, remote: Remote, request: Request) -> AsyncIterator[AsyncIterator[Event]]:
        """The events as they come. Entering and iterating raise StatusError."""
        with _as_refusals(remote):
            async with self._send(remote, request, None, codec.JSON) as answer:
                if answer.status >= 300:
                    _object(answer.status, await answer.read())
                yield _events(answer.content.iter_any())

    def _send(self, remote: Remote, request: Request, body: bytes | None, content_type: str) -> Any:
        from yarl import URL

        from mamekube.apiserver.aggregation.proxy import headers_for

        if not remote.available or remote.context is None:
            raise unavailable("service unavailable")
        headers = headers_for(request.user, request.headers)
        headers["Accept"] = codec.JSON
        headers["Accept-Encoding"] = "identity"
        if body is not None:
            headers["Content-Type"] = content_type
        return self._services.session().request(
            request.method,
            URL(remote.url + target_of(request), encoded=True),
            headers=headers,
            data=body,
            ssl=remote.context,
            allow_redirects=False,
        )


def target_of(request: Request) -> str:
    """The path and query of a request that was made of its parts."""
    parts = ["apis", request.group, request.version]
    if request.namespace:
        parts += ["namespaces", request.namespace]
    parts += filter(None, (request.resource, request.name, request.subresource))
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    query = dict(request.query)
    if request.verb == "watch":
        query["watch"] = ["true"]
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


@contextmanager
def _as_refusals(remote: Remote) -> Iterator[None]:
    """Whatever keeps the other server from answering is a StatusError, and a reason to look after it at once."""
    from mamekube.client.aiohttp_import import aiohttp

    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        remote.doubt.set()
        raise unavailable(f"error trying to reach service: {reason_of(error)}") from error


def _object(code: int, body: bytes) -> Object:
    """Raises StatusError: what the other server refused, in its words."""
    try:
        answered = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        answered = None
    if not isinstance(answered, dict):
        text = body.decode(errors="replace").strip()
        raise StatusError(code, "", text) if code >= 300 else internal_error(f"no JSON object: {text[:200]}")
    if code >= 300:
        raise StatusError.from_status({"message": f"HTTP status {code}", **answered, "code": code})
    return answered


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    stream = WatchStream()
    async for chunk in chunks:
        for event in stream.feed(chunk):
            yield event
        if stream.error is not None:
            raise stream.error
