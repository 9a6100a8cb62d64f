"""The factories that every suite of this folder runs over: add a backend here, and it has to keep the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

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
