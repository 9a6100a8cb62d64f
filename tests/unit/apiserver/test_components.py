"""What `kubectl get componentstatuses` is told, and that it is true."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.in_process import api_server

from mamekube.apiserver.components import CONTROLLERS, SCHEDULER
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.core.componentstatuses import KIND
from mamekube.objects.status import StatusError
from mamekube.store.backend import StoreFailed

NAMES = ["scheduler", "controller-manager", "etcd-0"]


def healthy(status: str, **said: str) -> list[dict[str, str]]:
    return [{"type": "Healthy", "status": status, **said}]


class Part(Component):
    """Runs until it is told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.fault = asyncio.Event()

    async def start(self) -> None:
        self.spawn(self._run())

    async def _run(self) -> None:
        await self.fault.wait()
        raise RuntimeError("broken")


async def test_a_part_is_healthy_from_its_start_until_it_fails_or_ends() -> None:
    async with api_server() as api:
        admin = api.client("admin", ("system:masters",))
        part = Part()

        async def told(name: str) -> list[dict[str, str]]:
            return (await admin.get(KIND, name))["conditions"]  # type: ignore[no-any-return]

        assert await told(SCHEDULER) == healthy("False", message="not running")
        api.api.components.add(SCHEDULER, part)
        assert await told(SCHEDULER) == healthy("False", message="not running")
        async with part:
            assert await told(SCHEDULER) == healthy("True", message="ok")
            part.fault.set()
            with pytest.raises(RuntimeError, match="broken"):
                await part.wait()
            assert await told(SCHEDULER) == healthy("False", message="not running")
        async with Part() as other:
            api.api.components.add(CONTROLLERS, other)
            assert await told(CONTROLLERS) == healthy("True", message="ok")
        assert await told(CONTROLLERS) == healthy("False", message="not running")


async def test_all_parts_are_listed_and_selected_though_none_is_stored() -> None:
    async with api_server() as api:
        admin = api.client("admin", ("system:masters",))
        listed = await admin.list(KIND)
        assert [one["metadata"] for one in listed.items] == [{"name": name} for name in NAMES]
        assert listed.items[2]["conditions"] == healthy("True", message="ok")
        named = await admin.list(KIND, field_selector="metadata.name=etcd-0")
        assert [one["metadata"]["name"] for one in named.items] == ["etcd-0"]
        assert (await admin.list(KIND, label_selector="app=web")).items == []
        with pytest.raises(StatusError, match="is not a known field selector"):
            await admin.list(KIND, field_selector="status.phase=Running")


async def test_a_part_that_does_not_exist_is_a_fault_as_upstream() -> None:
    async with api_server() as api:
        with pytest.raises(StatusError) as refused:
            await api.client("admin", ("system:masters",)).get(KIND, "api")
        assert refused.value.status == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Component not found: api",
            "code": 500,
        }


async def test_a_store_that_does_not_answer_is_told_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with api_server() as api:

        async def fail() -> None:
            raise StoreFailed("disk full")

        monkeypatch.setattr(api.api.store, "check", fail)
        told = await api.client("admin", ("system:masters",)).get(KIND, "etcd-0")
    assert told["conditions"] == healthy("False", error="error getting data from etcd: disk full")
