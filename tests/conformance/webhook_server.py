"""Outside code for the API server to ask: a server over TLS in threads of the test's process."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conformance.https_server import ADDRESS, Handler, HttpsServer
from tests.unit.apiserver_webhooks.authority import Authority

Object = dict[str, Any]
Answerer = Callable[[Object], Object]
"""From a review's request to its response; the uid is added."""


class HttpError(Exception):
    """Raised by an answerer that answers with a code alone."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class WebhookServer(HttpsServer):
    """Answers reviews at the paths of `answers`, to which a test may add. `seen` has the requests in order.

    Its certificate is for `host`: the address, or the name of a Service that leads here.
    """

    def __init__(self, folder: Path, *, host: str = ADDRESS) -> None:
        self.answers: dict[str, Answerer] = {}
        self.seen: list[Object] = []
        self._authority = Authority(folder)
        super().__init__(self._handler(), self._authority.server_context(host))

    def client_config(self, path: str, *, trusted: bool = True) -> Object:
        """How a webhook's registration says that it is reached here."""
        config = {"url": f"https://{ADDRESS}:{self.port}{path}"}
        return {**config, "caBundle": self._authority.bundle} if trusted else config

    @property
    def bundle(self) -> str:
        return self._authority.bundle

    def _handler(self) -> type[Handler]:
        owner = self

        class Reviews(Handler):
            def do_POST(self) -> None:  # noqa: N802  as the base class calls it
                review = json.loads(self.read())
                request = review.pop("request")
                owner.seen.append(request)
                try:
                    answer = owner.answers[self.path.partition("?")[0]](request)
                except HttpError as error:
                    self.answer(error.code, b"")
                    return
                review["response"] = {"uid": request["uid"], **answer}
                self.answer(200, json.dumps(review).encode())

        return Reviews


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
