"""The admission chain: which plugins see a write, in which order.

All plugins mutate first, in the order of `plugins`; validation runs over the result in the same order. The
order is upstream's. Which plugins want a kind of write is worked out once and kept, so an ordinary write
costs the plugins that look at it and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mamekube.apiserver.admission.plugin import Plugin, target_of
from mamekube.apiserver.writes import Write

Step = Callable[[Write], Awaitable[None]]


class Admission:
    """`mutate` before validation of the object, `validate` after it."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._mutating: dict[tuple[str, str], tuple[Step, ...]] = {}
        self._validating: dict[tuple[str, str], tuple[Step, ...]] = {}

    async def mutate(self, write: Write) -> None:
        """Raises StatusError for a write that a plugin refuses.

        What outside code changed is seen by all plugins a second time, and no more than that.
        """
        steps = self._steps(self._mutating, write, "mutate")
        for step in steps:
            await step(write)
        if write.reinvoke:
            write.reinvoking = True
            for step in steps:
                await step(write)

    async def validate(self, write: Write) -> None:
        """Raises StatusError for a write that a plugin refuses."""
        for step in self._steps(self._validating, write, "validate"):
            await step(write)

    def _steps(
        self, known: dict[tuple[str, str], tuple[Step, ...]], write: Write, phase: str
    ) -> tuple[Step, ...]:
        key = (write.operation, target_of(write))
        steps = known.get(key)
        if steps is None:
            steps = known[key] = tuple(
                getattr(plugin, phase)
                for plugin in self.plugins
                if plugin.wants(*key) and getattr(type(plugin), phase) is not getattr(Plugin, phase)
            )
        return steps
