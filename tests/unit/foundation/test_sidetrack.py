"""Heavy work beside the loop: the loop goes on, one work of a lane at a time, and nothing is left behind."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

from mamekube.foundation import sidetrack
from mamekube.foundation.clock import VirtualLoop

SMALL, LARGE = 1, sidetrack.SMALL_BYTES_MAX + 1


async def test_the_loop_goes_on_while_there_is_work() -> None:
    heard = threading.Event()
    work = asyncio.create_task(sidetrack.run(lambda: heard.wait(10), size_bytes=SMALL))
    await asyncio.sleep(0)
    heard.set()
    assert await work is True


async def test_what_is_not_heavy_is_done_at_once() -> None:
    assert await sidetrack.run(threading.get_ident, size_bytes=0) == threading.get_ident()
    assert await sidetrack.run(threading.get_ident, size_bytes=SMALL) != threading.get_ident()


def test_on_virtual_time_it_is_done_at_once() -> None:
    loop = VirtualLoop()
    try:
        ran = loop.run_until_complete(sidetrack.run(threading.get_ident, size_bytes=SMALL))
    finally:
        loop.close()
    assert ran == threading.get_ident()


async def test_what_it_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        await sidetrack.run(lambda: 1 // 0, size_bytes=SMALL)


async def test_it_sees_the_context_of_who_waits_for_it() -> None:
    who: ContextVar[str] = ContextVar("who")
    who.set("me")
    assert await sidetrack.run(who.get, size_bytes=SMALL) == "me"


async def test_a_large_work_holds_up_large_ones_only() -> None:
    end = threading.Event()
    first = asyncio.create_task(sidetrack.run(lambda: end.wait(10), size_bytes=LARGE))
    second = asyncio.create_task(sidetrack.run(lambda: "second", size_bytes=LARGE))
    assert await sidetrack.run(lambda: "small", size_bytes=SMALL) == "small"
    assert not second.done()
    end.set()
    assert await first is True
    assert await second == "second"


async def test_threads_hand_over_soon_for_as_long_as_there_is_work() -> None:
    usual_s = sys.getswitchinterval()
    within_s = await sidetrack.run(sys.getswitchinterval, size_bytes=SMALL)
    assert within_s == pytest.approx(sidetrack.TURN_S)
    assert sys.getswitchinterval() == usual_s


async def test_work_that_nobody_waits_for_any_more_ends_where_it_is() -> None:
    begun, ended = threading.Event(), threading.Event()

    def count() -> None:
        number = 0
        begun.set()
        try:
            while True:
                number += 1
        finally:
            ended.set()

    work = asyncio.create_task(sidetrack.run(count, size_bytes=SMALL))
    await asyncio.to_thread(begun.wait)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert ended.wait(10)


async def test_work_that_is_given_up_imports_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, wanted, ended = threading.Event(), threading.Event(), threading.Event()
    (tmp_path / "slowly_imported.py").write_text(
        "import threading\nbegun.set()\nwhile not wanted.is_set(): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.begun", begun, raising=False)
    monkeypatch.setattr("builtins.wanted", wanted, raising=False)

    def imports() -> None:
        importlib.import_module("slowly_imported")
        ended.set()

    work = asyncio.create_task(sidetrack.run(imports, size_bytes=SMALL))
    await asyncio.to_thread(begun.wait)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    wanted.set()
    assert await asyncio.to_thread(ended.wait, 10)
    assert sys.modules.pop("slowly_imported")
