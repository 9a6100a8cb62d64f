"""The admission chain: which plugins see a write, in which order.

All plugins mutate first, in the order of `plugins`; validation runs over the result in the same order. The
order is upstream's. Which plugins want a kind of write is worked out once and kept, so an ordinary write
costs the plugins that look at it and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from mamekube.apiserver.admission.plugin import Plugin, target_of
from mamekube.apiserver.writes import Write
from mamekube.foundation.metrics import STABLE, Family, Histogram
from mamekube.objects.status import StatusError

BOUNDS_S = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
PREFIX = "apiserver_admission_"
ADMIT, VALIDATE = "admit", "validate"
"""Upstream's words for the two halves, in metrics."""


class Step:
    """What one plugin does in one half with one operation, and how long that took."""

    __slots__ = ("act", "key", "passed", "plugin", "refused")

    def __init__(self, plugin: Plugin, phase: str, operation: str) -> None:
        self.plugin = plugin
        self.act: Callable[[Write], Awaitable[None]] = getattr(plugin, phase)
        self.key = (plugin.name, operation, ADMIT if phase == "mutate" else VALIDATE)
        self.passed = Histogram(BOUNDS_S)
        self.refused = Histogram(BOUNDS_S)


class Admission:
    """`mutate` before validation of the object, `validate` after it."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._mutating: dict[tuple[str, str], tuple[Step, ...]] = {}
        self._validating: dict[tuple[str, str], tuple[Step, ...]] = {}
        self._steps: dict[tuple[str, str, str], Step] = {}
        """By (plugin, operation, half): a step counts for all resources together."""
        self._halves: dict[tuple[str, str, bool], Histogram] = {}
        """By (operation, half, whether it refused)."""

    async def mutate(self, write: Write) -> None:
        """Raises StatusError for a write that a plugin refuses.

        What outside code changed is seen by all plugins a second time, and no more than that.
        """
        steps = self._steps_of(self._mutating, write, "mutate")
        await self._take(steps, write, ADMIT)
        if write.reinvoke:
            write.reinvoking = True
            await self._take(steps, write, ADMIT)

    async def validate(self, write: Write) -> None:
        """Raises StatusError for a write that a plugin refuses."""
        await self._take(self._steps_of(self._validating, write, "validate"), write, VALIDATE)

    async def _take(self, steps: Sequence[Step], write: Write, half: str) -> None:
        began_s = at_s = time.perf_counter()
        refused = True
        try:
            for step in steps:
                if step.plugin.idle:
                    continue
                await step.act(write)
                now_s = time.perf_counter()
                step.passed.observe(now_s - at_s)
                at_s = now_s
            refused = False
        except StatusError:
            step.refused.observe(time.perf_counter() - at_s)
            raise
        finally:
            key = (write.operation, half, refused)
            histogram = self._halves.get(key)
            if histogram is None:
                histogram = self._halves[key] = Histogram(BOUNDS_S)
            histogram.observe(time.perf_counter() - began_s)

    def _steps_of(
        self, known: dict[tuple[str, str], tuple[Step, ...]], write: Write, phase: str
    ) -> tuple[Step, ...]:
        key = (write.operation, target_of(write))
        steps = known.get(key)
        if steps is None:
            steps = known[key] = tuple(
                self._step(plugin, phase, write.operation)
                for plugin in self.plugins
                if plugin.wants(*key) and getattr(type(plugin), phase) is not getattr(Plugin, phase)
            )
        return steps

    def _step(self, plugin: Plugin, phase: str, operation: str) -> Step:
        step = Step(plugin, phase, operation)
        return self._steps.setdefault(step.key, step)

    def families(self) -> Iterator[Family]:
        """What `/metrics` says of it."""
        plugins = Family(
            PREFIX + "controller_admission_duration_seconds",
            "histogram",
            "Admission controller latency histogram in seconds, identified by name and broken out for each operation "
            "and API resource and type (validate or admit).",
            labels=["name", "operation", "type", "rejected"],
            stability=STABLE,
        )
        for step in self._steps.values():
            for rejected, histogram in (("false", step.passed), ("true", step.refused)):
                if histogram.count:
                    plugins.add([*step.key, rejected], histogram)
        halves = Family(
            PREFIX + "step_admission_duration_seconds",
            "histogram",
            "Admission sub-step latency histogram in seconds, broken out for each operation and API resource and step "
            "type (validate or admit).",
            labels=["operation", "type", "rejected"],
            stability=STABLE,
        )
        for (operation, half, refused), histogram in self._halves.items():
            halves.add([operation, half, str(refused).lower()], histogram)
        yield from (plugins, halves)
        for plugin in self.plugins:
            yield from plugin.families()
