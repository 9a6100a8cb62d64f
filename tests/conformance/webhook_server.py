"""Outside code for the API server to ask: a server over TLS in threads of the test's process."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from mamekube.apiserver import development_certificates

Object = dict[str, Any]
Answerer = Callable[[Object], Object]
"""From a review's request to its response; the uid is added."""


class WebhookServer:
    """Answers reviews at the paths of `answers`, to which a test may add. `seen` has the requests in order."""

    def __init__(self, folder: Path) -> None:
        development_certificates.create(folder, "127.0.0.1")
        self.answers: dict[str, Answerer] = {}
        self.seen: list[Object] = []
        self._authority = (folder / "ca.crt").read_bytes()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> WebhookServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def client_config(self, path: str, *, trusted: bool = True) -> Object:
        """How a webhook's registration says that it is reached here."""
        config = {"url": f"https://127.0.0.1:{self._server.server_port}{path}"}
        if trusted:
            config["caBundle"] = base64.b64encode(self._authority).decode()
        return config

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = review["request"]
                owner.seen.append(request)
                answer = owner.answers[self.path.partition("?")[0]](request)
                review = {**review, "response": {"uid": request["uid"], **answer}}
                del review["request"]
                body = json.dumps(review).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # The API server did not want to wait.

            def log_message(self, *_: Any) -> None:
                """Nothing: tests say what they expect."""

        return Handler


def allow(request: Object) -> Object:
    return {"allowed": True}


def deny(message: str) -> Answerer:
    return lambda request: {"allowed": False, "status": {"message": message, "reason": message}}


def mutate(*operations: Object) -> Answerer:
    """Answers with a JSON patch."""
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": patch}


def mutate_if(key: str, value: str, added: Object) -> Answerer:
    """Adds to the data of an object that has a certain entry."""

    def answer(request: Object) -> Object:
        data = request["object"].get("data") or {}
        if data.get(key) != value:
            return {"allowed": True}
        return mutate(*({"op": "add", "path": f"/data/{name}", "value": new} for name, new in added.items()))(
            request
        )

    return answer
