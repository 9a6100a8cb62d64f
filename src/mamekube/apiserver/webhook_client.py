"""Calling webhooks: JSON posted over TLS, whatever the other side does.

A webhook is outside code. It may be slow, close, redirect, answer without end or answer nonsense; each of these ends
the call with a `CallError` in the time it was given, and its connection with it. Services are reached at one of their
pods, and their certificate is checked for `NAME.NAMESPACE.svc`. aiohttp is loaded with the first call.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import math
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from mamekube.apiserver import backends
from mamekube.apiserver.admission.webhook_counts import WebhookCounts
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.documents import encode
from mamekube.apiserver.formats import codec
from mamekube.foundation import sidetrack
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import BODY_BYTES_MAX, HEAVY_BYTES
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import ResolveResult
    from aiohttp.tracing import Trace

CONTEXTS_KEPT_MAX = 256
"""TLS contexts by CA bundle. Beyond it they are made again."""
CONNECTIONS_PER_HOST_MAX = 64
"""Calls under way to one webhook; more wait within their timeout."""
IDLE_CONNECTION_S = 30.0

HTTPS_PORT = 443
SERVICE_HOST_SUFFIX = ".svc"


_transports: ContextVar[list[asyncio.Transport]] = ContextVar("_transports")
"""What the call under way goes over."""


class CallError(Exception):
    """The call failed; the text is the reason, as upstream words it."""


class WebhookClient(Component):
    """One session for all webhooks."""

    def __init__(self, store: Store, dialer: Dialer) -> None:
        super().__init__()
        self.counts = WebhookCounts()
        self._store = store
        self._dialer = dialer
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, config: Mapping[str, Any], body: Any, *, timeout_s: float) -> Any:
        """The JSON that a webhook answers to `body`. `config`: its clientConfig. Raises CallError."""
        url = f"{url_of(config)}?timeout={math.ceil(timeout_s)}s"
        if not url.startswith("https://"):
            raise CallError(f'Post "{url}": the URL must be an HTTPS one')
        try:
            async with asyncio.timeout(timeout_s):
                with _ending_what_failed():
                    status, answer = await self._send(url, self._context(config.get("caBundle") or ""), body)
        except CallError as error:
            raise CallError(f'Post "{url}": {error}') from error
        except Exception as error:
            raise CallError(f'Post "{url}": {reason_of(error)}') from error
        if not 200 <= status < 300:
            raise CallError(text_of(status, answer))
        try:
            heavy_bytes = len(answer) if len(answer) > HEAVY_BYTES else 0
            return await sidetrack.run(partial(codec.decode_json, answer), size_bytes=heavy_bytes)
        except StatusError as error:
            raise CallError(error.message) from None

    async def _send(self, url: str, context: ssl.SSLContext, body: Any) -> tuple[int, bytes]:
        headers = {"Content-Type": codec.JSON, "Accept": "application/json, */*"}
        async with self._open().post(
            url, data=encode(body), headers=headers, ssl=context, allow_redirects=False
        ) as answer:
            if answer.content_length is not None and answer.content_length > BODY_BYTES_MAX:
                raise CallError(_TOO_LARGE)
            parts: list[bytes] = []
            size = 0
            async for part in answer.content.iter_any():
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise CallError(_TOO_LARGE)
                parts.append(part)
            return answer.status, b"".join(parts)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            from mamekube.client.aiohttp_import import aiohttp

            self._session = aiohttp.ClientSession(
                connector=_connector(self._store, self._dialer),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "kube-apiserver-admission"},
            )
        return self._session

    def _context(self, bundle: str) -> ssl.SSLContext:
        context = self._contexts.get(bundle)
        if context is None:
            if len(self._contexts) >= CONTEXTS_KEPT_MAX:
                self._contexts.clear()
            context = self._contexts[bundle] = trusting(bundle)
        return context


_TOO_LARGE = f"the answer is larger than {BODY_BYTES_MAX} bytes"


def url_of(config: Mapping[str, Any]) -> str:
    service = config.get("service")
    if service is None:
        return str(config.get("url") or "")
    path = str(service.get("path") or "").lstrip("/")
    return f"https://{service_host(service['namespace'], service['name'])}:{service.get('port') or HTTPS_PORT}/{path}"


def service_host(namespace: str, name: str) -> str:
    """The name that the certificate of a Service has to have."""
    return f"{name}.{namespace}{SERVICE_HOST_SUFFIX}"


def trusting(bundle: str) -> ssl.SSLContext:
    """TLS that trusts a base64 PEM bundle, or the machine's authorities where it is empty. Raises CallError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not bundle:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cadata=base64.b64decode(bundle).decode())
    except (ValueError, ssl.SSLError):
        raise CallError("unable to load root certificates: unable to parse bytes as PEM block") from None
    return context


