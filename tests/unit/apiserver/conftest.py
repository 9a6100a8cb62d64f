"""An API server in process over the memory backend, with and without HTTP."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from tests.unit.in_process import api_server

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

ADMIN_TOKEN = "admin-token"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """Ready, and in process only."""
    async with api_server() as server:
        yield server


@pytest.fixture
def client(server: ApiServer) -> Client:
    return server.client("admin", ("system:masters",))


@dataclass
class Answered:
    code: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Web:
    """Requests over HTTP as the administrator."""

    url: str
    session: aiohttp.ClientSession

    async def send(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Answered:
        data = body if isinstance(body, bytes | io.BytesIO | None) else aiohttp.JsonPayload(body)
        sent = {
            "Authorization": f"Bearer {ADMIN_TOKEN}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            if "protobuf" in answer.content_type:
                return Answered(answer.status, await answer.read(), answer.headers)
            json_type = "json" in answer.content_type
            content = await (answer.json() if json_type else answer.text())
            return Answered(answer.status, content, answer.headers)


@pytest.fixture
async def web(tmp_path: Any) -> AsyncIterator[Web]:
    """A server on loopback, without TLS."""
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(f'{ADMIN_TOKEN},admin,1,"system:masters"\nnobody-token,nobody,2\n')
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(port=0, token_file=str(tokens)), store, Clock())
    async with store, api, aiohttp.ClientSession() as session:
        await api.ready()
        yield Web(f"http://127.0.0.1:{api.port}", session)
