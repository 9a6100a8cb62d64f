"""Requests for the APIs of other servers, handed on to them.

The other server believes this one: it knows its client certificate, and takes the user from the `X-Remote-*` headers.
So none of these headers, and no credential, ever comes through from a client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from mamekube.apiserver import tunnel
from mamekube.apiserver.aggregation.apiservices import CONNECT_TIMEOUT_S, ApiServices, Remote
from mamekube.apiserver.backends import choose
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.reply import Passed, Reply, Response, Stream
from mamekube.apiserver.request import Request, User
from mamekube.apiserver.webhook_client import CallError, reason_of, service_host
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.apiserver.wire.headers import Headers
from mamekube.foundation.limits import REQUEST_TIMEOUT_S
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

if TYPE_CHECKING:
    from multidict import CIMultiDict

CREDENTIALS = frozenset({"authorization", "cookie", "x-remote-user", "x-remote-group", "x-remote-uid"})
PREFIXES = ("x-remote-extra-", "impersonate-")
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
KEPT_HERE = CREDENTIALS | HOP_BY_HOP | {"host"}
REDIRECTED = b"the backend attempted to redirect this request, which is not permitted"
SAFE_IN_KEYS = "!#$&'*+-.^_`|~"
"""Besides letters and digits; all else of an extra's key is escaped, as upstream does."""


class Unavailable(Exception):
    """The other server cannot be reached: 503 with this text."""


class AggregationProxy:
    """Hands requests on."""

    def __init__(self, services: ApiServices, store: Store, dialer: Dialer) -> None:
        self._services = services
        self._store = store
        self._dialer = dialer

    def find(self, request: Request) -> Remote | None:
        """The server that is responsible, None where it is this one."""
        remotes = self._services.remotes
        if not remotes or not request.path.startswith("/apis/"):
            return None
        if request.is_resource:
            return remotes.get((request.group, request.version))
        parts = request.path.strip("/").split("/")
        return remotes.get((parts[1], parts[2])) if len(parts) > 2 else None

    async def serve(self, remote: Remote, request: Request, exchange: Exchange) -> Response:
        """Raises Unavailable as long as nothing was answered."""
        from mamekube.client.aiohttp_import import aiohttp

        if not remote.available or remote.context is None:
            raise Unavailable("service unavailable")
        headers = headers_for(request.user, exchange.headers)
        ways = (exchange.headers.get("X-Forwarded-For"), exchange.remote)
        headers["X-Forwarded-For"] = ", ".join(filter(None, ways))
        headers["X-Forwarded-Proto"] = "https"
        headers["X-Forwarded-Host"] = exchange.headers.get("Host", "")
        headers["X-Forwarded-Uri"] = exchange.target.partition("?")[0]
        try:
            if exchange.upgrades:
                return await self._upgrade(remote, exchange, headers)
            return await self._hand_on(remote, request, exchange, headers)
        except (aiohttp.ClientError, CallError, StatusError, OSError, TimeoutError) as error:
            if exchange.answered:
                raise ConnectionResetError("the other server broke off its answer") from error
            remote.doubt.set()
            why = error.message if isinstance(error, StatusError) else reason_of(error)
            raise Unavailable(f"error trying to reach service: {why}") from error

    async def _hand_on(
        self, remote: Remote, request: Request, exchange: Exchange, headers: CIMultiDict[str]
    ) -> Reply | Stream:
        from yarl import URL

        url = URL(remote.url + exchange.target, encoded=True)
        calling = self._services.session().request(
            exchange.method,
            url,
            headers=headers,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            data=exchange.chunks() if exchange.body_exists else None,
            ssl=remote.context or True,
            allow_redirects=False,
        )
        async with asyncio.timeout(None if request.verb == "watch" else REQUEST_TIMEOUT_S):
            answer = await calling
        async with answer:
            kept = [(key, value) for key, value in answer.headers.items() if key.lower() not in HOP_BY_HOP]
            if 300 <= answer.status < 400 and answer.headers.get("Location"):
                # A client would follow it with its own credentials.
                return Reply(exchange, 502, {}, REDIRECTED)
            endless = request.verb == "watch"
            stream = Stream(exchange, kept, status=answer.status, reason=answer.reason, endless=endless)
            stream.begin()
            async for chunk in answer.content.iter_any():
                await stream.write(chunk)
            return stream

    async def _upgrade(self, remote: Remote, exchange: Exchange, headers: CIMultiDict[str]) -> Passed:
        place = await choose(self._store, namespace=remote.namespace, name=remote.service, port=remote.port)
        host = service_host(remote.namespace, remote.service)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await self._dialer.connect(
                place.host, place.port, ssl=remote.context, server_hostname=host
            )
        headers["Connection"], headers["Upgrade"] = "Upgrade", exchange.headers.get("Upgrade", "")
        lines = [f"{exchange.method} {exchange.target} HTTP/1.1", f"Host: {host}:{remote.port}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        return await tunnel.join(exchange, "\r\n".join([*lines, "", ""]).encode(), reader, writer)


def headers_for(user: User, given: Mapping[str, str]) -> CIMultiDict[str]:
    """The client's headers without its credentials, with who it is."""
    from multidict import CIMultiDict

    headers: CIMultiDict[str] = CIMultiDict()
    for key, value in given.pairs() if isinstance(given, Headers) else given.items():
        name = key.lower()
        if name not in KEPT_HERE and not name.startswith(PREFIXES):
            headers.add(key, value)
    headers["X-Remote-User"] = user.name
    if user.uid:
        headers["X-Remote-Uid"] = user.uid
    for group in user.groups:
        headers.add("X-Remote-Group", group)
    for key, values in user.extra.items():
        for value in values:
            headers.add(f"X-Remote-Extra-{quote(key, safe=SAFE_IN_KEYS)}", value)
    return headers
