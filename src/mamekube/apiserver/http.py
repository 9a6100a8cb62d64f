"""HTTP: a request off the wire becomes a `Request`, passes who-are-you and may-you, and its answer is written.

One handler for every path; what the path means is decided by splitting it, not by matching patterns. Errors of
all kinds become a Status in one place (`_refusal`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol

import orjson

from mamekube.apiserver import warnings, watching
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authentication import Authenticator, impersonate
from mamekube.apiserver.access.authorization import Authorizer, Forbidden, sanitized
from mamekube.apiserver.aggregation.proxy import AggregationProxy, Unavailable
from mamekube.apiserver.api import Api, NotServed, Payload
from mamekube.apiserver.auditing import audit
from mamekube.apiserver.auditing.audit import AuditLog
from mamekube.apiserver.documents import Answer, Collection, Pieces, Text
from mamekube.apiserver.flow.fairness import RETRY_AFTER_S, Fairness, Rejected
from mamekube.apiserver.formats import codec, negotiation, rendering
from mamekube.apiserver.formats.negotiation import PLAIN
from mamekube.apiserver.formats.rendering import GZIP_MIN_BYTES
from mamekube.apiserver.metrics import MUTATING, VERBS, Metrics
from mamekube.apiserver.options import parse_timeout_s
from mamekube.apiserver.reply import Reply, Response, Stream
from mamekube.apiserver.request import DEADLINE_S, Request, User, parse_request
from mamekube.apiserver.wire.exchange import BodyBroken, BodyTooLarge, Exchange
from mamekube.foundation.clock import Clock
from mamekube.foundation.limits import BODY_BYTES_MAX, REQUEST_TIMEOUT_S
from mamekube.foundation.timelimit import TimeLimit
from mamekube.kinds.registry import Registry
from mamekube.objects.gotext import quoted
from mamekube.objects.status import StatusError, internal_error, timeout
from mamekube.store.backend import StoreError

log = logging.getLogger(__name__)
requests_log = logging.getLogger("mamekube.apiserver.requests")
"""Every request, at DEBUG: upstream's httplog."""

LONG_RUNNING = frozenset({"attach", "exec", "log", "portforward", "proxy"})
"""Subresources that last as long as their client wants."""

PLAIN_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
"""What Go's net/http says of an error that is no object."""

BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Pages(Protocol):
    """The paths that are no resources: discovery, health, OpenAPI and so on."""

    async def serve(self, request: Request) -> Text | None: ...


class Streams(Protocol):
    """Subresources that reach into a node and answer more than an object: logs, exec, proxies."""

    def serves(self, request: Request) -> bool: ...

    async def serve(self, request: Request, exchange: Exchange) -> Response: ...


