"""The recorder: components tell what they did to an object, and the cluster's Events show it.

Telling never waits and never fails: what does not fit into the queue, or is refused, is dropped and logged.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Hashable, Mapping
from typing import Any

from mamekube.client.client import Client
from mamekube.client.correlation import Correlated, Correlator
from mamekube.foundation import limits
from mamekube.foundation.clock import Clock, format_time
from mamekube.foundation.lifecycle import Component
from mamekube.objects.meta import Object, name_of, namespace_of, revision_of, uid_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

EVENTS = Resource(group="", version="v1", plural="events", kind="Event")
NORMAL, WARNING = "Normal", "Warning"
DEFAULT_NAMESPACE = "default"
"""Where events about objects of cluster scope are kept."""
TRIES_MAX = 12
RETRY_S = 10.0
"""A server that does not answer is asked again this often and this late. Upstream: maxTriesPerEvent, sleepDuration."""

log = logging.getLogger(__name__)


class Recorder(Component):
    """Writes events in the background. `component` and `host` are their source."""

    def __init__(self, client: Client, clock: Clock, *, component: str = "", host: str = "") -> None:
        super().__init__()
        self._client = client
        self._clock = clock
        self._component = component
        self._host = host
        self._correlator = Correlator()
        self._queue: deque[Object] = deque()
        self._wakeup = asyncio.Event()
        self._writing: dict[Hashable, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(limits.EVENTS_WRITTEN_AT_ONCE)
        self._sequence = itertools.count()

    def event(
        self, about: Mapping[str, Any], type: str, reason: str, message: str, *, component: str = ""
    ) -> None:
        """Tell something about an object, or about what an ObjectReference refers to.

        `type` is Normal or Warning. `component` stands in for the recorder's own.
        """
        if len(self._queue) >= limits.EVENTS_QUEUED_MAX:
            log.warning("event dropped, too many are waiting: %s: %s", reason, message)
            return
        self._queue.append(self._make(reference(about), type, reason, message, component or self._component))
        self._wakeup.set()

    record = event

    async def start(self) -> None:
        self.spawn(self._run(), name="events")

    def idle(self) -> bool:
        """Everything told so far is written, or was dropped."""
        return not self._queue and not self._writing

    def _make(self, about: dict[str, Any], type: str, reason: str, message: str, component: str) -> Object:
        now_s = self._clock.now()
        now = format_time(now_s)
        # Upstream's names end in the time in nanoseconds; the sequence keeps two of the same instant apart.
        suffix = int(now_s * 1e6) * 1000 + next(self._sequence) % 1000
        source = {"component": component, **({"host": self._host} if self._host else {})}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{about.get('name', '')}.{suffix:x}",
                "namespace": about.get("namespace") or DEFAULT_NAMESPACE,
            },
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": type,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": self._host,
        }

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._wakeup.clear()
                await self._wakeup.wait()
            correlated = self._correlator.correlate(self._queue.popleft(), self._clock.now())
            if correlated is None:
                continue
            await self._slots.acquire()
            before = self._writing.get(correlated.key)
            writing = self.spawn(self._write(correlated, before))
            self._writing[correlated.key] = writing

    async def _write(self, correlated: Correlated, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            for attempt in range(TRIES_MAX):
                if await self._try_to_write(correlated):
                    return
                if attempt + 1 < TRIES_MAX:
                    await asyncio.sleep(RETRY_S)
            log.warning("event dropped, no answer: %s", correlated.event["message"])
        finally:
            self._slots.release()
            if self._writing.get(correlated.key) is asyncio.current_task():
                del self._writing[correlated.key]

    async def _try_to_write(self, correlated: Correlated) -> bool:
        """Whether that is settled: written, or refused for good."""
        event = correlated.event
        try:
            if correlated.repeats:
                try:
                    await self._raise_count(event)
                    return True
                except StatusError as error:
                    if not is_reason(error, "NotFound"):
                        raise
            await self._client.create(EVENTS, event, namespace=event["metadata"]["namespace"])
        except StatusError as error:
            if error.code in (502, 503, 504):
                return False
            log.debug("event refused: %s (%s)", error.message, event["message"])
        return True

    async def _raise_count(self, event: Object) -> None:
        await self._client.patch(
            EVENTS,
            event["metadata"]["name"],
            {name: event[name] for name in ("count", "lastTimestamp", "message")},
            namespace=event["metadata"]["namespace"],
            patch_type="strategic",
        )


def reference(about: Mapping[str, Any]) -> dict[str, Any]:
    """The ObjectReference of an object; a reference stays as it is."""
    if "metadata" not in about:
        return dict(about)
    obj = dict(about)
    fields = {
        "kind": obj.get("kind", ""),
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "uid": uid_of(obj),
        "apiVersion": obj.get("apiVersion", ""),
        "resourceVersion": revision_of(obj),
    }
    return {name: value for name, value in fields.items() if value}
