"""The API over HTTP for tests that tell a story: plain requests, and waits that end with the event they wait for."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

Object = dict[str, Any]

WAIT_S = 30.0
"""How long a test waits for something before it fails; nothing takes so long where it works."""
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def object(self) -> Object:
        return json.loads(self.body)

    @property
    def warnings(self) -> list[str]:
        """The texts of the Warning headers."""
        headers = ", ".join(self.headers.get_all("Warning", []))
        quoted = re.findall(r'299 - "((?:[^"\\]|\\.)*)"', headers)
        return [re.sub(r"\\(.)", r"\1", text) for text in quoted]


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.code}: {answer.body.decode(errors='replace')}")
        self.answer = answer
        self.code = answer.code

    @property
    def status(self) -> Object:
        return self.answer.object

    @property
    def reason(self) -> str:
        return self.status["reason"]

    @property
    def message(self) -> str:
        return self.status["message"]


class Api:
    """Requests as one user. `headers` go with all of them."""

    def __init__(self, url: str, tls: ssl.SSLContext, *, headers: Mapping[str, str] | None = None) -> None:
        place = urlsplit(url)
        assert place.hostname and place.port
        self.url = url
        self._place = (place.hostname, place.port)
        self._tls = tls
        self._headers = dict(headers or {})
        self._local = threading.local()

    def acting_as(self, user: str, *groups: str) -> Api:
        """The same credentials, impersonating."""
        headers = {**self._headers, "Impersonate-User": user}
        if groups:
            headers["Impersonate-Group"] = groups[0]
        return Api(self.url, self._tls, headers=headers)

    # Requests ---------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        content_type: str | None = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, whatever its answer. `body`: an object, or bytes; of no named type, if it is None."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"Accept": JSON, **self._headers, **(headers or {})}
        if data is not None and content_type is not None:
            sent["Content-Type"] = content_type
        target = f"{path}?{urlencode(query)}" if query else path
        for attempt in (1, 2):
            connection = self._connection()
            try:
                connection.request(method, target, body=data, headers=sent)
                response = connection.getresponse()
                return Answer(response.status, response.headers, response.read())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A connection kept alive may have been closed meanwhile; a fresh one may not.
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Object:
        """The object answered. Raises Refused."""
        answer = self.send(method, path, body, **options)
        if answer.code >= 400:
            raise Refused(answer)
        return answer.object

    def get(self, path: str, **query: Any) -> Object:
        return self.call("GET", path, query=query)

    def items(self, path: str, **query: Any) -> list[Object]:
        return self.get(path, **query)["items"]

    def create(self, path: str, obj: Object, **query: Any) -> Object:
        return self.call("POST", path, obj, query=query)

    def update(self, path: str, obj: Object, **query: Any) -> Object:
        return self.call("PUT", path, obj, query=query)

    def patch(self, path: str, patch: Any, *, content_type: str = MERGE, **query: Any) -> Object:
        return self.call("PATCH", path, patch, content_type=content_type, query=query)

    def delete(self, path: str, options: Object | None = None, **query: Any) -> Object:
        return self.call("DELETE", path, options, query=query)

    def missing(self, path: str) -> bool:
        answer = self.send("GET", path)
        assert answer.code in (200, 404), answer.body
        return answer.code == 404

    def refusal(self, method: str, path: str, body: Any = None, **options: Any) -> Refused:
        """The answer to a request that has to be refused."""
        answer = self.send(method, path, body, **options)
        assert answer.code >= 400, answer.body
        return Refused(answer)

    # Watches ----------------------------------------------------------------------------------------

    def watch(self, path: str, *, timeout_s: float = WAIT_S, **query: Any) -> Watch:
        return Watch(self._open(timeout_s), path, {**query, "watch": "true"}, self._headers)

    def wait(
        self, path: str, done: Callable[[list[Object]], Any], *, timeout_s: float = WAIT_S, **selectors: str
    ) -> list[Object]:
        """The objects of a collection as soon as `done` says yes to them: a list and a watch from there."""
        deadline = time.monotonic() + timeout_s
        while True:
            listing = self.get(path, **selectors)
            objects = {_identity(item): item for item in listing["items"]}
            if done(list(objects.values())):
                return list(objects.values())
            left_s = deadline - time.monotonic()
            assert left_s > 0, _not_done(path, objects)
            revision = listing["metadata"]["resourceVersion"]
            with self.watch(path, timeout_s=left_s, resourceVersion=revision, **selectors) as watch:
                for kind, obj in watch:
                    if kind == "DELETED":
                        objects.pop(_identity(obj), None)
                    elif kind in ("ADDED", "MODIFIED"):
                        objects[_identity(obj)] = obj
                    if done(list(objects.values())):
                        return list(objects.values())

    def wait_object(self, path: str, done: Callable[[Object], Any], *, timeout_s: float = WAIT_S) -> Object:
        """One object, as soon as it is there and `done` says yes to it."""
        collection, _, name = path.rpartition("/")
        found = self.wait(
            collection,
            lambda items: any(done(item) for item in items),
            timeout_s=timeout_s,
            fieldSelector=f"metadata.name={name}",
        )
        return found[0]

    def wait_gone(self, path: str, *, timeout_s: float = WAIT_S) -> None:
        collection, _, name = path.rpartition("/")
        self.wait(
            collection,
            lambda items: not items,
            timeout_s=timeout_s,
            fieldSelector=f"metadata.name={name}",
        )

    @contextmanager
    def own_namespace(self, name: str) -> Iterator[str]:
        """A namespace with its service account, for as long as a test lasts."""
        self.create("/api/v1/namespaces", {"metadata": {"name": name}})
        self.wait_object(f"/api/v1/namespaces/{name}/serviceaccounts/default", lambda account: True)
        yield name
        answer = self.send("DELETE", f"/api/v1/namespaces/{name}")
        assert answer.code in (200, 202, 404, 409), answer.body

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self) -> http.client.HTTPSConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open(WAIT_S)
        return connection

    def _open(self, timeout_s: float) -> http.client.HTTPSConnection:
        host, port = self._place
        return http.client.HTTPSConnection(host, port, context=self._tls, timeout=timeout_s)


class Watch:
    """An open watch: iterate for `(type, object)`; silence longer than its timeout fails the test."""

    def __init__(
        self,
        connection: http.client.HTTPSConnection,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> None:
        self._connection = connection
        connection.request("GET", f"{path}?{urlencode(query)}", headers={"Accept": JSON, **headers})
        self._response = connection.getresponse()
        if self._response.status >= 400:
            answer = Answer(self._response.status, self._response.headers, self._response.read())
            self.close()
            raise Refused(answer)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        while line := self._response.readline():
            event = json.loads(line)
            yield event["type"], event["object"]

    def next(self) -> tuple[str, Object]:
        for event in self:
            return event
        raise AssertionError("the watch ended")

    def until(self, kind: str, done: Callable[[Object], Any] = lambda obj: True) -> Object:
        """The first object of an event of that type to which `done` says yes."""
        for seen, obj in self:
            if seen == kind and done(obj):
                return obj
        raise AssertionError(f"the watch ended without {kind}")

    def take(self, count: int) -> list[tuple[str, Object]]:
        return [self.next() for _ in range(count)]

    def close(self) -> None:
        response = getattr(self, "_response", None)
        if response is not None:
            response.close()
        self._connection.close()


def eventually(look: Callable[[], Any], what: str, *, timeout_s: float = WAIT_S) -> Any:
    """What `look` answers as soon as that is true: for documents, which cannot be watched."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)


def _identity(obj: Object) -> str:
    return obj["metadata"]["uid"]


def _not_done(path: str, objects: Mapping[str, Object]) -> str:
    shown: Sequence[str] = [json.dumps(obj) for obj in objects.values()]
    return "\n".join([f"still waiting on {path}:", *shown])
