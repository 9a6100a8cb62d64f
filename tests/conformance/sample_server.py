"""An API server of its own kind to aggregate, as upstream's sample-apiserver is: `flunders`, kept in memory.

It believes the headers of whoever has a certificate of the cluster's front-proxy authority, and nobody else.
"""

from __future__ import annotations

import itertools
import json
import ssl
import uuid
from pathlib import Path
from typing import Any

from tests.conformance.https_server import Handler, HttpsServer
from tests.unit.apiserver_webhooks.authority import Authority

Object = dict[str, Any]

GROUP, VERSION = "wardle.example.com", "v1alpha1"
GROUP_VERSION = f"{GROUP}/{VERSION}"
VERBS = ["create", "delete", "get", "list", "patch", "update"]
DISCOVERY = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": GROUP_VERSION,
    "resources": [
        {
            "name": "flunders",
            "singularName": "flunder",
            "namespaced": True,
            "kind": "Flunder",
            "verbs": VERBS,
        }
    ],
}


class SampleServer(HttpsServer):
    """`users` are those who sent requests."""

    def __init__(self, folder: Path, *, host: str, front_proxy_authority: Path) -> None:
        self.authority = Authority(folder)
        self.users: list[str] = []
        self.flunders: dict[str, Object] = {}
        self.revisions = itertools.count(1)
        context = self.authority.server_context(host)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(front_proxy_authority)
        super().__init__(self._handler(), context)

    def _handler(self) -> type[Handler]:
        owner = self

        class Requests(Handler):
            def _serve(self) -> None:
                body = json.loads(self.read() or b"null")
                parts = self.path.partition("?")[0].strip("/").split("/")
                if "flunders" in parts:
                    owner.users.append(self.headers["X-Remote-User"])
                code, answer = owner.respond(self.command, parts, body)
                self.answer(code, json.dumps(answer).encode())

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  as the base class calls them

        return Requests

    def respond(self, method: str, parts: list[str], body: Any) -> tuple[int, Object]:
        """The answer to a request for `apis/GROUP/VERSION/namespaces/NAMESPACE/flunders/NAME`, or less of that."""
        match parts:
            case ["apis", _, _]:
                return 200, DISCOVERY
            case ["apis", _, _, "namespaces", namespace, "flunders"]:
                return self._collection(method, namespace, body)
            case ["apis", _, _, "namespaces", namespace, "flunders", name]:
                return self._object(method, f"{namespace}/{name}", body)
        return 404, _failure(404, "NotFound")

    def _collection(self, method: str, namespace: str, body: Any) -> tuple[int, Object]:
        if method == "POST":
            body["metadata"] |= {"namespace": namespace, "uid": str(uuid.uuid4())}
            return 201, self._keep(f"{namespace}/{body['metadata']['name']}", body)
        mine = [one for key, one in self.flunders.items() if key.startswith(f"{namespace}/")]
        if method == "DELETE":
            for one in mine:
                del self.flunders[f"{namespace}/{one['metadata']['name']}"]
        listing = {"kind": "FlunderList", "apiVersion": GROUP_VERSION, "metadata": {"resourceVersion": "1"}}
        return 200, {**listing, "items": mine}

    def _object(self, method: str, key: str, body: Any) -> tuple[int, Object]:
        found = self.flunders.get(key)
        if found is None:
            return 404, _failure(404, "NotFound")
        if method == "DELETE":
            del self.flunders[key]
        elif method == "PUT":
            return 200, self._keep(key, body)
        elif method == "PATCH":
            return 200, self._keep(
                key, {**found, **body, "metadata": found["metadata"] | body.get("metadata", {})}
            )
        return 200, found

    def _keep(self, key: str, obj: Object) -> Object:
        obj["metadata"]["resourceVersion"] = str(next(self.revisions))
        self.flunders[key] = obj
        return obj


def _failure(code: int, reason: str) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
