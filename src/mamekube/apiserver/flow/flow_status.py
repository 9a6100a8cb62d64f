"""The condition `Dangling` of FlowSchemas: whether the priority level that they name exists."""

from __future__ import annotations

import asyncio
import logging

from mamekube.apiserver import builtin
from mamekube.apiserver.flow import flow_control
from mamekube.apiserver.mirror import Mirror
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.objects import conditions
from mamekube.objects.meta import Object, name_of
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

log = logging.getLogger(__name__)

SETTLE_S = 1.0
"""Changes come together, and those that a cluster is born with bring their condition themselves."""


class FlowStatus(Component):
    """Writes the condition where it says something else."""

    def __init__(self, store: Store, client: Client, clock: Clock) -> None:
        super().__init__()
        self._client = client
        self._clock = clock
        self._schemas: dict[str, Object] = {}
        self._levels: set[str] = set()
        self._changed = asyncio.Event()
        self._mirrors = (
            Mirror[Object](store, builtin.FLOW_SCHEMAS, digest=_whole, handler=self._schema_changed),
            Mirror[Object](store, builtin.PRIORITY_LEVELS, digest=_whole, handler=self._level_changed),
        )

    async def start(self) -> None:
        for mirror in self._mirrors:
            await mirror.__aenter__()
        self.spawn(self._run(), name="flow-status")

    async def stop(self) -> None:
        for mirror in self._mirrors:
            await mirror.__aexit__(None, None, None)

    def _schema_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._schemas.pop(name_of(old or {}), None)
        else:
            self._schemas[name_of(new)] = new
            self._changed.set()

    def _level_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._levels.discard(name_of(old or {}))
        else:
            self._levels.add(name_of(new))
        self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE_S)
            self._changed.clear()
            for schema in list(self._schemas.values()):
                await self._report(schema)

    async def _report(self, schema: Object) -> None:
        level = schema["spec"]["priorityLevelConfiguration"]["name"]
        wanted = flow_control.dangling_condition(schema, self._clock.timestamp(), found=level in self._levels)
        known = conditions.conditions_of(schema)
        found = conditions.find(known, "Dangling") or {}
        if all(found.get(key) == wanted[key] for key in ("status", "reason", "message")):
            return
        if found.get("status") == wanted["status"]:
            wanted["lastTransitionTime"] = found["lastTransitionTime"]
        others = [condition for condition in known if condition.get("type") != "Dangling"]
        patch = {"status": {"conditions": [*others, wanted]}}
        try:
            await self._client.patch(builtin.FLOW_SCHEMAS, name_of(schema), patch, subresource="status")
        except StatusError as error:
            log.warning("cannot write the condition of FlowSchema %s: %s", name_of(schema), error.message)


def _whole(obj: Object, old: Object | None) -> Object:
    return obj
