"""A container's image on this node: present, pulled, or waiting for the next try.

Messages and order of events are upstream's (`pkg/kubelet/images/image_manager.go`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from mamekube.foundation.backoff import Backoff
from mamekube.foundation.clock import Clock
from mamekube.kubelet import credentials
from mamekube.kubelet.events import PodEvents
from mamekube.kubelet.runtime import Image, Runtime, RuntimeFailure
from mamekube.objects.meta import Object, uid_of

PULL_BACKOFF_INITIAL_S = 10.0
PULL_BACKOFF_LIMIT_S = 300.0
RESYNC_S = 10.0
"""How often a pod that waits for its image is looked at, and says so in an event. Upstream's backOffPeriod."""


class StartFailure(Exception):
    """A container could not be started: `reason` and `message` of its waiting state, and when to try again."""

    def __init__(self, reason: str, message: str, *, retry_in_s: float = RESYNC_S) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_in_s = retry_in_s


class Images:
    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._backoff = Backoff(
            initial_s=PULL_BACKOFF_INITIAL_S,
            limit_s=PULL_BACKOFF_LIMIT_S,
            forget_after_s=2 * PULL_BACKOFF_LIMIT_S,
        )
        self._not_before: dict[tuple[str, str], tuple[float, str]] = {}
        # Two pods that want the same image pull it once: the second finds it present.
        self._pulling: dict[str, asyncio.Lock] = {}

    async def ensure(
        self,
        pod: Object,
        container: Mapping[str, Any],
        *,
        events: PodEvents,
        secrets: Iterable[Object],
        sandbox_config: dict[str, Any],
    ) -> Image:
        """The image, pulled if its policy says so. Raises StartFailure."""
        name = container.get("image", "")
        try:
            reference = credentials.normalize(name)
        except credentials.InvalidImageName as error:
            message = f'Failed to apply default image tag "{name}": {error}'
            events.warning("InspectFailed", message, container)
            raise StartFailure("InvalidImageName", message) from error
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        present = await self._find(reference, name, events, container)
        if present is not None and policy != "Always":
            self._report_present(name, events, container)
            return present
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            events.warning("ErrImageNeverPull", message, container)
            raise StartFailure("ErrImageNeverPull", message)
        self._check_backoff(pod, container, events)
        asked_s = self._clock.now()
        async with self._pulling.setdefault(reference, asyncio.Lock()):
            if policy != "Always":
                present = await self._find(reference, name, events, container)
                if present is not None:
                    self._report_present(name, events, container)
                    return present
            return await self._pull(
                pod,
                container,
                reference,
                events=events,
                asked_s=asked_s,
                auths=credentials.find(reference, secrets),
                sandbox_config=sandbox_config,
            )

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._not_before if key[0] == pod_uid]:
            del self._not_before[key]
            self._backoff.forget(key)

    async def _find(
        self, reference: str, name: str, events: PodEvents, container: Mapping[str, Any]
    ) -> Image | None:
        try:
            return await self._runtime.image(reference)
        except RuntimeFailure as failure:
            message = f'Failed to inspect image "{name}": {failure.wire}'
            events.warning("InspectFailed", message, container)
            raise StartFailure("ImageInspectError", message) from failure

    def _report_present(self, name: str, events: PodEvents, container: Mapping[str, Any]) -> None:
        text = f'Container image "{name}" already present on machine and can be accessed by the pod'
        events.normal("Pulled", text, container)

    def _check_backoff(self, pod: Object, container: Mapping[str, Any], events: PodEvents) -> None:
        due_s, why = self._not_before.get((uid_of(pod), container["image"]), (0.0, ""))
        left_s = due_s - self._clock.now()
        if left_s > 0:
            message = f'Back-off pulling image "{container["image"]}"'
            events.normal("BackOff", message, container)
            full = f"{message}: ErrImagePull: {why}"
            raise StartFailure("ImagePullBackOff", full, retry_in_s=min(left_s, RESYNC_S))

    async def _pull(
        self,
        pod: Object,
        container: Mapping[str, Any],
        reference: str,
        *,
        events: PodEvents,
        asked_s: float,
        auths: list[dict[str, str]],
        sandbox_config: dict[str, Any],
    ) -> Image:
        name, key = container["image"], (uid_of(pod), container["image"])
        events.normal("Pulling", f'Pulling image "{name}"', container)
        began_s = self._clock.now()
        try:
            await self._try_pull(reference, auths, sandbox_config)
            image = await self._runtime.image(reference)
        except RuntimeFailure as failure:
            events.warning("Failed", f'Failed to pull image "{name}": {failure.wire}', container)
            now_s = self._clock.now()
            delay_s = self._backoff.next_s(key, now_s=now_s)
            self._not_before[key] = (now_s + delay_s, failure.wire)
            # Between two tries the pod is looked at once more, and then waits with ImagePullBackOff.
            again_in_s = min(delay_s / 2, RESYNC_S)
            raise StartFailure("ErrImagePull", failure.wire, retry_in_s=again_in_s) from failure
        if image is None:
            raise StartFailure("ErrImagePull", f'image "{name}" is not there after its pull')
        self._backoff.forget(key)
        self._not_before.pop(key, None)
        ended_s = self._clock.now()
        took, waited = go_duration(ended_s - began_s), go_duration(ended_s - asked_s)
        text = f'Successfully pulled image "{name}" in {took} ({waited} including waiting).'
        events.normal("Pulled", f"{text} Image size: {image.size_bytes} bytes.", container)
        return image

    async def _try_pull(
        self, reference: str, auths: list[dict[str, str]], sandbox_config: dict[str, Any]
    ) -> None:
        """With each of the credentials in turn, or with none."""
        last: RuntimeFailure | None = None
        for auth in auths or [{}]:
            try:
                await self._runtime.pull_image(reference, auth=auth, config=sandbox_config)
                return
            except RuntimeFailure as failure:
                last = failure
        assert last is not None
        raise last


def go_duration(seconds: float) -> str:
    """As Go prints a duration truncated to milliseconds: `308ms`, `1.2s`, `1m2.003s`."""
    total_ms = int(seconds * 1000)
    if total_ms < 1000:
        return f"{total_ms}ms" if total_ms else "0s"
    minutes, rest_ms = divmod(total_ms, 60_000)
    text = f"{rest_ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
