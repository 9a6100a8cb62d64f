"""An API server in process, and webhook servers over real TLS on loopback."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.unit.apiserver_webhooks.authority import Authority
from tests.unit.apiserver_webhooks.extension import HOST, Cluster, Extension
from tests.unit.apiserver_webhooks.hooks import Decide, Hook, StartHook, allow
from tests.unit.in_process import api_server

from mamekube.apiserver.aggregation import apiservices
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store


@pytest.fixture
async def start_hook(tmp_path: Path) -> AsyncIterator[StartHook]:
    runners: list[web.ServerRunner] = []
    authority = Authority(tmp_path)

    async def start(decide: Decide = allow, *hosts: str) -> Hook:
        hook = Hook(0, authority, decide)
        runner = web.ServerRunner(web.Server(hook.serve), shutdown_timeout=0.01)
        runners.append(runner)
        await runner.setup()
        context = authority.server_context("127.0.0.1", *hosts)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        hook.port = runner.addresses[0][1]
        return hook

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as server:
        yield server


@pytest.fixture
def client(server: ApiServer) -> Client:
    return server.client("admin", ("system:masters",))


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setattr(apiservices, "RETRY_PERIOD_S", 0.02)
    authority = Authority(tmp_path)
    extension = Extension()
    context = authority.server_context(HOST)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(authority.file)
    runner = web.ServerRunner(web.Server(extension.serve), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    extension.port = runner.addresses[0][1]

    tokens = tmp_path / "tokens.csv"
    tokens.write_text('admin-token,admin,7,"system:masters"\n')
    certificate, key = authority.issue("proxy", "front-proxy-client")
    config = ApiServerConfig(
        port=0,
        token_file=str(tokens),
        proxy_client_certificate_file=certificate,
        proxy_client_key_file=key,
    )
    api = ApiServer(config, Store(MemoryBackend()), Clock())
    async with api.api.store, api, aiohttp.ClientSession() as session:
        await api.ready()
        client = api.client("admin", ("system:masters",))
        yield Cluster(api, client, session, extension, authority)
    await runner.cleanup()
