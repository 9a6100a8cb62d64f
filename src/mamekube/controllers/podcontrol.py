"""Creating and deleting the pods of an owner: names, events, and batches that start slowly.

The events are upstream's (`RealPodControl`). Creations run at once within a batch, so that the store commits them
together; batches double, so that a refusal that concerns all of them is met once or twice and not a thousand times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from mamekube.controllers.expectations import Expectations
from mamekube.controllers.resources import PODS
from mamekube.controllers.runtime import Context, Controller
from mamekube.objects.meta import Object, being_deleted, make_key, metadata, name_of, namespace_of, uid_of
from mamekube.objects.owners import controller_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

NAME_LENGTH_MAX = 253
GENERATED_PREFIX_LENGTH_MAX = 58
"""What remains of a label's 63 characters beside the five random ones; the API server cuts longer prefixes."""


def pod_from_template(template: Object, owner: Object, reference: dict[str, Any]) -> Object:
    """A pod of `owner`, its name to be generated. It shares the template's spec, so it is to be sent, not edited."""
    described = template.get("metadata") or {}
    prefix = name_of(owner) + "-"
    pod_metadata: dict[str, Any] = {
        "generateName": prefix if len(prefix) <= NAME_LENGTH_MAX else name_of(owner),
        "namespace": namespace_of(owner),
        "labels": dict(described.get("labels") or {}),
        "annotations": dict(described.get("annotations") or {}),
        "finalizers": list(described.get("finalizers") or ()),
        "ownerReferences": [reference],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {key: value for key, value in pod_metadata.items() if value},
        "spec": template.get("spec") or {},
    }


async def create_pod(controller: Controller, owner: Object, pod: Object) -> Object:
    """Create it and record that on `owner`. Raises what the API server refused."""
    try:
        created = await controller.client.create(PODS, pod, namespace=namespace_of(owner))
    except StatusError as error:
        if not namespace_terminating(error):
            controller.record(owner, "FailedCreate", f"Error creating: {error}", warning=True)
        raise
    controller.record(owner, "SuccessfulCreate", f"Created pod: {name_of(created)}")
    return created


async def delete_pod(controller: Controller, owner: Object, pod: Object) -> None:
    """Delete it and record that on `owner`. Raises NotFound, without an event, where it is gone already."""
    try:
        await controller.client.delete(PODS, name_of(pod), namespace=namespace_of(pod), uid=uid_of(pod))
    except StatusError as error:
        if not is_reason(error, "NotFound"):
            controller.record(owner, "FailedDelete", f"Error deleting: {error}", warning=True)
        raise
    controller.record(owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")


def namespace_terminating(error: BaseException) -> bool:
    """Whether the refusal is because the namespace is being deleted: then trying again is of no use."""
    if not isinstance(error, StatusError):
        return False
    causes = error.details.get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


async def slow_start(count: int, step: Callable[[int], Awaitable[Any]], *, initial: int = 1) -> int:
    """Run `step(0)` … `step(count - 1)` in batches of 1, 2, 4, …; stop after a batch in which one failed.

    Answers how many succeeded. Raises the first failure as a `SlowStartError`.
    """
    position, succeeded, batch = 0, 0, min(count, initial)
    while batch > 0:
        results = await asyncio.gather(
            *(step(number) for number in range(position, position + batch)), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        succeeded += batch - len(failures)
        position += batch
        if failures:
            raise SlowStartError(position, failures[0])
        batch = min(2 * batch, count - position)
    return succeeded


class SlowStartError(Exception):
    """A step failed. `tried` steps were begun, the failed ones among them; the others never were."""

    def __init__(self, tried: int, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.tried = tried
        self.cause = cause


async def all_of(steps: Sequence[Awaitable[Any]]) -> BaseException | None:
    """Run every step at once, whatever fails; answer the first failure."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    return next((result for result in results if isinstance(result, BaseException)), None)


async def mark_disrupted(
    controller: Controller, pod: Object, *, reason: str, message: str, fail: bool = False
) -> None:
    """Note in the pod's status why it is about to be deleted; `fail`: and that it has failed by it."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": controller.clock.timestamp(),
        "observedGeneration": metadata(pod).get("generation", 0),
    }
    patch: dict[str, Any] = {"metadata": {"uid": uid_of(pod)}, "status": {"conditions": [condition]}}
    if fail:
        patch["status"]["phase"] = "Failed"
    await controller.client.patch(
        PODS, name_of(pod), patch, namespace=namespace_of(pod), patch_type="strategic", subresource="status"
    )


async def fail_pod(controller: Controller, pod: Object) -> None:
    """Note that it has failed, for nobody else would: it never had a kubelet. One that is gone is none to note of."""
    patch = {"metadata": {"uid": uid_of(pod)}, "status": {"phase": "Failed"}}
    try:
        await controller.client.patch(
            PODS, name_of(pod), patch, namespace=namespace_of(pod), subresource="status"
        )
    except StatusError as error:
        if not is_reason(error, "NotFound"):
            raise


class PodController(Controller):
    """A controller that creates and deletes pods it owns, and never acts on a cache that lags behind what it did."""

    resource: ClassVar[Resource]
    """The kind of the owners."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.expectations = Expectations()

    def observe_pod(self, event: str, pod: Object) -> None:
        """Cross off what was expected, as the cache shows it."""
        reference = controller_of(pod)
        if reference is None or reference.get("kind") != self.resource.kind:
            return
        key = make_key(namespace_of(pod), reference["name"])
        if event == "ADDED" and not being_deleted(pod):
            self.expectations.created(key)
        elif event == "DELETED" or being_deleted(pod):
            self.expectations.deleted(key, uid_of(pod))

    async def create_pods(
        self, key: str, owner: Object, count: int, make: Callable[[int], Object]
    ) -> BaseException | None:
        """Create `make(0)` … `make(count - 1)`, starting slowly; answer the first failure."""

        async def create(number: int) -> None:
            try:
                await create_pod(self, owner, make(number))
            except Exception as error:
                self.expectations.created(key)
                if not namespace_terminating(error):
                    raise

        self.expectations.expect_creations(key, count)
        try:
            await slow_start(count, create)
        except SlowStartError as error:
            # Those that failed are crossed off already; now those that were never tried.
            self.expectations.created(key, count - error.tried)
            return error.cause
        return None

    async def delete_pods(self, key: str, owner: Object, pods: Sequence[Object]) -> BaseException | None:
        """Delete them all at once; answer the first failure."""

        async def delete(pod: Object) -> None:
            try:
                await delete_pod(self, owner, pod)
            except Exception as error:
                self.expectations.deleted(key, uid_of(pod))
                if not is_reason(error, "NotFound"):
                    raise

        self.expectations.expect_deletions(key, map(uid_of, pods))
        return await all_of([delete(pod) for pod in pods])
