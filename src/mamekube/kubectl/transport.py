"""The command line's connection to the API: one TLS connection, used by one thread, from the standard library.

A command lives for some tens of milliseconds, so it does not load the asynchronous client of the long-lived
programs. Streams of `exec` and `port-forward` do, in `kubectl.streams`.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mamekube.client.kubeconfig import ClientConfig
from mamekube.client.tls import client_context
from mamekube.kubectl.failures import Failure, from_status
from mamekube.objects import durations

CHUNK_BYTES = 65_536
PLAIN = "/=&:;,@~!$'()*+"
"""What stands in a path for itself."""
ESCAPED = f"{PLAIN}%?"
"""What does in a path that may be escaped, and have a query."""
TABLE_ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may hold."""


@dataclass(slots=True)
class Answer:
    """A finished answer."""

    code: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """Requests to one server with one user's credentials. Raises Failure with kubectl's wording."""

    def __init__(self, config: ClientConfig, *, on_warning: Any = None, timeout_s: float = 0) -> None:
        """`timeout_s`: how long the server may be silent, 0 for as long as it wants."""
        self.config = config
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self._on_warning = on_warning

    def get(
        self, path: str, *, query: Mapping[str, Any] | None = None, accept: str = "application/json"
    ) -> Any:
        return self.call("GET", path, query=query, accept=accept)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        escaped: bool = False,
    ) -> Any:
        """The decoded answer of a request that succeeded. `escaped`: the path is, may hold a query, and is whole."""
        answer = self.request(
            method,
            path,
            query=query,
            body=_encoded(body),
            content_type=content_type,
            accept=accept,
            escaped=escaped,
        )
        if answer.code >= 400:
            raise refusal(answer, asked=f"{method} {path}")
        try:
            return answer.json()
        except ValueError as error:
            raise Failure(f"error: the answer to {method} {path} is no JSON: {error}") from None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        escaped: bool = False,
    ) -> Answer:
        """The answer, whatever its code."""
        target = quote(path, safe=ESCAPED) if escaped else self._target(path)
        response = self._send(method, target, query, body, content_type, accept)
        with self._broken():
            answer = Answer(response.status, response.headers, response.read())
        for warning in response.headers.get_all("Warning") or ():
            if self._on_warning is not None:
                self._on_warning(_warning_text(warning))
        return answer

    def close(self) -> None:
        """End the connection, and with it a stream that is not read to its end; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stream(
        self, path: str, *, query: Mapping[str, Any] | None = None, accept: str = "*/*"
    ) -> Iterator[bytes]:
        """The body of a GET as it comes. The connection serves nothing else until it ends."""
        response = self._send("GET", self._target(path), query, None, "", accept)
        if response.status >= 400:
            with self._broken():
                refused = Answer(response.status, response.headers, response.read())
            raise refusal(refused)
        while True:
            with self._broken():
                chunk = response.read1(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk

    def lines(
        self, path: str, *, query: Mapping[str, Any] | None = None, accept: str = "*/*"
    ) -> Iterator[Any]:
        """The JSON documents of a watch, one a line."""
        rest = b""
        for chunk in self.stream(path, query=query, accept=accept):
            *complete, rest = (rest + chunk).split(b"\n")
            yield from (json.loads(line) for line in complete if line)

    def _target(self, path: str) -> str:
        """What is asked for, below the path that the server's address may have."""
        return urlsplit(self.config.server).path.rstrip("/") + quote(path, safe=PLAIN)

    def _send(
        self,
        method: str,
        target: str,
        query: Mapping[str, Any] | None,
        body: bytes | None,
        content_type: str,
        accept: str,
    ) -> http.client.HTTPResponse:
        pairs = {key: value for key, value in (query or {}).items() if value not in (None, "", [])}
        if self._timeout_s:
            pairs["timeout"] = durations.text_of(self._timeout_s)
        if pairs:
            target += ("&" if "?" in target else "?") + urlencode(pairs, doseq=True)
        # A message, not a dict: a header may stand several times.
        headers = Message()
        headers["Accept"] = accept
        headers["User-Agent"] = "kubectl/v1.36.2 (linux/amd64) mamekube"
        if body is not None:
            headers["Content-Type"] = content_type
        for name, value in credential_headers(self.config):
            # The library writes Latin-1, and the field has long agreed on UTF-8.
            headers[name] = value.encode().decode("latin-1")
        connection = self._connect()
        with self._broken():
            connection.request(method, target, body=body, headers=headers)  # type: ignore[arg-type]
            return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            server = urlsplit(self.config.server)
            host, timeout_s = server.hostname or "localhost", self._timeout_s or None
            try:
                port = server.port
            except ValueError:
                place = server.netloc.rpartition(":")[2]
                raise Failure(
                    f"Unable to connect to the server: dial tcp: address {place}: invalid port"
                ) from None
            if server.scheme == "https":
                context = client_context(self.config)
                self._connection = http.client.HTTPSConnection(
                    host, port or 443, context=context, timeout=timeout_s
                )
            else:
                self._connection = http.client.HTTPConnection(host, port or 80, timeout=timeout_s)
        return self._connection

    @contextmanager
    def _broken(self) -> Iterator[None]:
        """Raises Failure for a connection that breaks in the middle."""
        try:
            yield
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> Failure:
        server = urlsplit(self.config.server)
        place = server.netloc
        if isinstance(error, ConnectionRefusedError):
            return Failure(
                f"The connection to the server {place} was refused - did you specify the right host or port?"
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return Failure(
                f"Unable to connect to the server: tls: failed to verify certificate: x509: {error.verify_message}"
            )
        if isinstance(error, TimeoutError):
            return Failure(
                "Unable to connect to the server: context deadline exceeded (Client.Timeout exceeded while awaiting "
                "headers)"
            )
        if isinstance(error, http.client.IncompleteRead):
            return Failure("Unable to connect to the server: unexpected EOF")
        return Failure(f"Unable to connect to the server: {error}")


def _encoded(body: Any) -> bytes | None:
    if isinstance(body, bytes) or body is None:
        return body
    try:
        return json.dumps(body).encode()
    except RecursionError:
        raise Failure("Error from server (BadRequest): json parse error: exceeded max depth") from None


def credential_headers(config: ClientConfig) -> list[tuple[str, str]]:
    """The headers that say who asks; a client certificate says it otherwise, and in the clear no secret is said."""
    secure = config.server.startswith("https://")
    bearer = [("Authorization", f"Bearer {config.token}")] if config.token and secure else []
    headers = [*bearer, *config.impersonated]
    for name, value in headers:
        if UNPRINTABLE.search(value):
            raise Failure(
                f'Unable to connect to the server: net/http: invalid header field value for "{name}"'
            )
    return headers


def refusal(answer: Answer, *, asked: str = "") -> Failure:
    """The failure that an answer with an error code stands for; `asked` is the request's method and path."""
    try:
        status = answer.json()
    except ValueError:
        return from_status(_generic_status(answer, asked))
    return from_status(status) if isinstance(status, dict) else Failure(f"Error from server: {status}")


GENERIC = {
    404: ("NotFound", "the server could not find the requested resource"),
    405: ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
}
"""What client-go says where the server gives no Status."""


def _generic_status(answer: Answer, asked: str) -> dict[str, Any]:
    text = answer.body.decode(errors="replace").strip()
    reason, message = GENERIC.get(answer.code, ("", text))
    method, _, path = asked.partition(" ")
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    parts = parts[2:] if parts[:1] == ["namespaces"] and len(parts) > 2 else parts
    if reason and parts:
        message += f" ({' '.join([method.lower(), *parts[:2]])})"
    return {"kind": "Status", "code": answer.code, "reason": reason, "message": message, "details": {}}


def _warning_text(header: str) -> str:
    """The text of a Warning header: `299 - "text"`."""
    _, _, quoted = header.partition(' "')
    return quoted.rstrip('"').replace('\\"', '"')
