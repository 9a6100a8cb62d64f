"""The one runtime of all controllers: informers, queues, workers, retries, outcomes.

A controller is a class that says which resources wake it, as data, and what to do for one key. Everything that
could go wrong around that is handled here, once. A controller never sees an event's content beyond the key it maps
to: whatever it needs, it reads from the caches when it gets to work (level-triggered).

Invariants:
* No key of a controller is worked on by two workers at once.
* A key is taken only after every cache that the controllers watch has been filled.
* A reconciliation that fails is repeated, with a back-off that belongs to its key; it never ends a worker.
* An idle cluster costs nothing: without events, only delays that a controller asked for wake anyone.

It knows nothing of any kind of object.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mamekube.client.client import Client
from mamekube.client.events import Recorder
from mamekube.client.informer import Cache, InformerFactory
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import CONTROLLER_WORKERS
from mamekube.foundation.metrics import Family, Histogram
from mamekube.foundation.workqueue import DURATION_BOUNDS_S, WorkQueue
from mamekube.objects.meta import Object, key_of, make_key, namespace_of
from mamekube.objects.owners import controller_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

log = logging.getLogger(__name__)

RECONCILE_TIMEOUT_S = 300.0
"""One reconciliation. Far above any: it frees the worker if a remote party never answers."""

SLOW_S = 1.0
"""A reconciliation that takes longer is worth a line in the log."""

QUEUE_METRICS = {
    "adds_total": ("counter", "Total number of adds handled by workqueue"),
    "depth": ("gauge", "Current depth of workqueue"),
    "longest_running_processor_seconds": (
        "gauge",
        "How many seconds has the longest running processor for workqueue been running.",
    ),
    "queue_duration_seconds": (
        "histogram",
        "How long in seconds an item stays in workqueue before being requested.",
    ),
    "retries_total": ("counter", "Total number of retries handled by workqueue"),
    "unfinished_work_seconds": (
        "gauge",
        "How many seconds of work has done that is in progress and hasn't been observed by work_duration. Large values "
        "indicate stuck threads. One can deduce the number of stuck threads by observing the rate at which this "
        "increases.",
    ),
    "work_duration_seconds": (
        "histogram",
        "How long in seconds processing an item from workqueue takes.",
    ),
}
"""Name -> type and text."""
EXPECTED_REASONS = ("Conflict", "NotFound", "AlreadyExists")
"""Refusals that a cache slightly behind explains: the next try sees the newer state."""

Keys = Callable[["Controller", Object], Iterable[str]]


def itself(controller: Controller, obj: Object) -> Iterable[str]:
    """The key of the object."""
    return (key_of(obj),)


def nobody(controller: Controller, obj: Object) -> Iterable[str]:
    """For resources that are only read."""
    return ()


def owner(kind: str) -> Keys:
    """The key of the controlling owner, where that is of `kind`."""

    def keys(controller: Controller, obj: Object) -> Iterable[str]:
        reference = controller_of(obj)
        if reference is None or reference.get("kind") != kind:
            return ()
        return (make_key(namespace_of(obj), reference["name"]),)

    return keys


def always(key: str = "") -> Keys:
    """One and the same key, for controllers that look at everything together."""
    return lambda controller, obj: (key,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A resource that wakes a controller, and how an object of it maps to keys.

    `keys` is asked for the old and the new state of the object, so both of two owners are woken by a change of hands.
    """

    resource: Resource
    keys: Keys
    field_selector: str = ""
    """Only these objects are cached and wake it: for kinds of which most do not matter."""
    matters: Callable[[Object, Object], bool] = lambda old, new: True
    """`(old, new)`: whether a modification can change anything for the controller."""
    indexes: Mapping[str, Callable[[Object], Iterable[str]]] = field(default_factory=dict)
    observe: Callable[[Any, str, Object], None] | None = None
    """`(controller, event type, newest state)`: called for each event before its keys are queued (expectations)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every controller is given."""

    client: Client
    clock: Clock
    informers: InformerFactory
    recorder: Recorder


