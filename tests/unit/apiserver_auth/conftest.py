"""A store in memory, with what admission and authorization read out of it."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import CREATE, Reader, Write, key_for
from mamekube.foundation.clock import Clock
from mamekube.kinds.registry import Registry, builtin_registry
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

EPOCH_S = 1_800_000_000.0


class StoppedClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = EPOCH_S

    def now(self) -> float:
        return self.now_s + self.offset_s


class World:
    """Objects put straight into the store, without the API server."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self.registry = registry
        self.reader = Reader(store, registry)
        self.clock = StoppedClock()
        self._uids = itertools.count(1)

    def kind(self, plural: str, group: str = ""):
        versions = dict(self.registry.group_versions())[group]
        kind = self.registry.find(group, versions[0], plural)
        assert kind is not None, plural
        return kind

    async def put(self, plural: str, obj: dict, *, group: str = "") -> dict:
        kind = self.kind(plural, group)
        meta = {**obj.get("metadata", {})}
        meta.setdefault("uid", f"uid-{next(self._uids)}")
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
        whole |= {key: value for key, value in obj.items() if key != "metadata"}
        key = key_for(kind, namespace=meta.get("namespace", ""), name=meta["name"])
        item = await self.store.get(key=key)
        if item is None:
            item = await self.store.create(key=key, obj=whole)
        else:
            item = await self.store.update(key=key, obj=whole, expected=item.revision)
        await settle()
        return item.object

    async def remove(self, plural: str, name: str, *, namespace: str = "", group: str = "") -> None:
        key = key_for(self.kind(plural, group), namespace=namespace, name=name)
        item = await self.store.get(key=key)
        assert item is not None
        await self.store.delete(key=key, expected=item.revision)
        await settle()

    async def account(self, name: str, namespace: str = "default", **fields) -> dict:
        return await self.put(
            "serviceaccounts", {"metadata": {"name": name, "namespace": namespace}, **fields}
        )

    def write(self, plural: str, obj: dict, *, group: str = "", operation: str = CREATE, **fields) -> Write:
        meta = obj.setdefault("metadata", {})
        fields.setdefault("user", User("alice", ("system:authenticated",)))
        fields.setdefault("namespace", meta.get("namespace", ""))
        fields.setdefault("name", meta.get("name", ""))
        return Write(operation=operation, kind=self.kind(plural, group), object=obj, **fields)


async def settle() -> None:
    """Let the watches deliver what was just written."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Store(MemoryBackend()) as store:
        yield World(store, builtin_registry())


@pytest.fixture
async def authorizer(world: World) -> AsyncIterator[Authorizer]:
    async with Authorizer(world.store) as authorizer:
        yield authorizer