@contextmanager
def _ending_what_failed() -> Iterator[None]:
    """End the connections of a call that fails at once: the end of TLS waits for who may not answer at all."""
    transports: list[asyncio.Transport] = []
    mark = _transports.set(transports)
    try:
        yield
    except BaseException:
        for transport in transports:
            transport.abort()
        raise
    finally:
        _transports.reset(mark)


def _connector(store: Store, dialer: Dialer) -> aiohttp.BaseConnector:
    """One that tells calls what they go over."""
    from mamekube.client.aiohttp_import import aiohttp

    class Connector(aiohttp.TCPConnector):
        async def connect(
            self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
        ) -> aiohttp.connector.Connection:
            connection = await super().connect(req, traces, timeout)
            if connection.transport is not None:
                _transports.get().append(connection.transport)
            return connection

    return Connector(
        resolver=service_resolver(store),
        socket_factory=dialer.make_socket,
        use_dns_cache=False,
        limit=0,
        limit_per_host=CONNECTIONS_PER_HOST_MAX,
        keepalive_timeout=IDLE_CONNECTION_S,
    )


def service_resolver(store: Store) -> aiohttp.abc.AbstractResolver:
    """Finds the pods of `NAME.NAMESPACE.svc`; other hosts are the machine's to find."""
    from aiohttp.abc import AbstractResolver
    from aiohttp.resolver import ThreadedResolver

    class Resolver(AbstractResolver):
        def __init__(self) -> None:
            self._names = ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            parts = host.split(".")
            if len(parts) != 3 or not host.endswith(SERVICE_HOST_SUFFIX):
                return await self._names.resolve(host, port, family)
            try:
                place = await backends.choose(store, namespace=parts[1], name=parts[0], port=port)
            except StatusError as error:
                raise CallError(error.message) from None
            found: list[ResolveResult] = [
                {
                    "hostname": host,
                    "host": place.host,
                    "port": place.port,
                    "family": socket.AF_INET6 if ":" in place.host else socket.AF_INET,
                    "proto": 0,
                    "flags": socket.AI_NUMERICHOST,
                }
            ]
            return found

        async def close(self) -> None:
            await self._names.close()

    return Resolver()


# Words ------------------------------------------------------------------------------------------------

_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
_EXPIRED = 10
_WRONG_HOST = frozenset({62, 64})


def reason_of(error: BaseException) -> str:
    """Why a request could not be made, in the words of Go's HTTP client."""
    from mamekube.client.aiohttp_import import aiohttp

    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_reason(error.certificate_error, error.host)
    if isinstance(error, aiohttp.ClientConnectorError):
        return dial_reason(error.host, error.port, error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "unexpected EOF"
    if isinstance(error, ConnectionResetError | aiohttp.ClientOSError):
        return "read: connection reset by peer"
    return str(error) or type(error).__name__


def _certificate_reason(error: BaseException, host: str) -> str:
    code = getattr(error, "verify_code", 0)
    prefix = "tls: failed to verify certificate: x509: "
    if code in _UNKNOWN_AUTHORITY:
        return prefix + "certificate signed by unknown authority"
    if code == _EXPIRED:
        return prefix + "certificate has expired or is not yet valid"
    if code in _WRONG_HOST:
        return prefix + f"certificate is not valid for any names, but wanted to match {host}"
    return prefix + str(getattr(error, "verify_message", "") or error)


def dial_reason(host: str, port: int | None, error: OSError) -> str:
    """Why there is no connection to this place, in the words of Go's net and crypto/tls."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_reason(error, host)
    place = f"dial tcp [{host}]:{port}" if ":" in host else f"dial tcp {host}:{port}"
    if isinstance(error, socket.gaierror):
        return f"{place}: lookup: no such host"
    if error.errno is None:
        return f"{place}: i/o timeout" if isinstance(error, TimeoutError) else f"{place}: {error}"
    known = error.errno in errno.errorcode
    return f"{place}: connect: {os.strerror(error.errno).lower()}" if known else f"{place}: {error}"


_ANSWERS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


def text_of(status: int, body: bytes) -> str:
    """What an answer with this status means, in the words of upstream's client."""
    if status in _ANSWERS:
        return _ANSWERS[status]
    text = body[:1024].decode(errors="replace").strip() or "unknown"
    if status == 403:
        return text if text != "unknown" else "the server does not allow access to the requested resource"
    if status >= 500:
        quoted = encode(text).decode()
        return f"an error on the server ({quoted}) has prevented the request from succeeding"
    return f"the server responded with the status code {status} but did not return more information"
