"""Webhook servers over real TLS on loopback, and how they are registered."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from tests.unit.apiserver_webhooks.authority import Authority

from mamekube.client.client import Client
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

REGISTRATION = "admissionregistration.k8s.io"
MUTATING = Resource(
    group=REGISTRATION,
    version="v1",
    plural="mutatingwebhookconfigurations",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
)
VALIDATING = Resource(
    group=REGISTRATION,
    version="v1",
    plural="validatingwebhookconfigurations",
    kind="ValidatingWebhookConfiguration",
    namespaced=False,
)
ALL_CONFIG_MAPS = {
    "operations": ["*"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["configmaps"],
}


def allow(request: Object, **more: Any) -> Object:
    return {"uid": request["uid"], "allowed": True, **more}


def deny(request: Object, **result: Any) -> Object:
    return {"uid": request["uid"], "allowed": False, "status": result}


def patched(request: Object, *operations: Object) -> Object:
    patch = base64.b64encode(orjson.dumps(operations)).decode()
    return allow(request, patch=patch, patchType="JSONPatch")


def add_label(key: str, value: str = "yes") -> Callable[[Object], Object]:
    """A webhook that labels what it sees."""

    def decide(request: Object) -> Object:
        labels = {**(request["object"]["metadata"].get("labels") or {}), key: value}
        return patched(request, {"op": "add", "path": "/metadata/labels", "value": labels})

    return decide


Decide = Callable[[Object], Object]
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Hook:
    """A webhook server, and what it was asked."""

    port: int
    authority: Authority
    decide: Decide
    requests: list[Object] = field(default_factory=list)
    handle: Handle | None = None
    """In place of `decide`: a webhook that misbehaves."""
    paths: list[str] = field(default_factory=list)

    @property
    def client_config(self) -> Object:
        return {"url": f"https://127.0.0.1:{self.port}/hook", "caBundle": self.authority.bundle}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.paths.append(request.path_qs)
        if self.handle is not None:
            return await self.handle(request)  # type: ignore[arg-type]
        review = orjson.loads(await request.read())
        self.requests.append(review["request"])
        answer = {
            "apiVersion": review["apiVersion"],
            "kind": "AdmissionReview",
            "response": self.decide(review["request"]),
        }
        return web.Response(body=orjson.dumps(answer), content_type="application/json")


StartHook = Callable[..., Awaitable[Hook]]


async def settle() -> None:
    """Let the watches deliver what was just written."""
    for _ in range(20):
        await asyncio.sleep(0)


async def register(
    client: Client, resource: Resource, hook: Hook, *, name: str = "hooks", **fields: Any
) -> None:
    """One configuration with one webhook for all writes of config maps."""
    webhook = {
        "name": f"{name}.example.com",
        "clientConfig": hook.client_config,
        "rules": [ALL_CONFIG_MAPS],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **fields,
    }
    await client.create(resource, {"metadata": {"name": name}, "webhooks": [webhook]})
    await settle()