class Front:
    """The HTTP handler."""

    def __init__(
        self,
        *,
        api: Api,
        authenticator: Authenticator,
        authorizer: Authorizer,
        pages: Pages,
        streams: Streams,
        metrics: Metrics,
        fairness: Fairness,
        aggregation: AggregationProxy,
        audit_log: AuditLog | None,
        clock: Clock,
    ) -> None:
        self._api = api
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._pages = pages
        self._streams = streams
        self._metrics = metrics
        self._fairness = fairness
        self._aggregation = aggregation
        self._audit = audit_log
        self._clock = clock
        self._time_limit = TimeLimit(REQUEST_TIMEOUT_S)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request, whatever happens."""
        started_s = time.perf_counter()
        headers = exchange.headers
        request = parse_request(
            exchange.method,
            exchange.target,
            headers=headers,
            audit_id=headers.get("Audit-Id", ""),
            source=exchange.remote,
        )
        respond = self._respond
        if request.query and "timeout" in request.query:
            respond = self._respond_in_time
        try:
            response = await respond(request, exchange)
        except asyncio.CancelledError:
            if self._audit is not None:
                audit.finish(200)
            raise
        except Exception as error:
            if exchange.answered or exchange.gone:
                # Too late for another answer: the client learns from the end of the connection.
                if self._audit is not None:
                    audit.finish(200)
                if isinstance(error, ConnectionResetError):
                    raise
                refusal(error)
                raise ConnectionResetError("the answer broke off") from error
            response = self._failure(request, exchange, error)
        duration_s = time.perf_counter() - started_s
        self._metrics.note(request, response.status, duration_s, size=response.size)
        if self._audit is not None:
            if isinstance(response, Reply):
                response.finish_audit()
            else:
                audit.finish(response.status)
        if requests_log.isEnabledFor(logging.DEBUG):
            _log_request(request, exchange, response.status, duration_s)
        await response.finish()

    async def _respond_in_time(self, request: Request, exchange: Exchange) -> Response:
        """Of a client that says how long it waits. Upstream: WithRequestDeadline."""
        if _lasts(request):
            return await self._respond(request, exchange)
        try:
            limit_s = parse_timeout_s(request)
        except StatusError:
            if self._audit is not None:
                self._audit.begin(request, User(""), exchange.target)
            raise
        limit_s = limit_s if 0 < limit_s < REQUEST_TIMEOUT_S else REQUEST_TIMEOUT_S
        DEADLINE_S.set(asyncio.get_running_loop().time() + limit_s)
        async with asyncio.timeout(limit_s):
            return await self._respond(request, exchange)

    async def _respond(self, request: Request, exchange: Exchange) -> Response:
        began_s = time.perf_counter()
        try:
            user = await self._authenticator.authenticate(
                certificate=exchange.certificate, headers=exchange.headers, query=request.query
            )
        except StatusError:
            self._metrics.unrecognized.observe(time.perf_counter() - began_s)
            if self._audit is not None:
                self._audit.begin(request, User(""), exchange.target)
            raise
        at_s = time.perf_counter()
        self._metrics.recognized.observe(at_s - began_s)
        self._metrics.note_user(user.name)
        if self._audit is not None:
            self._audit.begin(request, user, exchange.target)
        request.user = impersonate(user, exchange.headers, self._authorizer)
        if request.user is not user:
            audit.note_user(request.user)
        fairness = self._fairness
        flow = fairness.flow_of(request)
        request.flow_headers = flow.headers
        seats = fairness.seats_of(request) if request.verb == "list" else 1
        if not fairness.try_enter(flow, seats):
            await fairness.enter(flow, seats)
            request.waits.append(time.perf_counter() - at_s)
        if _lasts(request):
            # It takes its turn, but no seat for as long as it lasts.
            fairness.leave(flow, seats)
            with self._metrics.running(request):
                return await self._serve(request, exchange)
        flight = self._metrics.in_flight[request.verb in MUTATING]
        flight.begin(at_s)
        try:
            return await self._serve(request, exchange)
        finally:
            flight.now -= 1
            fairness.leave(flow, seats)

    async def _serve(self, request: Request, exchange: Exchange) -> Response:
        self._authorize(request)
        if request.path.startswith("//"):
            # To authorization it means what it would with one slash; to the router it is nothing.
            raise NotServed
        remote = self._aggregation.find(request)
        if remote is not None:
            return await self._aggregation.serve(remote, request, exchange)
        if not request.is_resource:
            return await self._page(request, exchange)
        if request.verb == "watch":
            return await self._watch(request, exchange)
        if request.subresource and self._streams.serves(request):
            self._api.kind_of(request)
            return await self._streams.serve(request, exchange)
        content_type = exchange.headers.get("Content-Type", codec.JSON)
        if request.verb == "get":
            answer = await self._api.serve(request, Payload(content_type))
        else:
            with self._time_limit.begin():
                body = await exchange.read(BODY_BYTES_MAX) if request.method in BODY_METHODS else b""
                if self._audit is not None:
                    audit.note_body(body, content_type)
                request.heavy_bytes = codec.heavy_bytes(body, content_type)
                answer = await self._api.serve(request, Payload(content_type, body))
            if isinstance(answer, Collection) and request.verb == "list":
                self._fairness.note_size(request, len(answer.items))
        return await self._write(request, exchange, answer)

    def _authorize(self, request: Request) -> None:
        """Raises 403. The decision is noted in the audit log."""
        if self._audit is not None:
            decision = self._authorizer.explain(Attributes.of(request))
            audit.annotate("authorization.k8s.io/decision", "allow" if decision.allowed else "forbid")
            audit.annotate("authorization.k8s.io/reason", decision.reason)
        began_s = time.perf_counter()
        try:
            self._authorizer.authorize_request(request)
        except StatusError:
            self._metrics.refused.observe(time.perf_counter() - began_s)
            raise
        self._metrics.allowed.observe(time.perf_counter() - began_s)

    # Answers ------------------------------------------------------------------------------------

    async def _page(self, request: Request, exchange: Exchange) -> Response:
        text = await self._pages.serve(request)
        if text is None:
            raise NotServed
        headers = {**_headers(request), **text.headers, "Content-Type": text.content_type}
        body: bytes | Pieces = text.body
        if "Content-Encoding" not in headers:
            body = await rendering.compressed(request, body, headers)
        return Reply(exchange, text.code, headers, body)

    async def _write(self, request: Request, exchange: Exchange, answer: Answer | Collection) -> Response:
        accept = request.headers.get("Accept", "")
        collection = isinstance(answer, Collection)
        form = PLAIN
        if accept:
            form = negotiation.object_form(accept, collection=collection, tabular=_has_table(answer))
        body = await rendering.body_of(request, answer, form, self._clock)
        headers = _headers(request)
        headers["Content-Type"] = form.media_type
        if len(body) > GZIP_MIN_BYTES and request.headers.get("If-None-Match") is None:
            body = await rendering.compressed(request, body, headers)
        code = 200 if isinstance(answer, Collection) else answer.code
        return Reply(exchange, code, headers, body, more=warnings.pairs(request.warnings))

    async def _watch(self, request: Request, exchange: Exchange) -> Response:
        kind, events = self._api.watch(request)
        form = negotiation.watch_form(request.headers.get("Accept", ""))
        write = rendering.writer_of_events(request, kind, form, self._clock)
        content_type = codec.JSON if form.media_type == codec.JSON else f"{form.media_type};stream=watch"
        headers = {**_headers(request), "Content-Type": content_type}
        stream = Stream(exchange, [*headers.items(), *warnings.pairs(request.warnings)], endless=True)
        sizes = self._metrics.watched(kind.group, kind.version, kind.plural)
        try:
            async with events as batches:
                stream.begin()
                audit.note_started(stream.status)

                def send(batch: Sequence[watching.Told]) -> bool:
                    lines = [write(event) for event in batch]
                    for line in lines:
                        sizes.observe(len(line))
                    return stream.put(b"".join(lines))

                while await batches.pour(send):
                    await stream.drain()
        except StatusError as error:
            if not stream.began:
                if error.code != 410:
                    raise
                stream.begin()
            await stream.write(rendering.written_events(form)(watching.ERROR, error.status))
        return stream

    # Errors -------------------------------------------------------------------------------------

    def _failure(self, request: Request, exchange: Exchange, error: Exception) -> Response:
        headers = _headers(request)
        if request.is_resource and not (request.resource or request.name):
            why = f"unable to determine kind and namespace from url, {exchange.target}"
            text = f"Internal Server Error: {quoted(exchange.target)}: failed to create RequestInfo: {why}"
            return Reply(exchange, 500, {**headers, **PLAIN_TEXT}, f"{sanitized(text)}\n".encode())
        if isinstance(error, NotServed) and _leads_into(request.path, self._api.registry):
            error = StatusError(
                404, "NotFound", "the server could not find the requested resource", details={}
            )
        if isinstance(error, NotServed):
            return Reply(exchange, 404, headers | PLAIN_TEXT, b"404 page not found\n")
        if isinstance(error, Rejected | Unavailable):
            headers |= PLAIN_TEXT
            if isinstance(error, Unavailable):
                return Reply(exchange, 503, headers, f"{error}\n".encode())
            headers["Retry-After"] = str(RETRY_AFTER_S)
            return Reply(exchange, 429, headers, b"Too many requests, please try again later.\n")
        refused = refusal(error)
        if refused.retry_after_s:
            headers["Retry-After"] = str(refused.retry_after_s)
        if isinstance(error, Forbidden):
            headers["X-Content-Type-Options"] = "nosniff"
        headers["Content-Type"], body = rendering.refusal_of(request, refused.status)
        return Reply(exchange, refused.code, headers, body, more=warnings.pairs(request.warnings))


def _lasts(request: Request) -> bool:
    """As long as its client wants."""
    return request.verb == "watch" or request.subresource in LONG_RUNNING


def _leads_into(path: str, registry: Registry) -> bool:
    """Whether a path begins as those of built-in groups do: upstream's router refuses what follows with a Status."""
    root, *below = path[1:].rstrip("/").split("/")
    return root == "api" or (root == "apis" and bool(below) and registry.is_builtin(below[0]))


