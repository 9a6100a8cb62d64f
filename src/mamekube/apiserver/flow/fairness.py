"""API priority and fairness: a request takes a seat of its priority level, or waits for one in a queue.

Flow schemas choose the level and the flow; see `flow_schemas` and `fair_queues`. The server is one thread, and most
reads never wait for anything: they would give their seat back before the next request is looked at. So a level also
starts no more than a few requests in one turn of the event loop, and the others wait in its queues, in fair order: one
client with many connections leaves room between its requests.

While nothing waits, a request costs two look-ups and two additions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.flow import flow_control
from mamekube.apiserver.flow.fair_queues import Counts, Level, Shape, Waiter, share_out
from mamekube.apiserver.flow.flow_schemas import Schema, compile_schema, ordered
from mamekube.apiserver.mirror import Mirror
from mamekube.apiserver.request import INT64_DIGITS, PATH_KEPT_MAX, Request
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import REQUEST_TIMEOUT_S
from mamekube.objects.meta import Object, metadata, name_of
from mamekube.store.store import Store

SEATS = 600
"""Of the whole server. Upstream: --max-requests-inflight and --max-mutating-requests-inflight, 400 and 200."""

WAIT_S_MAX = REQUEST_TIMEOUT_S / 4
"""How long a request may wait for its seat, as upstream."""

FLOWS_KEPT_MAX = 10_000
"""Kinds of request whose flow is known. Beyond it they are found again."""

ITEMS_PER_SEAT = 100
LIST_SEATS_MAX = 10
"""A list is as wide as what it answered the last time, up to this. Upstream: its list work estimator."""

CATCH_ALL = "catch-all"
RETRY_AFTER_S = 1


class Rejected(Exception):
    """There is no room for the request, in its queue or in time."""


@dataclass(slots=True, eq=False)
class Flow:
    """What requests of one kind have in common: their schema, level and place among the queues."""

    key: str
    schema: Schema
    level: Level
    counts: Counts
    headers: Mapping[str, str]
    """That every answer carries."""


class Fairness(Component):
    """Lets requests in, one `enter` for each `leave`."""

    def __init__(self, store: Store, *, seats: int = SEATS) -> None:
        super().__init__()
        self._seats = seats
        self._flows: dict[tuple[Any, ...], Flow] = {}
        self._levels: dict[str, Level] = {}
        self._schemas: dict[str, Schema] = {}
        self._order: list[Schema] = []
        self._counts: dict[tuple[str, str], Counts] = {}
        self._sizes: dict[tuple[str, str, str], int] = {}
        self._waiting = 0
        """Requests in all queues."""
        self._turning = False
        """Whether the next turn of the loop is waited for."""
        self._stack = AsyncExitStack()
        self._mirrors: list[Mirror[Any]] = [
            Mirror(store, builtin.PRIORITY_LEVELS, digest=_whole, handler=self._level_changed),
            Mirror(store, builtin.FLOW_SCHEMAS, digest=_whole, handler=self._schema_changed),
        ]
        # Before the store says anything, and whatever it says, there are the mandatory ones.
        for level in flow_control.priority_levels():
            if name_of(level) in MANDATORY:
                self._level_changed(None, level)
        for schema in flow_control.flow_schemas():
            if name_of(schema) in MANDATORY:
                self._schema_changed(None, schema)

    async def start(self) -> None:
        for mirror in self._mirrors:
            await self._stack.enter_async_context(mirror)

    async def stop(self) -> None:
        await self._stack.aclose()

    # A request ----------------------------------------------------------------------------------

    def flow_of(self, request: Request) -> Flow:
        """The flow it belongs to. Costs one look-up when it was asked before."""
        user = request.user
        key = (
            user.name, user.groups, request.verb, request.group, request.resource, request.subresource,
            request.namespace, "" if request.is_resource else request.path,
        )  # fmt: skip
        flow = self._flows.get(key)
        return flow if flow is not None else self._find_flow(request, key)

    def try_enter(self, flow: Flow, seats: int = 1) -> bool:
        """Take seats if there are any and nobody waits for them."""
        level = flow.level
        if not level.shape.exempt:
            if level.waiting or level.turn >= level.turn_max or not level.has_seats(seats):
                return False
            level.turn += 1
            if not self._turning:
                self._await_turn()
        level.executing += seats
        counts = flow.counts
        counts.executing += 1
        counts.seats += seats
        counts.dispatched += 1
        return True

    async def enter(self, flow: Flow, seats: int = 1) -> None:
        """Take seats, of others too if they lend some, or wait for them. Raises Rejected."""
        level, counts = flow.level, flow.counts
        if level.waiting or level.turn >= level.turn_max:
            await self._wait(flow, seats)
        elif level.has_seats(seats, spare=self._spare(level)):
            level.executing += seats
            level.turn += 1
        else:
            await self._wait(flow, seats)
        counts.executing += 1
        counts.seats += seats
        counts.dispatched += 1

    async def _wait(self, flow: Flow, seats: int) -> None:
        """Wait in a queue until seats were taken for it."""
        level, counts = flow.level, flow.counts
        waiter = Waiter(flow.key, seats, asyncio.get_running_loop().create_future())
        if not level.enqueue(waiter):
            self._reject(counts, "queue-full" if level.shape.queues else "concurrency-limit")
        self._waiting += 1
        if not self._turning:
            self._await_turn()
        counts.waiting += 1
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await waiter.wake
        except BaseException as error:
            counts.vain_waits.observe(time.monotonic() - began_s)
            if waiter.seated:
                # It was given its seats in the same turn in which it gave up.
                self._give_back(flow, seats)
            else:
                level.withdraw(waiter)
            if isinstance(error, TimeoutError):
                self._reject(counts, "time-out")
            raise
        else:
            counts.waits.observe(time.monotonic() - began_s)
        finally:
            self._waiting -= 1
            counts.waiting -= 1

    def leave(self, flow: Flow, seats: int = 1) -> None:
        """Give the seats back. Who waits for them gets them in the next turn of the loop."""
        flow.counts.executing -= 1
        flow.counts.seats -= seats
        self._give_back(flow, seats)

    def seats_of(self, request: Request) -> int:
        """How wide a request is: lists are, by what they answered the last time."""
        if request.verb != "list":
            return 1
        items = self._sizes.get((request.group, request.resource, request.namespace), 0)
        limit = request.first("limit")
        if limit.isdecimal() and len(limit) <= INT64_DIGITS and int(limit):
            items = min(items, int(limit))
        return max(1, min(LIST_SEATS_MAX, -(-items // ITEMS_PER_SEAT)))

    def note_size(self, request: Request, items: int) -> None:
        """Remember how much a list was."""
        if items > ITEMS_PER_SEAT or self._sizes:
            if len(self._sizes) >= FLOWS_KEPT_MAX:
                self._sizes.clear()
            self._sizes[request.group, request.resource, request.namespace] = items

    def _give_back(self, flow: Flow, seats: int) -> None:
        flow.level.executing -= seats
        if self._waiting and not self._turning:
            self._await_turn()

    def _await_turn(self) -> None:
        self._turning = True
        asyncio.get_running_loop().call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        """Let in those whose turn it is, up to what one turn may hold."""
        self._turning = False
        for level in self._levels.values():
            level.turn = 0
            while level.waiting and level.turn < level.turn_max:
                waiter = level.next(spare=self._spare(level))
                if waiter is None:
                    break
                level.turn += 1
                if not waiter.wake.done():
                    waiter.wake.set_result(None)
            if level.turn and not self._turning:
                self._await_turn()

    def _spare(self, borrower: Level) -> int:
        """Seats that other levels lend at the moment, less what is borrowed already."""
        lent = sum(level.idle_lendable for level in self._levels.values() if level is not borrower)
        others = sum(
            max(0, level.executing - level.nominal)
            for level in self._levels.values()
            if level is not borrower and not level.shape.exempt
        )
        return max(0, lent - others)

    def _reject(self, counts: Counts, reason: str) -> None:
        counts.rejected[reason] = counts.rejected.get(reason, 0) + 1
        raise Rejected(reason)

    # Configuration ------------------------------------------------------------------------------

    def _find_flow(self, request: Request, key: tuple[Any, ...]) -> Flow:
        schema = next(
            (schema for schema in self._order if schema.level in self._levels and schema.matches(request)),
            self._schemas[CATCH_ALL],
        )
        level = self._levels.get(schema.level) or self._levels[CATCH_ALL]
        if len(self._flows) >= FLOWS_KEPT_MAX:
            self._flows.clear()
        headers = {
            "X-Kubernetes-PF-FlowSchema-UID": schema.uid,
            "X-Kubernetes-PF-PriorityLevel-UID": level.uid,
        }
        counts = self._counts.setdefault((level.name, schema.name), Counts())
        flow = Flow(f"{schema.name}\0{schema.flow_of(request)}", schema, level, counts, headers)
        if len(request.path) <= PATH_KEPT_MAX:
            self._flows[key] = flow
        return flow

    def _level_changed(self, old: Object | None, new: Object | None) -> None:
        self._flows.clear()
        if new is None:
            name = name_of(old or {})
            if name not in MANDATORY:
                self._levels.pop(name, None)
        else:
            name, shape = name_of(new), shape_of(new)
            level = self._levels.get(name)
            if level is None:
                level = self._levels[name] = Level(name, shape)
            elif level.shape != shape:
                level.reshape(shape)
            level.uid = str(metadata(new).get("uid") or "")
        share_out(list(self._levels.values()), self._seats)

    def _schema_changed(self, old: Object | None, new: Object | None) -> None:
        self._flows.clear()
        if new is not None:
            self._schemas[name_of(new)] = compile_schema(new)
        elif name_of(old or {}) not in MANDATORY:
            self._schemas.pop(name_of(old or {}), None)
        self._order = ordered(list(self._schemas.values()))

    # Numbers ------------------------------------------------------------------------------------

    def levels(self) -> Iterator[Level]:
        yield from self._levels.values()

    def counts(self) -> Iterator[tuple[str, str, Counts]]:
        """(priority level, flow schema, what was counted)."""
        for (level, schema), counts in self._counts.items():
            yield level, schema, counts


MANDATORY = frozenset({"exempt", CATCH_ALL})


def shape_of(level: Object) -> Shape:
    spec = level.get("spec") or {}
    exempt = spec.get("type") == "Exempt"
    section = spec.get("exempt" if exempt else "limited") or {}
    response = section.get("limitResponse") or {}
    queuing = (response.get("queuing") or {}) if response.get("type") == "Queue" else {}
    return Shape(
        exempt=exempt,
        shares=section.get("nominalConcurrencyShares") or 0,
        lendable_percent=section.get("lendablePercent") or 0,
        borrowing_percent=section.get("borrowingLimitPercent"),
        queues=queuing.get("queues") or 0,
        hand_size=queuing.get("handSize") or 1,
        queue_length_max=queuing.get("queueLengthLimit") or 0,
    )


def _whole(obj: Object, old: Object | None) -> Object:
    """Levels and schemas are few, and all of them matters."""
    return obj
