"""One server on a socket, the ways to abuse it, and what must hold: others are served, nothing is stored."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from mamekube.apiserver.server import ApiServer
from mamekube.store.store import Store

ADMIN_TOKEN = "admin-token"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SECRETS = "/api/v1/namespaces/default/secrets"
PODS = "/api/v1/namespaces/default/pods"
GUARD_S = 30.0
"""No measure: only so that a hang is a failure."""


@dataclass
class Answered:
    code: int
    body: Any
    headers: Any


@dataclass
class Site:
    api: ApiServer
    store: Store
    session: aiohttp.ClientSession
    neighbour: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        token: str = ADMIN_TOKEN,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        """`path` goes out as it stands, whatever is in it."""
        import yarl

        data = body if isinstance(body, bytes) or hasattr(body, "__aiter__") else json.dumps(body).encode()
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        sent = {"Content-Type": content_type, **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = yarl.URL(self.url + path, encoded=True)
        async with self.session.request(
            method, url, data=None if body is None else data, headers=sent
        ) as answer:
            text = await answer.read()
            is_json = "json" in answer.content_type
            content = json.loads(text) if is_json else text.decode()
            return Answered(answer.status, content, answer.headers)

    async def others_are_served(self) -> None:
        """A second client asks for something ordinary and gets it."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with self.neighbour.get(f"{self.url}{CONFIGMAPS}/standing", headers=headers) as answer:
            assert answer.status == 200
            assert (await answer.json())["data"] == {"k": "v"}

    async def stored(self) -> dict[str, int]:
        snapshot = await self.store.list(prefix="/")
        return {item.key: item.revision for item in snapshot.items}

    async def refused(
        self, method: str, path: str, body: Any = None, *, codes: tuple[int, ...] = (400,), **more: Any
    ) -> Answered:
        """The request is answered with one of `codes` and a Status, others are served, nothing is stored."""
        before = await self.stored()
        async with asyncio.timeout(GUARD_S):
            hostile = asyncio.ensure_future(self.send(method, path, body, **more))
            await self.others_are_served()
            answer = await hostile
        assert answer.code in codes, answer.body
        assert answer.body["kind"] == "Status"
        assert answer.body["status"] == "Failure"
        assert (answer.body["code"], bool(answer.body["message"])) == (answer.code, True)
        assert await self.stored() == before
        return answer

    async def wire(self, data: bytes, *, stop: bool = False) -> bytes:
        """Everything the server says to these bytes until it hangs up; `stop` says that no more will come."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        try:
            writer.write(data)
            await writer.drain()
            if stop:
                writer.write_eof()
            async with asyncio.timeout(GUARD_S):
                return await reader.read()
        except (ConnectionResetError, BrokenPipeError):
            return b""
        finally:
            writer.close()


def config_map(name: str, **data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            },
            **spec,
        },
    }