def refusal(error: Exception) -> StatusError:
    """The Status for any exception: the one translation of the errors of other rooms."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, TimeoutError):
        return timeout("Timeout: request did not complete within the allotted timeout")
    if isinstance(error, StoreError):
        log.error("the store failed: %s", error)
        return internal_error(str(error))
    if isinstance(error, BodyTooLarge):
        return _too_large()
    if isinstance(error, BodyBroken):
        return StatusError(400, "BadRequest", f"the request body cannot be read: {error}")
    if isinstance(error, RecursionError) or _is_too_deep(error):
        return StatusError(400, "BadRequest", "the object is nested too deep")
    log.exception("a request failed", exc_info=error)
    return internal_error(f"{type(error).__name__}: {error}")


def _is_too_deep(error: Exception) -> bool:
    """What could be read may be too deep to be written, once a patch or its managed fields made it deeper."""
    return isinstance(error, orjson.JSONEncodeError) and str(error) == "Recursion limit reached"


def _too_large() -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_BYTES_MAX}")


def _log_request(request: Request, exchange: Exchange, status: int, duration_s: float) -> None:
    requests_log.debug(
        '"HTTP" verb="%s" URI="%s" latency="%.3fms" userAgent="%s" audit-ID="%s" srcIP="%s" resp=%d',
        VERBS.get(request.verb, exchange.method),
        exchange.target,
        duration_s * 1e3,
        request.headers.get("User-Agent", ""),
        request.audit_id,
        request.source,
        status,
    )


def _headers(request: Request) -> dict[str, str]:
    return {"Audit-Id": request.audit_id, "Cache-Control": "no-cache, private", **request.flow_headers}


def _has_table(answer: Answer | Collection) -> bool:
    """Reviews, tokens and the like have none: they are no objects of a kind that is kept."""
    if isinstance(answer, Collection) or answer.kind is not None:
        return True
    return answer.document.object.get("kind") == "Status"
