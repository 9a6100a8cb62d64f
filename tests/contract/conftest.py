"""The factories that every suite of this folder runs over: add a backend here, and it has to keep the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import ClientConfig
from mamekube.cluster.certificates import create_cluster_certificates
from mamekube.foundation.clock import Clock
from mamekube.store.backend import Backend
from mamekube.store.memory import MemoryBackend
from mamekube.store.sqlite import SqliteBackend
from mamekube.store.store import Store

BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda folder: MemoryBackend(),
    "sqlite": lambda folder: SqliteBackend(folder / "store.db"),
}


Factory = Callable[[Path], Backend]


@pytest.fixture(params=BACKENDS, scope="session")
def factory(request: pytest.FixtureRequest) -> Factory:
    return BACKENDS[request.param]


@pytest.fixture
async def backend(factory: Factory, tmp_path: Path) -> AsyncIterator[Backend]:
    made = factory(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def store(backend: Backend) -> AsyncIterator[Store]:
    async with Store(backend) as made:
        yield made


TRANSPORTS = ("in process", "TLS")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "certificates"
    create_cluster_certificates(folder, addresses=["127.0.0.1"])
    return folder


@pytest.fixture(params=TRANSPORTS)
async def client(request: pytest.FixtureRequest, certificates: Path) -> AsyncIterator[Client]:
    """The API as an administrator, by every transport there is."""
    config = ApiServerConfig(
        port=0,
        certificate_file=str(certificates / "apiserver.crt"),
        key_file=str(certificates / "apiserver.key"),
        client_ca_file=str(certificates / "ca.crt"),
        service_account_key_file=str(certificates / "service-account.key"),
    )
    serves = request.param == "TLS"
    async with (
        Store(MemoryBackend()) as store,
        ApiServer(config, store, Clock(), serve_http=serves) as server,
    ):
        await server.ready()
        if not serves:
            yield server.client("kubernetes-admin", ("system:masters",))
            return
        access = ClientConfig(
            server=f"https://127.0.0.1:{server.port}",
            ca_data=(certificates / "ca.crt").read_bytes(),
            client_certificate_data=(certificates / "admin.crt").read_bytes(),
            client_key_data=(certificates / "admin.key").read_bytes(),
        )
        async with HttpClient(access) as http_client:
            yield http_client
