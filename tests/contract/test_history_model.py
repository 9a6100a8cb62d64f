"""Random histories, on every backend and through the store, against a twin too simple to be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as some

from mamekube.store.backend import Backend, Compacted, KeyExists, KeyMissing, RevisionMismatch
from mamekube.store.store import Store

KEYS = ["/registry/core/pods/a", "/registry/core/pods/a/b", "/registry/core/pods/b", "/registry/apps/x/a"]
PREFIXES = ["", "/registry/", "/registry/core/pods/", "/registry/core/pods/a", "/registry/apps/x/", "/none/"]

writes = some.tuples(
    some.sampled_from(["create", "update", "delete"]), some.sampled_from(KEYS), some.integers(0, 3)
)
compactions = some.tuples(some.just("compact"), some.just(""), some.integers(0, 30))
histories = some.lists(writes | writes | writes | compactions, max_size=40)


@dataclass
class Twin:
    """Every state there ever was: `states[revision]` is key -> (value, revision, created)."""

    states: dict[int, dict[str, tuple[bytes, int, int]]] = field(default_factory=lambda: {1: {}})
    compacted: int = 1

    @property
    def revision(self) -> int:
        return max(self.states)

    def write(self, verb: str, key: str, *, value: bytes, expected: int) -> type[Exception] | int:
        state = dict(self.states[self.revision])
        there = state.get(key)
        if verb == "create" and there:
            return KeyExists
        if verb != "create" and there is None:
            return KeyMissing
        if verb != "create" and there and there[1] != expected:
            return RevisionMismatch
        revision = self.revision + 1
        if verb == "delete":
            del state[key]
        else:
            state[key] = (value, revision, there[2] if there else revision)
        self.states[revision] = state
        return revision


async def write(
    backend: Backend, verb: str, key: str, *, value: bytes, expected: int
) -> type[Exception] | int:
    try:
        if verb == "create":
            return await backend.create(key=key, value=value)
        if verb == "update":
            return await backend.update(key=key, value=value, expected=expected)
        return await backend.delete(key=key, expected=expected)
    except (KeyExists, KeyMissing, RevisionMismatch) as refused:
        return type(refused)


async def play(backend: Backend, history: list[tuple[str, str, int]]) -> Twin:
    twin = Twin()
    for step, (verb, key, number) in enumerate(history):
        if verb == "compact":
            target = min(number + 1, twin.revision)
            await backend.compact(revision=target)
            twin.compacted = max(twin.compacted, target)
            continue
        current = twin.states[twin.revision].get(key, (b"", 0, 0))[1]
        expected = current if number else current + 1
        value = b'{"metadata":{},"step":%d}' % step
        outcome = await write(backend, verb, key, value=value, expected=expected)
        assert outcome == twin.write(verb, key, value=value, expected=expected)
    return twin


async def check_reads(backend: Backend, twin: Twin) -> None:
    assert await backend.revision() == twin.revision
    for revision in range(twin.compacted, twin.revision + 1):
        for prefix in PREFIXES:
            page = await backend.list(prefix=prefix, revision=revision)
            listed = [(r.key, (r.value, r.revision, r.created)) for r in page.records]
            assert listed == sorted(i for i in twin.states[revision].items() if i[0].startswith(prefix))
        for key in KEYS:
            record = await backend.get(key=key, revision=revision)
            found = (record.value, record.revision, record.created) if record else None
            assert found == twin.states[revision].get(key)


async def check_pages(store: Store, twin: Twin, *, prefix: str, revision: int) -> None:
    """All at once, and page by page from wherever one may end."""
    state = twin.states[revision]
    keys = sorted(key for key in state if key.startswith(prefix))
    for limit in (0, 1, 2):
        for start in ("", *(key + "\0" for key in keys)):
            rest = [key for key in keys if key >= start]
            page = rest[:limit] if limit else rest
            snapshot = await store.list(prefix=prefix, revision=revision, start=start, limit=limit)
            assert [(item.key, item.revision) for item in snapshot.items] == [(k, state[k][1]) for k in page]
            assert (snapshot.more, snapshot.remaining) == (len(page) < len(rest), len(rest) - len(page))


async def check_store(backend: Backend, twin: Twin) -> None:
    """The store shows the same states, and a watch from the oldest one leads through all of them."""
    async with Store(backend) as store:
        assert store.revision == twin.revision
        for revision in range(twin.compacted, twin.revision + 1):
            for prefix in PREFIXES:
                await check_pages(store, twin, prefix=prefix, revision=revision)
            for key in KEYS:
                item = await store.get(key=key, revision=revision)
                assert (item and item.revision) == twin.states[revision].get(key, (b"", None))[1]
        state = {key: revision for key, (_, revision, _) in twin.states[twin.compacted].items()}
        reached = twin.compacted
        async with store.watch(prefix="", after=twin.compacted) as batches:
            while reached < twin.revision:
                for event in await anext(batches):
                    assert state.get(event.key) == (event.previous.revision if event.previous else None)
                    state[event.key] = event.revision
                    if event.type == "DELETED":
                        del state[event.key]
                    reached = event.revision
                    assert state == {key: revision for key, (_, revision, _) in twin.states[reached].items()}


@settings(max_examples=60, deadline=None)
@given(history=histories)
def test_a_random_history_reads_as_its_twin(
    factory: Callable[[Path], Backend], history: list[tuple[str, str, int]]
) -> None:
    async def run(folder: Path) -> None:
        backend = factory(folder)
        try:
            twin = await play(backend, history)
            await check_reads(backend, twin)
            if twin.compacted > 1:
                for read in (backend.get(key=KEYS[0], revision=1), backend.list(prefix="", revision=1)):
                    try:
                        await read
                    except Compacted as refused:
                        assert refused.oldest == twin.compacted
                    else:
                        raise AssertionError("a compacted revision could be read")
            await check_store(backend, twin)
        finally:
            await backend.close()

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
