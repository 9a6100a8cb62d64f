"""Jobs: pods that run until enough of them have succeeded."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import claim_objects, typed_reference
from mamekube.controllers.job.indexes import INDEX
from mamekube.controllers.job.metrics import JobMetrics, action_of
from mamekube.controllers.job.plan import FINALIZER, Plan, is_finished, is_indexed, plan
from mamekube.controllers.podcontrol import PodController, all_of, pod_from_template
from mamekube.controllers.resources import JOBS, PODS
from mamekube.controllers.runtime import Context, Watch, itself, owner
from mamekube.foundation.metrics import Family
from mamekube.objects.meta import (
    Object,
    being_deleted,
    has_finalizer,
    metadata,
    name_of,
    namespace_of,
    split_key,
    uid_of,
)
from mamekube.objects.owners import controller_of
from mamekube.objects.selectors import from_label_selector
from mamekube.objects.status import StatusError, is_reason

NO_ANNOTATIONS: Mapping[int, Mapping[str, str]] = MappingProxyType({})


class JobController(PodController):
    """Duty: run pods until as many have succeeded as the Job wants, or too many have failed.

    Woken by Jobs and their pods, by deadlines and by back-offs.
    Invariants: every ended pod is counted exactly once, which its finalizer guarantees; a finished Job starts
    nothing; nothing is created while the cache lags behind what was created before.
    """

    name = "job-controller"
    account = "job-controller"
    resource = JOBS
    watches = (
        Watch(resource=JOBS, keys=itself),
        Watch(
            resource=PODS, keys=owner("Job"), indexes=podfacts.POD_INDEXES, observe=PodController.observe_pod
        ),
    )
    spacing_s = 0.05

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._metrics = JobMetrics()

    def families(self) -> Iterable[Family]:
        return self._metrics.families()

    async def reconcile(self, key: str) -> float | None:
        job = self.cache(JOBS).get(key)
        if job is None:
            self.expectations.forget(key)
            await self._release(self._left_behind(key))
            return None
        if job["spec"].get("managedBy") not in (None, "kubernetes.io/job-controller"):
            return None
        selector = from_label_selector(job["spec"].get("selector"))
        pods = await claim_objects(
            self.client,
            JOBS,
            job,
            resource=PODS,
            selector=selector,
            candidates=podfacts.owned_and_orphans(self.cache(PODS), job, selector),
        )
        if is_finished(job) or being_deleted(job):
            await self._release(pods)
            return None
        began_s, may_act = time.perf_counter(), self.expectations.satisfied(key)
        now_s, now = self.clock.now(), self.clock.timestamp()
        planned = plan(job, pods, may_act=may_act, now_s=now_s, now=now)
        failed = True
        try:
            await self._execute(key, job, planned)
            failed = False
        finally:
            action, took_s = action_of(planned, may_act=may_act), time.perf_counter() - began_s
            self._metrics.note_sync(job, action, took_s, failed=failed)
        return planned.again_s

    def _left_behind(self, key: str) -> list[Object]:
        """Pods that a Job of this name had: with it gone nobody counts them, and nothing should keep them."""
        namespace, name = split_key(key)
        return [
            pod
            for pod in self.cache(PODS).list(namespace=namespace)
            if has_finalizer(pod, FINALIZER) and (controller_of(pod) or {}).get("name") == name
        ]

    async def _execute(self, key: str, job: Object, planned: Plan) -> None:
        if planned.status != job.get("status"):
            old = job
            job = await self.client.update(JOBS, {**job, "status": planned.status}, subresource="status")
            self._metrics.note_status(old, job)
        for reason, message, warning in planned.events:
            self.record(job, reason, message, warning=warning)
        # Only what the written status remembers may lose its finalizer.
        await self._release(planned.release)
        failure = None
        if planned.delete:
            failure = await self.delete_pods(key, job, planned.delete)
        elif planned.create:
            indexes = planned.create
            failure = await self.create_pods(
                key, job, len(indexes), lambda number: pod_for(job, indexes[number], planned.annotations)
            )
        if failure is not None:
            raise failure

    async def _release(self, pods: list[Object]) -> None:
        failure = await all_of([self._release_one(pod) for pod in pods if has_finalizer(pod, FINALIZER)])
        if failure is not None:
            raise failure

    async def _release_one(self, pod: Object) -> None:
        kept = [name for name in metadata(pod)["finalizers"] if name != FINALIZER]
        patch = {"metadata": {"uid": uid_of(pod), "finalizers": kept or None}}
        try:
            await self.client.patch(PODS, name_of(pod), patch, namespace=namespace_of(pod))
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise


def pod_for(
    job: Object, index: int | None, annotations: Mapping[int, Mapping[str, str]] = NO_ANNOTATIONS
) -> Object:
    """A pod of the Job, with the finalizer that keeps it until it is counted, and its index's annotations."""
    pod = pod_from_template(job["spec"]["template"], job, typed_reference(JOBS, job))
    described = pod["metadata"]
    described["finalizers"] = [*described.get("finalizers", ()), FINALIZER]
    if index is None or not is_indexed(job):
        return pod
    told = annotations.get(index, {})
    described["annotations"] = {**described.get("annotations", {}), INDEX: str(index), **told}
    described["labels"] = {**described.get("labels", {}), INDEX: str(index)}
    described["generateName"] = f"{name_of(job)}-{index}-"
    pod["spec"] = copy.deepcopy(pod["spec"])
    pod["spec"].setdefault("hostname", f"{name_of(job)}-{index}")
    for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        _tell_index(container)
    return pod


def _tell_index(container: dict[str, Any]) -> None:
    variables = container.setdefault("env", [])
    if any(variable["name"] == "JOB_COMPLETION_INDEX" for variable in variables):
        return
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    variables.append({"name": "JOB_COMPLETION_INDEX", "valueFrom": source})
