"""The client over HTTP, against any conforming API server.

Every failure is a StatusError: what the server refused, in its words; and 503 `ServiceUnavailable` where no answer
came. A request refused with 429 and a Retry-After is repeated, as client-go does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from yarl import URL

from mamekube.client import discovery, tls
from mamekube.client.aiohttp_import import aiohttp
from mamekube.client.client import (
    PATCH_CONTENT_TYPES,
    Client,
    Event,
    Listing,
    PatchType,
    delete_options,
    listing_of,
)
from mamekube.client.kubeconfig import ClientConfig
from mamekube.client.watch_stream import WatchStream
from mamekube.foundation import limits
from mamekube.foundation.lifecycle import Component
from mamekube.objects.meta import Object, name_of, namespace_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, unavailable

JSON = "application/json"
RETRIES_MAX = 10
"""Repetitions after 429 answers. Upstream: maxRetries of client-go's requests."""
CONNECT_TIMEOUT_S = 30.0
WATCH_GRACE_S = 30.0
"""A watch whose server was told to end it, and that is silent this much longer, is dead."""
KEEPALIVE_S = 90.0

_NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, whatever its code."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class HttpClient(Component, Client):
    """Requests with one user's credentials over kept-alive connections."""

    def __init__(self, config: ClientConfig, *, user_agent: str = "mamekube") -> None:
        super().__init__()
        self.config = config
        # The server is near: to compress what it sends would cost more than it saves.
        self._headers = {"User-Agent": user_agent, "Accept": JSON, "Accept-Encoding": "identity"}
        if config.token:
            self._headers["Authorization"] = f"Bearer {config.token}"
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        context = tls.client_context(self.config) if self.config.server.startswith("https:") else False
        connector = aiohttp.TCPConnector(
            ssl=context, limit=limits.CLIENT_CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_S
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=limits.REQUEST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            read_bufsize=2**18,
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    # Raw requests -------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request, its answer read whole. Raises StatusError only where there was no answer."""
        try:
            async with self._open(method, path, query=query, body=body, headers=headers) as response:
                return Response(response.status, response.headers, await response.read())
        except _NETWORK_ERRORS as error:
            raise unavailable(_explain(self.config.server, error)) from error

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of an answer as it comes; `silence_s` without a byte end it. Entering raises StatusError."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=silence_s)
        try:
            opened = self._open(method, path, query=query, body=body, headers=headers, timeout=timeout)
            async with opened as response:
                if response.status >= 400:
                    raise _refusal(Response(response.status, response.headers, await response.read()))
                yield response.content.iter_any()
        except _NETWORK_ERRORS as error:
            raise unavailable(_explain(self.config.server, error)) from error

    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> Any:
        assert self._session is not None, "a request before the client was entered"
        url = f"{self.config.server}{quote(path, safe='/:%~!$&()*+,;=@')}"
        parameters = {name: value for name, value in (query or {}).items() if value not in ("", None)}
        if parameters:
            url += f"?{urlencode(parameters, doseq=True)}"
        options: dict[str, Any] = {"timeout": timeout} if timeout is not None else {}
        if self.config.tls_server_name:
            options["server_hostname"] = self.config.tls_server_name
        return self._session.request(
            method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False, **options
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        document: Any = None,
        content_type: str = JSON,
    ) -> Any:
        """The decoded answer. Raises StatusError."""
        body = orjson.dumps(document) if document is not None else None
        headers = {"Content-Type": content_type} if body is not None else None
        for attempt in range(RETRIES_MAX + 1):
            response = await self.request(method, path, query=query, body=body, headers=headers)
            wait_s = _retry_after_s(response)
            if wait_s is None or attempt == RETRIES_MAX:
                break
            await asyncio.sleep(wait_s)
        if response.code >= 400:
            raise _refusal(response)
        return response.json()

    # The API ------------------------------------------------------------------------------------

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        return await self._call("GET", resource.path(namespace=namespace, name=name, subresource=subresource))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        revision: str = "",
    ) -> Listing:
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": limit or "",
            "continue": continue_token,
            "resourceVersion": revision,
        }
        return listing_of(await self._call("GET", resource.path(namespace=namespace), query=query), resource)

    async def create(
        self, resource: Resource, obj: Object, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Object:
        namespace = namespace or namespace_of(obj)
        path = resource.path(
            namespace=namespace if resource.namespaced else "", name=name, subresource=subresource
        )
        return await self._call("POST", path, document=obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        path = resource.path(namespace=namespace_of(obj), name=name_of(obj), subresource=subresource)
        return await self._call("PUT", path, document=obj)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        *,
        namespace: str = "",
        patch_type: PatchType = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        return await self._call(
            "PATCH",
            resource.path(namespace=namespace, name=name, subresource=subresource),
            query={"fieldManager": field_manager, "force": "true" if force else ""},
            document=patch,
            content_type=PATCH_CONTENT_TYPES[patch_type],
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
        uid: str = "",
        revision: str = "",
    ) -> Object:
        options = delete_options(grace_period_s, propagation, uid=uid, revision=revision)
        return await self._call("DELETE", resource.path(namespace=namespace, name=name), document=options)

    async def delete_collection(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
    ) -> None:
        await self._call(
            "DELETE",
            resource.path(namespace=namespace),
            query={"labelSelector": label_selector, "fieldSelector": field_selector},
            document=delete_options(grace_period_s, propagation),
        )

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        revision: str = "",
        bookmarks: bool = True,
        timeout_s: int = 0,
    ) -> AsyncIterator[AsyncIterator[Event]]:
        query = {
            "watch": "true",
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": revision,
            "allowWatchBookmarks": "true" if bookmarks else "",
            "timeoutSeconds": timeout_s or "",
        }
        silence_s = timeout_s + WATCH_GRACE_S if timeout_s else None
        async with self.stream(
            resource.path(namespace=namespace), query=query, silence_s=silence_s
        ) as chunks:
            yield _events(chunks)

    async def discover(self) -> discovery.Discovered:
        documents = []
        for path in discovery.PATHS:
            response = await self.request("GET", path, headers={"Accept": discovery.ACCEPT})
            if response.code >= 400:
                raise _refusal(response)
            documents.append(response.json())
        return discovery.read_documents(documents)


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    stream = WatchStream()
    try:
        async for chunk in chunks:
            for event in stream.feed(chunk):
                yield event
            if stream.error is not None:
                raise stream.error
    except aiohttp.ClientPayloadError:
        return  # The server went away in the middle: the reader resumes, as after any end of a watch.


def _retry_after_s(response: Response) -> int | None:
    """How long the server asks to wait before the same request again; None where it does not ask."""
    if response.code != 429 and response.code < 500:
        return None
    asked = response.headers.get("Retry-After", "")
    return int(asked) if asked.isdigit() else None


def _refusal(response: Response) -> StatusError:
    """The StatusError in an answer, also where a proxy, or no API server at all, answered in plain text."""
    try:
        status = response.json()
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return StatusError.from_status({**status, "code": status.get("code") or response.code})
    text = response.body.decode(errors="replace").strip()
    reasons = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable"}
    return StatusError(response.code, reasons.get(response.code, ""), text or f"HTTP status {response.code}")


def _explain(server: str, error: BaseException) -> str:
    return f"no answer from {server}: {str(error) or type(error).__name__}"
