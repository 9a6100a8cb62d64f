"""How components start, fail and end."""

from __future__ import annotations

import asyncio

import pytest
from tests.virtual import on_virtual_time, settled

from mamekube.foundation.lifecycle import Component, run_until_failure


class Part(Component):
    """Notes what happens to it."""

    def __init__(self, name: str, log: list[str], *, dies_after_s: float = 0.0) -> None:
        super().__init__()
        self.name = name
        self.log = log
        self.dies_after_s = dies_after_s

    async def start(self) -> None:
        self.log.append(f"start {self.name}")
        self.spawn(self.work())

    async def stop(self) -> None:
        self.log.append(f"stop {self.name}")

    async def work(self) -> None:
        try:
            await asyncio.sleep(self.dies_after_s or 1e6)
            raise ValueError(self.name)
        finally:
            self.log.append(f"end {self.name}")


@on_virtual_time
async def test_tasks_end_before_the_component_stops() -> None:
    log: list[str] = []
    async with Part("a", log):
        await settled()
    assert log == ["start a", "end a", "stop a"]


@on_virtual_time
async def test_a_broken_part_ends_the_program_in_reverse_order() -> None:
    log: list[str] = []
    parts = [Part("a", log), Part("b", log, dies_after_s=5), Part("c", log)]
    with pytest.raises(ValueError, match="b"):
        await run_until_failure(*parts)
    assert log == ["start a", "start b", "start c", "end b", "end c", "stop c", "stop b", "end a", "stop a"]


@on_virtual_time
async def test_waiting_raises_what_a_task_raised_before() -> None:
    async with Part("a", [], dies_after_s=1) as part:
        await asyncio.sleep(2)
        with pytest.raises(ValueError):
            await part.wait()


@on_virtual_time
async def test_a_failed_start_releases_what_it_acquired() -> None:
    log: list[str] = []

    class Broken(Part):
        async def start(self) -> None:
            await super().start()
            await settled()
            raise OSError("no port")

    with pytest.raises(OSError):
        await Broken("a", log).__aenter__()
    assert log == ["start a", "end a", "stop a"]
