"""What `store/backend.py` promises, asked of every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mamekube.store.backend import (
    FIRST_REVISION,
    Backend,
    Change,
    Compacted,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Record,
    RevisionMismatch,
    WatchLost,
)


async def collect(batches: AsyncIterator[Sequence[Change]], count: int) -> list[Change]:
    """The next `count` changes."""
    changes: list[Change] = []
    while len(changes) < count:
        async with asyncio.timeout(5):
            changes += await anext(batches)
    assert len(changes) == count
    return changes


async def test_an_empty_store_is_at_the_first_revision(backend: Backend) -> None:
    assert await backend.revision() == FIRST_REVISION
    page = await backend.list(prefix="")
    assert (list(page.records), page.revision) == ([], FIRST_REVISION)


async def test_every_write_takes_the_next_revision(backend: Backend) -> None:
    created = await backend.create(key="/a", value=b"1")
    updated = await backend.update(key="/a", value=b"2", expected=created)
    removed = await backend.delete(key="/a", expected=updated)
    assert [created, updated, removed] == [2, 3, 4]
    assert await backend.revision() == 4


async def test_a_key_can_be_created_once(backend: Backend) -> None:
    await backend.create(key="/a", value=b"1")
    with pytest.raises(KeyExists):
        await backend.create(key="/a", value=b"2")
    assert await backend.get(key="/a") == Record("/a", b"1", 2, 2)


async def test_of_simultaneous_creations_of_a_key_one_succeeds(backend: Backend) -> None:
    outcomes = await asyncio.gather(
        *(backend.create(key="/a", value=b"%d" % n) for n in range(10)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(KeyExists) == 9
    assert outcomes[0] == 2


async def test_of_simultaneous_updates_from_one_revision_one_succeeds(backend: Backend) -> None:
    revision = await backend.create(key="/a", value=b"")
    outcomes = await asyncio.gather(
        *(backend.update(key="/a", value=b"%d" % n, expected=revision) for n in range(10)),
        return_exceptions=True,
    )
    assert outcomes[0] == 3
    mismatches = [outcome for outcome in outcomes if isinstance(outcome, RevisionMismatch)]
    assert [mismatch.current for mismatch in mismatches] == [3] * 9


async def test_a_refused_write_changes_nothing(backend: Backend) -> None:
    await backend.create(key="/a", value=b"1")
    for refused, work in (
        (RevisionMismatch, backend.update(key="/a", value=b"2", expected=77)),
        (RevisionMismatch, backend.delete(key="/a", expected=77)),
        (KeyMissing, backend.update(key="/b", value=b"2", expected=2)),
        (KeyMissing, backend.delete(key="/b", expected=2)),
    ):
        with pytest.raises(refused):
            await work
    assert await backend.revision() == 2
    assert await backend.get(key="/a") == Record("/a", b"1", 2, 2)


async def test_a_key_may_be_created_again_after_its_removal(backend: Backend) -> None:
    first = await backend.create(key="/a", value=b"1")
    await backend.delete(key="/a", expected=first)
    assert await backend.get(key="/a") is None
    again = await backend.create(key="/a", value=b"2")
    assert await backend.get(key="/a") == Record("/a", b"2", again, again)


async def test_the_past_can_be_read(backend: Backend) -> None:
    created = await backend.create(key="/a", value=b"1")
    updated = await backend.update(key="/a", value=b"2", expected=created)
    removed = await backend.delete(key="/a", expected=updated)
    assert await backend.get(key="/a", revision=FIRST_REVISION) is None
    assert await backend.get(key="/a", revision=created) == Record("/a", b"1", 2, 2)
    assert await backend.get(key="/a", revision=updated) == Record("/a", b"2", 3, 2)
    assert await backend.get(key="/a", revision=removed) is None
    page = await backend.list(prefix="/", revision=updated)
    assert (list(page.records), page.revision) == ([Record("/a", b"2", 3, 2)], updated)


async def test_a_list_is_in_the_order_of_keys_and_of_one_prefix(backend: Backend) -> None:
    for key in ("/pods/b", "/podsecrets/a", "/pods/a", "/pods/a/x", "/nodes/a"):
        await backend.create(key=key, value=b"")
    page = await backend.list(prefix="/pods/")
    assert [record.key for record in page.records] == ["/pods/a", "/pods/a/x", "/pods/b"]


async def test_pages_of_one_revision_do_not_see_later_writes(backend: Backend) -> None:
    revisions = {n: await backend.create(key=f"/k/{n}", value=b"old") for n in range(5)}
    first = await backend.list(prefix="/k/", limit=2)
    assert ([r.key for r in first.records], first.more, first.remaining) == (["/k/0", "/k/1"], True, 3)
    await backend.update(key="/k/3", value=b"new", expected=revisions[3])
    await backend.delete(key="/k/4", expected=revisions[4])
    await backend.create(key="/k/2a", value=b"new")
    rest = await backend.list(prefix="/k/", revision=first.revision, start="/k/1\0", limit=3)
    assert [(r.key, r.value) for r in rest.records] == [(f"/k/{n}", b"old") for n in (2, 3, 4)]
    assert (rest.more, rest.remaining, rest.revision) == (False, 0, first.revision)


async def test_the_future_cannot_be_read(backend: Backend) -> None:
    with pytest.raises(FutureRevision) as refused:
        await backend.get(key="/a", revision=9)
    assert refused.value.current == FIRST_REVISION
    with pytest.raises(FutureRevision):
        await backend.list(prefix="/", revision=9)
    with pytest.raises(FutureRevision):
        await backend.compact(revision=9)


async def test_compaction_keeps_what_is_current_and_everything_since(backend: Backend) -> None:
    kept = await backend.create(key="/kept", value=b"k")
    changed = await backend.create(key="/changed", value=b"1")
    gone = await backend.create(key="/gone", value=b"g")
    changed_again = await backend.update(key="/changed", value=b"2", expected=changed)
    await backend.delete(key="/gone", expected=gone)
    compacted = await backend.revision()
    last = await backend.update(key="/changed", value=b"3", expected=changed_again)
    await backend.compact(revision=compacted)

    for revision in (kept, changed_again):
        with pytest.raises(Compacted) as refused:
            await backend.list(prefix="/", revision=revision)
        assert refused.value.oldest == compacted
        with pytest.raises(Compacted):
            await backend.get(key="/kept", revision=revision)
    page = await backend.list(prefix="/", revision=compacted)
    assert [(r.key, r.value) for r in page.records] == [("/changed", b"2"), ("/kept", b"k")]
    assert await backend.get(key="/changed") == Record("/changed", b"3", last, changed)
    assert await backend.get(key="/gone") is None


async def test_compacting_twice_and_backwards_is_harmless(backend: Backend) -> None:
    revision = await backend.create(key="/a", value=b"")
    for _ in range(5):
        revision = await backend.update(key="/a", value=b"", expected=revision)
    for target in (4, 4, 3, revision):
        await backend.compact(revision=target)
    assert await backend.get(key="/a") == Record("/a", b"", revision, 2)


async def test_revisions_are_not_reused_after_the_newest_was_compacted(backend: Backend) -> None:
    created = await backend.create(key="/a", value=b"")
    removed = await backend.delete(key="/a", expected=created)
    await backend.compact(revision=removed)
    assert await backend.create(key="/b", value=b"") == removed + 1


async def test_a_watch_sees_its_prefix_in_order(backend: Backend) -> None:
    async with backend.watch(prefix="/pods/", after=FIRST_REVISION) as batches:
        created = await backend.create(key="/pods/a", value=b"1")
        await backend.create(key="/nodes/a", value=b"")
        updated = await backend.update(key="/pods/a", value=b"2", expected=created)
        removed = await backend.delete(key="/pods/a", expected=updated)
        assert await collect(batches, 3) == [
            Change(Record("/pods/a", b"1", created, created), 0, False),
            Change(Record("/pods/a", b"2", updated, created), created, False),
            Change(Record("/pods/a", b"", removed, created), updated, True),
        ]


async def test_a_watch_from_the_past_continues_into_the_present_without_a_gap(backend: Backend) -> None:
    for n in range(5):
        await backend.create(key=f"/k/{n}", value=b"")
    async with backend.watch(prefix="/k/", after=3) as batches:
        writing = asyncio.gather(*(backend.create(key=f"/k/{n}", value=b"") for n in range(5, 50)))
        changes = await collect(batches, 48)
        await writing
    assert [change.revision for change in changes] == list(range(4, 52))


async def test_a_watch_from_the_future_waits_for_it(backend: Backend) -> None:
    async with backend.watch(prefix="/", after=3) as batches:
        for n in range(3):
            await backend.create(key=f"/{n}", value=b"")
        assert [change.revision for change in await collect(batches, 1)] == [4]


async def test_a_watch_from_before_the_compaction_is_refused(backend: Backend) -> None:
    revision = await backend.create(key="/a", value=b"")
    for _ in range(3):
        revision = await backend.update(key="/a", value=b"", expected=revision)
    await backend.compact(revision=4)
    with pytest.raises(Compacted) as refused:
        async with backend.watch(prefix="/", after=3):
            pass
    assert refused.value.oldest == 4
    async with backend.watch(prefix="/", after=4) as batches:
        assert [change.revision for change in await collect(batches, 1)] == [5]


async def test_what_a_watch_shows_can_be_read(backend: Backend) -> None:
    async with backend.watch(prefix="/", after=FIRST_REVISION) as batches:
        writing = asyncio.ensure_future(backend.create(key="/a", value=b"1"))
        (change,) = await collect(batches, 1)
        assert await backend.get(key="/a") == change.record
        assert await backend.revision() >= change.revision
        await writing


async def test_a_writer_that_gives_up_leaves_the_store_in_order(backend: Backend) -> None:
    writing = asyncio.ensure_future(backend.create(key="/a", value=b"1"))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await backend.create(key="/b", value=b"2")
    page = await backend.list(prefix="/")
    assert [record.key for record in page.records] == ["/a", "/b"]


async def test_a_writer_learns_the_outcome_of_a_write_that_was_given_up(backend: Backend) -> None:
    first = asyncio.ensure_future(backend.create(key="/a", value=b"1"))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(backend.create(key="/a", value=b"2"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(KeyExists):
        await second


async def test_closing_ends_the_watches(backend: Backend) -> None:
    async with backend.watch(prefix="/", after=FIRST_REVISION) as batches:
        await backend.close()
        with pytest.raises(WatchLost):
            await anext(batches)
