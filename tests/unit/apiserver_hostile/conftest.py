"""A server on loopback with one object that every test's second client reads."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.apiserver_hostile.site import CONFIGMAPS, DEPLOYMENTS, Site, config_map, deployment

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

HANG_S = 60.0


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A loop that is blocked sees no timeout of its own; the process' timer ends it."""

    def give_up(*_: object) -> None:
        raise AssertionError("the event loop was blocked")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "sa.key"
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.fixture
async def site(tmp_path: Path, key_file: Path) -> AsyncIterator[Site]:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('admin-token,admin,1,"system:masters"\nauthor-token,author,2\n')
    store = Store(MemoryBackend())
    config = ApiServerConfig(port=0, token_file=str(tokens), service_account_key_file=str(key_file))
    api = ApiServer(config, store, Clock())
    async with store, api, aiohttp.ClientSession() as session, aiohttp.ClientSession() as neighbour:
        await api.ready()
        site = Site(api, store, session, neighbour)
        assert (await site.send("POST", CONFIGMAPS, config_map("standing", k="v"))).code == 201
        assert (await site.send("POST", DEPLOYMENTS, deployment("web"))).code == 201
        yield site
