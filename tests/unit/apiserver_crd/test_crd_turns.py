"""Reading many custom resources, or large ones, lets other requests have their turns."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from tests.unit.apiserver_crd.definitions import GROUP, crontab

from mamekube.apiserver.customresources.conversion import Shape, VersionConversion, rewrite
from mamekube.foundation import sidetrack, slices
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.store.store import Item

TEXT = {"type": "string"}
NUMBERS = {
    "type": "array",
    "items": {"type": "object", "properties": {"n": TEXT, "d": {**TEXT, "default": "x"}}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"numbers": NUMBERS}}},
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be held is held."""
    monkeypatch.setattr(slices, "SLICE_S", -1.0)
    monkeypatch.setattr(slices, "REST_S", 0.0)


def conversion(version: str) -> VersionConversion:
    return VersionConversion(GROUP, version, "v1", {"v1": Shape(SCHEMA), "v2": Shape(SCHEMA)}, rewrite)


def item(name: str, numbers: int) -> Item:
    spec = {"numbers": [{"n": str(number), "unknown": 1} for number in range(numbers)]}
    made = crontab(name, spec)
    made["metadata"]["generation"] = 1
    return Item(f"/registry/{name}", orjson.dumps(made), 1, 1)


async def turns_during(reading: Any) -> tuple[int, list[Any]]:
    task, turns = asyncio.ensure_future(reading), 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    return turns, await task


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_many_objects_are_read_in_turns(version: str) -> None:
    items = [item(f"o{number}", 1) for number in range(50)]
    turns, shown = await turns_during(conversion(version).shown(items))
    assert turns > 25
    assert [document.object["metadata"]["name"] for document in shown] == [
        f"o{number}" for number in range(50)
    ]
    assert shown[7].object["spec"] == {"numbers": [{"n": "0", "d": "x"}]}
    assert shown[7].object["apiVersion"] == f"{GROUP}/{version}"


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what was worked on beside the loop."""
    seen: list[int] = []
    run = sidetrack.run

    async def noted(compute: Any, *, size_bytes: int) -> Any:
        seen.append(size_bytes)
        return await run(compute, size_bytes=size_bytes)

    monkeypatch.setattr(sidetrack, "run", noted)
    return seen


@pytest.mark.parametrize(("version", "times"), [("v1", 1), ("v2", 2)])
async def test_a_large_object_is_read_beside_the_loop(version: str, times: int, beside: list[int]) -> None:
    large = item("large", 1000)
    assert len(large.value) > HEAVY_BYTES
    [shown] = await conversion(version).shown([large])
    assert beside == [len(large.value)] * times
    assert shown.object["spec"]["numbers"][999] == {"n": "999", "d": "x"}


async def test_a_large_object_is_written_beside_the_loop(beside: list[int]) -> None:
    made = {**item("large", 1000).object, "apiVersion": f"{GROUP}/v2"}
    stored = await conversion("v2").stored(made)
    assert len(beside) == 1
    assert stored["apiVersion"] == f"{GROUP}/v1"
    assert stored["spec"]["numbers"][999] == {"n": "999"}


async def test_what_was_as_it_should_be_is_not_read_again() -> None:
    clean = item("one", 0)
    reader = conversion("v1")
    assert await reader.shown([clean]) == [clean]
    turns, shown = await turns_during(reader.shown([clean]))
    assert turns == 1
    assert shown[0] is clean
