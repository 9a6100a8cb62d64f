"""Who gets which event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from mamekube.store.backend import WatchLost
from mamekube.store.watchers import Watchers


@dataclass(frozen=True)
class Event:
    key: str
    revision: int


async def test_an_event_reaches_the_watchers_of_its_prefixes_only() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=10)
    prefixes = ["", "/pods/", "/pods/a", "/pods/a/x", "/nodes/", "/pods/b/"]
    by_prefix = {prefix: watchers.add(prefix, after=0) for prefix in prefixes}
    watchers.publish([Event("/pods/a/x", 1)])
    reached = [prefix for prefix, watcher in by_prefix.items() if watcher._pending]
    assert reached == ["", "/pods/", "/pods/a", "/pods/a/x"]


async def test_who_watches_another_prefix_is_reached_though_the_folder_is_known() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=10)
    first = watchers.add("/pods/", after=0)
    watchers.publish([Event("/pods/a/x", 1)])
    second = watchers.add("/pods/a/", after=0)
    whole = watchers.add("", after=0)
    watchers.publish([Event("/pods/a/y", 2)])
    watchers.discard(first)
    watchers.publish([Event("/pods/a/z", 3)])
    assert [event.revision for event in first.take()] == [1, 2]
    assert [event.revision for event in second.take()] == [2, 3]
    assert [event.revision for event in whole.take()] == [2, 3]


async def test_a_discarded_watcher_is_not_reached_any_more() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=10)
    first, second = watchers.add("/a", after=0), watchers.add("/a", after=0)
    watchers.discard(first)
    watchers.discard(first)
    watchers.publish([Event("/a", 1)])
    assert (first._pending, second._pending, len(watchers)) == ([], [Event("/a", 1)], 1)
    watchers.discard(second)
    watchers.publish([Event("/a", 2)])
    assert (len(watchers), second._pending) == (0, [Event("/a", 1)])


async def test_the_past_comes_before_what_happened_while_it_was_read() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=1)
    watcher = watchers.add("/", after=3)
    watchers.publish([Event("/a", 3), Event("/a", 4)])
    watcher.replay([Event("/a", 1), Event("/a", 2), Event("/a", 3)])
    assert [event.revision for event in await anext(watcher)] == [1, 2, 3, 4]


async def test_only_more_than_the_limit_loses_a_watcher() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=2)
    watcher = watchers.add("/", after=0)
    reading = asyncio.ensure_future(anext(watcher))
    await asyncio.sleep(0)
    watchers.publish([Event("/a", 1), Event("/a", 2)])
    assert len(await reading) == 2
    watchers.publish([Event("/a", 3), Event("/a", 4), Event("/a", 5)])
    with pytest.raises(WatchLost, match="more than 2 events behind"):
        await anext(watcher)


async def test_a_nudge_wakes_the_reader_with_nothing_and_loses_nothing() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=2)
    watcher = watchers.add("/", after=0)
    reading = asyncio.ensure_future(anext(watcher))
    await asyncio.sleep(0)
    watcher.nudge()
    assert await reading == ()
    watcher.nudge()
    watchers.publish([Event("/a", 1)])
    assert await anext(watcher) == [Event("/a", 1)]
    assert await anext(watcher) == ()


async def test_a_reader_is_called_once_for_all_that_came_at_once() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=10)
    watcher = watchers.add("/", after=0)
    taken: list[list[int]] = []
    watcher.call(lambda: taken.append([event.revision for event in watcher.take()]))
    watchers.publish([Event("/a", 1), Event("/a", 2)])
    assert taken == []
    await asyncio.sleep(0)
    assert taken == [[1, 2]]
    watchers.publish([Event("/a", 3)])
    await asyncio.sleep(0)
    assert taken == [[1, 2], [3]]
    watcher.nudge()
    await asyncio.sleep(0)
    assert taken == [[1, 2], [3], []]


async def test_a_reader_that_is_nudged_while_something_comes_is_called_for_both() -> None:
    """Or a watch would not see that its time is over."""
    watchers: Watchers[Event] = Watchers(pending_max=10)
    watcher = watchers.add("/", after=0)
    taken: list[int] = []
    watcher.call(lambda: taken.append(len(watcher.take())))
    watchers.publish([Event("/a", 1)])
    watcher.nudge()
    for _ in range(3):
        await asyncio.sleep(0)
    assert taken == [1, 0]


async def test_a_reader_that_went_away_leaves_what_comes_to_the_next() -> None:
    watchers: Watchers[Event] = Watchers(pending_max=10)
    watcher = watchers.add("/", after=0)
    watcher.call(lambda: pytest.fail("nobody reads any more"))
    watchers.publish([Event("/a", 1)])
    watcher.call(None)
    await asyncio.sleep(0)
    watchers.publish([Event("/a", 2)])
    assert [event.revision for event in watcher.take()] == [1, 2]
    watcher.lose("gone")
    with pytest.raises(WatchLost, match="gone"):
        watcher.take()
