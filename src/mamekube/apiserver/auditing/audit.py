"""The audit log: one JSON line for each stage of each request that the policy wants noted.

What is served now is in a context variable, so that admission can add annotations without knowing who listens. Lines
wait in a queue that is bounded and are encoded and written by a thread; when the disk is too slow, lines are dropped
and counted, requests are not held up.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from mamekube.apiserver.auditing.audit_file import KEEP_ALL, AuditFile, Limits
from mamekube.apiserver.auditing.audit_policy import LEVELS, METADATA, REQUEST, REQUEST_RESPONSE, Policy, Rule
from mamekube.apiserver.documents import encode
from mamekube.apiserver.formats import codec
from mamekube.apiserver.request import Request, User, user_info
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.metrics import Family
from mamekube.objects.status import StatusError

log = logging.getLogger(__name__)

QUEUED_MAX = 10_000
"""Lines that wait to be written. Upstream: --audit-log-batch-buffer-size."""

USER_AGENT_LENGTH_MAX = 1024
NO_HEADERS: Mapping[str, str] = {}
RECEIVED, STARTED, COMPLETE = "RequestReceived", "ResponseStarted", "ResponseComplete"


class Record:
    """One request that is noted."""

    __slots__ = ("_log", "annotations", "base", "body", "content_type", "rule")

    def __init__(self, audit_log: AuditLog, rule: Rule, base: dict[str, Any]) -> None:
        self._log = audit_log
        self.rule = rule
        self.base = base
        self.annotations: dict[str, str] = {}
        self.body = b""
        self.content_type = codec.JSON

    def note(self, stage: str, code: int = 0, answer: Answer | None = None) -> None:
        """Write down that the request has come so far."""
        if stage not in self.rule.omit_stages:
            self._log.put(Line(self, stage, code, answer, dict(self.annotations)))


class Answer:
    """The body of an answer, as it was sent."""

    __slots__ = ("body", "headers")

    def __init__(self, body: bytes | Iterable[bytes], headers: Mapping[str, str]) -> None:
        self.body = body
        self.headers = headers


class Line:
    """What one line is made of."""

    __slots__ = ("annotations", "answer", "code", "record", "stage", "time")

    def __init__(
        self, record: Record, stage: str, code: int, answer: Answer | None, annotations: dict[str, str]
    ) -> None:
        self.record = record
        self.stage = stage
        self.code = code
        self.answer = answer
        self.annotations = annotations
        self.time = ""


_current: ContextVar[Record | None] = ContextVar("audited_request", default=None)


def annotate(key: str, value: str) -> None:
    """Note something about the request that is being served, where it is audited. The first to say it wins."""
    record = _current.get()
    if record is not None:
        record.annotations.setdefault(key, value)


def note_body(body: bytes, content_type: str) -> None:
    """Note what the client sent."""
    record = _current.get()
    if record is not None and (record.rule.level >= REQUEST or not record.base["objectRef"].get("name")):
        record.body, record.content_type = body, content_type


def note_started(code: int) -> None:
    """Note that an answer that goes on has begun."""
    record = _current.get()
    if record is not None:
        record.note(STARTED, code)


def note_user(user: User) -> None:
    """Note whom the request acts as, where that is somebody else than who sent it."""
    record = _current.get()
    if record is not None:
        record.base["impersonatedUser"] = user_info(user)


def finish(
    code: int, body: bytes | Iterable[bytes] | None = None, headers: Mapping[str, str] = NO_HEADERS
) -> None:
    """Note that the request is answered. `body` and `headers`: as they were sent, where that is known."""
    record = _current.get()
    if record is None:
        return
    _current.set(None)
    wanted = body is not None and (code >= 400 or record.rule.level >= REQUEST_RESPONSE)
    record.note(COMPLETE, code, Answer(body, headers) if wanted and body is not None else None)


class AuditLog(Component):
    """Writes the log. `path` may be `-` for standard output."""

    def __init__(self, policy: Policy, path: str, clock: Clock, *, limits: Limits = KEEP_ALL) -> None:
        super().__init__()
        self.written = 0
        self.dropped = 0
        self.levels: Counter[int] = Counter()
        """Requests by how much is noted of them."""
        self._policy = policy
        self._path = path
        self._clock = clock
        self._limits = limits
        self._file: AuditFile | None = None
        self._lines: list[Line] = []
        self._wake = asyncio.Event()
        self._writing: asyncio.Future[None] | None = None

    async def start(self) -> None:
        self._file = await asyncio.to_thread(AuditFile, self._path, self._limits, self._clock.now)
        self.spawn(self._write(), name="audit-log")

    async def stop(self) -> None:
        if self._file is None:
            return
        if self._writing is not None:
            await self._writing
        self._flush(self._lines)
        self._file.close()

    def begin(self, request: Request, user: User, target: str) -> Record | None:
        """Start to note a request, if the policy wants it. `target`: as it stood in the request line."""
        rule = self._policy.rule_for(request, user)
        self.levels[rule.level] += 1
        if rule.level < METADATA:
            _current.set(None)
            return None
        base: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": LEVELS[rule.level],
            "auditID": request.audit_id,
            "stage": "",
            "requestURI": target,
            "verb": request.verb,
            "user": user_info(user),
            "sourceIPs": [request.source] if request.source else [],
            "userAgent": _short(request.headers.get("User-Agent", "")),
            "objectRef": _reference(request),
            "requestReceivedTimestamp": self._clock.timestamp_micro(),
        }
        record = Record(self, rule, base)
        record.annotations.update(user.notes)
        _current.set(record)
        record.note(RECEIVED)
        return record

    def put(self, line: Line) -> None:
        if len(self._lines) >= QUEUED_MAX:
            self.dropped += 1
            return
        line.time = self._clock.timestamp_micro()
        self._lines.append(line)
        self._wake.set()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            lines, self._lines = self._lines, []
            self._writing = loop.run_in_executor(None, self._flush, lines)
            await asyncio.shield(self._writing)

    def _flush(self, lines: Sequence[Line]) -> None:
        assert self._file is not None
        try:
            texts = [text for line in lines if (text := _written(line)) is not None]
            for text in texts:
                self._file.write(text)
            self._file.flush()
            self.written += len(texts)
            self.dropped += len(lines) - len(texts)
        except OSError as error:
            self.dropped += len(lines)
            log.error("the audit log cannot be written: %s", error)

    def families(self) -> Iterator[Family]:
        """What `/metrics` says of it."""
        events = Family(
            "apiserver_audit_event_total",
            "counter",
            "Counter of audit events generated and sent to the audit backend.",
        )
        levels = Family(
            "apiserver_audit_level_total",
            "counter",
            "Counter of policy levels for audit events (1 per request).",
            labels=["level"],
        )
        for level, count in sorted(self.levels.items()):
            levels.add([LEVELS[level]], count)
        errors = Family(
            "apiserver_audit_error_total",
            "counter",
            "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the "
            "error.",
            labels=["plugin"],
        )
        yield from (events.add([], self.written), levels, errors.add(["log"], self.dropped))


def _written(line: Line) -> bytes | None:
    """None for what cannot be written: one request must not end the log for all that follow."""
    try:
        return encode(event_of(line)) + b"\n"
    except Exception:
        log.exception("an audit event cannot be written")
        return None


def event_of(line: Line) -> dict[str, Any]:
    """The audit event. Runs in the writer's thread."""
    record, rule = line.record, line.record.rule
    at = record.base["requestReceivedTimestamp"] if line.stage == RECEIVED else line.time
    event = {**record.base, "stage": line.stage, "stageTimestamp": at}
    reference = event.pop("objectRef")
    if line.stage != RECEIVED and record.body:
        sent = _decoded(record.body, record.content_type)
        reference = _completed(reference, sent)
        if rule.level >= REQUEST and sent is not None:
            event["requestObject"] = _without_managed_fields(sent) if rule.omit_managed_fields else sent
    if reference:
        event["objectRef"] = reference
    if line.code:
        event["responseStatus"] = {"metadata": {}, "code": line.code}
    if line.answer is not None:
        answer = _decoded(_plain(line.answer), line.answer.headers.get("Content-Type", ""))
        if isinstance(answer, dict) and answer.get("kind") == "Status":
            event["responseStatus"] = {
                key: answer[key] for key in answer if key not in ("kind", "apiVersion")
            }
        if rule.level >= REQUEST_RESPONSE and answer is not None:
            event["responseObject"] = _without_managed_fields(answer) if rule.omit_managed_fields else answer
    if line.annotations:
        event["annotations"] = line.annotations
    return event


