"""The probes of one container over its life: thresholds, periods, and what follows from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mamekube.foundation.clock import Clock
from mamekube.kubelet import probes
from mamekube.kubelet.events import PodEvents
from mamekube.kubelet.plan import Health
from mamekube.kubelet.runtime import Container, Runtime

PERIOD_S = 10
FAILURES = 3
TITLES = {"startupProbe": "Startup", "livenessProbe": "Liveness", "readinessProbe": "Readiness"}


class ContainerProber:
    """Runs a container's probes and keeps its `Health`; calls `changed` whenever that changes.

    Liveness and readiness wait for the startup probe.
    """

    def __init__(
        self,
        container: Mapping[str, Any],
        current: Container,
        *,
        pod_ip: str,
        runtime: Runtime,
        clock: Clock,
        events: PodEvents,
        changed: Callable[[], None],
    ) -> None:
        self.health = Health()
        self._container = container
        self._current = current
        self._pod_ip = pod_ip
        self._runtime = runtime
        self._clock = clock
        self._events = events
        self._changed = changed
        self._started = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._begin()

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def stop_condemning(self) -> None:
        """The container is being ended: only its readiness is of interest any more."""
        for kind, task in self._tasks.items():
            if kind != "readinessProbe":
                task.cancel()

    def _begin(self) -> None:
        if "startupProbe" not in self._container:
            self.health.started = True
            self._started.set()
        if "readinessProbe" not in self._container:
            self.health.ready = True
        for kind in TITLES:
            if kind in self._container:
                self._tasks[kind] = asyncio.create_task(self._watch(kind, self._container[kind]))

    async def _watch(self, kind: str, probe: Mapping[str, Any]) -> None:
        """One probe for as long as the container lives; the startup probe ends with its success."""
        if kind != "startupProbe":
            await self._started.wait()
        delay_s = self._current.started_s + probe.get("initialDelaySeconds", 0) - self._clock.now()
        await asyncio.sleep(max(0.0, delay_s))
        period_s = probe.get("periodSeconds") or PERIOD_S
        streak, last_ok = 0, None
        while True:
            outcome = await probes.run(
                probe,
                self._container,
                pod_ip=self._pod_ip,
                container_id=self._current.id,
                runtime=self._runtime,
            )
            streak = streak + 1 if outcome.ok == last_ok else 1
            last_ok = outcome.ok
            if not outcome.ok:
                self._report(kind, outcome)
            threshold = (
                probe.get("successThreshold") or 1
                if outcome.ok
                else probe.get("failureThreshold") or FAILURES
            )
            if streak >= threshold and self._apply(kind, probe, ok=outcome.ok):
                return
            await asyncio.sleep(period_s)

    def _apply(self, kind: str, probe: Mapping[str, Any], *, ok: bool) -> bool:
        """Take a result that passed its threshold; answers whether this probe is over."""
        health = self.health
        before = (health.started, health.ready, health.condemned)
        if kind == "readinessProbe":
            health.ready = ok
        elif ok and kind == "startupProbe":
            health.started = True
            self._started.set()
        elif not ok:
            title = TITLES[kind].lower()
            health.condemned = f"Container {self._container['name']} failed {title} probe, will be restarted"
            health.grace_s = probe.get("terminationGracePeriodSeconds")
        if before != (health.started, health.ready, health.condemned):
            self._changed()
        return kind != "readinessProbe" and ((kind == "startupProbe" and ok) or bool(health.condemned))

    def _report(self, kind: str, outcome: probes.Outcome) -> None:
        title = TITLES[kind]
        if outcome.errored:
            text = f"{title} probe errored and resulted in unknown state: {outcome.message}"
        else:
            text = f"{title} probe failed: {outcome.message}"
        self._events.warning("Unhealthy", text, self._container)