class Controller:
    """Subclass: name it, say what wakes it, and reconcile one key."""

    name: ClassVar[str]
    """Upstream's name of the controller: the component in the events it records."""
    account: ClassVar[str]
    """The ServiceAccount in kube-system as which it acts, and to which upstream's roles are bound. `""`: it acts as
    all controllers together, which is how the one that makes accounts' credentials has its own."""
    watches: ClassVar[Sequence[Watch]] = ()
    initial: ClassVar[Sequence[str]] = ()
    """Keys to work on once at the start, for controllers that come back by themselves."""
    workers: ClassVar[int] = CONTROLLER_WORKERS
    spacing_s: ClassVar[float] = 0.0
    """Two reconciliations of one key that events ask for start at least this far apart: a burst of a thousand pod
    events ends in a few status writes. The first event of a burst is answered at once."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client = context.client
        self.clock = context.clock
        self.queue: WorkQueue[str] = WorkQueue()
        self._caches: dict[Resource, Cache] = {}
        self._started_s: dict[str, float] = {}

    async def reconcile(self, key: str) -> float | None:
        """Bring the world of one key closer to what is wanted.

        Answers after how many seconds to look again although nothing has happened, or None. Raises to be retried.
        """
        raise NotImplementedError

    def families(self) -> Iterable[Family]:
        """What it counts about itself beyond what is counted for all."""
        return ()

    def cache(self, resource: Resource) -> Cache:
        """The cache of a resource that this controller watches."""
        return self._caches[resource]

    def record(self, obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event about `obj`."""
        self.context.recorder.event(
            obj, "Warning" if warning else "Normal", reason, message, component=self.name
        )

    def attach(self) -> None:
        """Subscribe to everything that is watched."""
        for watch in self.watches:
            informer = self.context.informers.informer(
                watch.resource, field_selector=watch.field_selector, indexes=watch.indexes
            )
            self._caches[watch.resource] = informer.cache
            informer.subscribe(self._handler(watch))
        for key in self.initial:
            self.queue.add(key)

    def enqueue(self, key: str) -> None:
        """Work on `key` soon: at once, or as soon as `spacing_s` has passed since the last time."""
        started_s = self._started_s.get(key) if self.spacing_s else None
        if started_s is None:
            self.queue.add(key)
            return
        self.queue.add_after(key, started_s + self.spacing_s - asyncio.get_running_loop().time())

    def _handler(self, watch: Watch) -> Callable[[str, Object | None, Object | None], None]:
        def handle(event: str, old: Object | None, new: Object | None) -> None:
            newest = new if new is not None else old
            assert newest is not None, "an event without any state"
            if watch.observe is not None:
                watch.observe(self, event, newest)
            if event == "MODIFIED" and old is not None and new is not None:
                if not watch.matters(old, new):
                    return
                keys = {*watch.keys(self, old), *watch.keys(self, new)}
                for key in keys if len(keys) < 2 else sorted(keys):
                    self.enqueue(key)
                return
            for key in watch.keys(self, newest):
                self.enqueue(key)

        return handle

    def note_start(self, key: str) -> None:
        if self.spacing_s:
            # Forgotten when the spacing has passed, so the table holds only keys that are busy right now.
            loop = asyncio.get_running_loop()
            self._started_s[key] = started_s = loop.time()
            loop.call_later(self.spacing_s, self._forget_start, key, started_s)

    def _forget_start(self, key: str, started_s: float) -> None:
        if self._started_s.get(key) == started_s:
            del self._started_s[key]


class Runtime(Component):
    """Runs controllers on one set of shared informers."""

    def __init__(self, informers: InformerFactory, controllers: Sequence[Controller]) -> None:
        super().__init__()
        self._informers = informers
        self.controllers = controllers
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """(controller, `success` | `requeue` | `conflict` | `error`) -> how often."""
        self._took = {controller.name: Histogram(DURATION_BOUNDS_S) for controller in controllers}
        self._working: dict[tuple[str, str], float] = {}
        """(controller, key) -> since when it is worked on."""

    async def start(self) -> None:
        for controller in self.controllers:
            controller.attach()
        self.spawn(self._run(), name="controllers")

    async def stop(self) -> None:
        for controller in self.controllers:
            controller.queue.close()

    def idle(self) -> bool:
        """No controller has a key to work on now (delayed ones do not count)."""
        return all(controller.queue.idle() for controller in self.controllers)

    async def _run(self) -> None:
        await self._informers.synced()
        for controller in self.controllers:
            for number in range(controller.workers):
                self.spawn(self._work(controller), name=f"{controller.name}/{number}")

    async def _work(self, controller: Controller) -> None:
        queue = controller.queue
        while True:
            key = await queue.take()
            try:
                await self._reconcile(controller, key)
            finally:
                queue.done(key)

    async def _reconcile(self, controller: Controller, key: str) -> None:
        started_s = time.perf_counter()
        controller.note_start(key)
        self._working[controller.name, key] = started_s
        try:
            async with asyncio.timeout(RECONCILE_TIMEOUT_S):
                again_s = await controller.reconcile(key)
        except Exception as error:
            outcome = self._note_failure(controller, key, error)
        else:
            controller.queue.forget(key)
            outcome = "success"
            if again_s is not None:
                controller.queue.add_after(key, again_s)
                outcome = "requeue"
        self.outcomes[controller.name, outcome] += 1
        took_s = time.perf_counter() - started_s
        del self._working[controller.name, key]
        self._took[controller.name].observe(took_s)
        if took_s > SLOW_S:
            log.info("%s: %s took %.1f s", controller.name, key, took_s)

    def families(self) -> Iterator[Family]:
        """What `/metrics` says of the controllers, and of their queues under the names of client-go's."""
        families = {
            name: Family(f"workqueue_{name}", type, text, labels=["name"])
            for name, (type, text) in QUEUE_METRICS.items()
        }
        now_s = time.perf_counter()
        for controller in self.controllers:
            since = [
                now_s - began_s for (name, _), began_s in self._working.items() if name == controller.name
            ]
            values: dict[str, float | Histogram] = {
                "adds_total": controller.queue.added,
                "depth": controller.queue.depth,
                "queue_duration_seconds": controller.queue.waited,
                "retries_total": controller.queue.retried,
                "work_duration_seconds": self._took[controller.name],
                "unfinished_work_seconds": sum(since),
                "longest_running_processor_seconds": max(since, default=0.0),
            }
            for name, value in values.items():
                families[name].add([controller.name], value)
            yield from controller.families()
        yield from families.values()

    def _note_failure(self, controller: Controller, key: str, error: Exception) -> str:
        delay_s = controller.queue.retry(key)
        if is_reason(error, *EXPECTED_REASONS):
            log.debug("%s: %s again in %.3f s: %s", controller.name, key, delay_s, error)
            return "conflict"
        # A refusal tells the whole story; anything else is a fault of ours and worth its traceback.
        trace = None if isinstance(error, StatusError) else error
        log.warning("%s: %s again in %.3f s: %s", controller.name, key, delay_s, error, exc_info=trace)
        return "error"
