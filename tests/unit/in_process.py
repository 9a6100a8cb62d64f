"""An API server in process, without a socket: what tests of its parts stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store


@asynccontextmanager
async def api_server() -> AsyncIterator[ApiServer]:
    """Ready, over an empty store in memory."""
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(), store, Clock(), serve_http=False)
    async with store, api:
        await api.ready()
        yield api