def _short(user_agent: str) -> str:
    if len(user_agent) <= USER_AGENT_LENGTH_MAX:
        return user_agent
    return f"{user_agent[:USER_AGENT_LENGTH_MAX]}...TRUNCATED"


def _reference(request: Request) -> dict[str, str]:
    if not request.is_resource:
        return {}
    named = {
        "resource": request.resource,
        "namespace": request.namespace,
        "name": request.name,
        "apiGroup": request.group,
        "apiVersion": request.version,
        "subresource": request.subresource,
    }
    return {key: value for key, value in named.items() if value}


def _completed(reference: Mapping[str, str], sent: Any) -> dict[str, str]:
    """With the name out of the object that was sent, where the path had none."""
    meta = sent.get("metadata") if isinstance(sent, dict) else None
    if not reference or not isinstance(meta, dict):
        return dict(reference)
    found = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion") if meta.get(key)}
    return {**found, **reference}


def _decoded(body: bytes, content_type: str) -> Any:
    """What is in a body; None for what nobody can read."""
    kind = codec.media_type(content_type)
    try:
        if kind.endswith("json"):
            return codec.decode_json(body)
        return codec.decode(body, codec.YAML if kind.endswith("yaml") else content_type)
    except StatusError:
        return None


def _plain(answer: Answer) -> bytes:
    body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    if answer.headers.get("Content-Encoding") == "gzip":
        return zlib.decompress(body, wbits=31)
    return body


def _without_managed_fields(value: Any) -> Any:
    """The object, or the objects of a list, without who owns what in them."""
    if not isinstance(value, dict):
        return value
    shown = dict(value)
    if isinstance(shown.get("metadata"), dict):
        shown["metadata"] = {key: item for key, item in shown["metadata"].items() if key != "managedFields"}
    if isinstance(shown.get("items"), list):
        shown["items"] = [_without_managed_fields(item) for item in shown["items"]]
    return shown
