"""Finished Jobs that asked to be removed some time after they finished."""

from __future__ import annotations

from mamekube.controllers.resources import JOBS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.foundation.clock import parse_time
from mamekube.objects import conditions
from mamekube.objects.meta import Object, being_deleted, name_of, namespace_of, revision_of, uid_of
from mamekube.objects.status import StatusError, is_reason


def expires_in_s(job: Object, *, now_s: float) -> float | None:
    """Seconds until the Job is to be removed; None where it never is, is not finished, or nobody knows since when."""
    ttl_s = (job.get("spec") or {}).get("ttlSecondsAfterFinished")
    if ttl_s is None or being_deleted(job):
        return None
    for kind in ("Complete", "Failed"):
        condition = conditions.find(conditions.conditions_of(job), kind)
        if (
            condition is not None
            and condition.get("status") == "True"
            and condition.get("lastTransitionTime")
        ):
            return parse_time(condition["lastTransitionTime"]) + ttl_s - now_s
    return None


class TtlAfterFinishedController(Controller):
    """Duty: remove Jobs `ttlSecondsAfterFinished` after they completed or failed, their pods first.

    Woken by Jobs, and by their time.
    """

    name = "ttl-after-finished-controller"
    account = "ttl-after-finished-controller"
    watches = (Watch(resource=JOBS, keys=itself),)

    async def reconcile(self, key: str) -> float | None:
        job = self.cache(JOBS).get(key)
        if job is None:
            return None
        left_s = expires_in_s(job, now_s=self.clock.now())
        if left_s is None or left_s > 0:
            return left_s
        try:
            # The version we decided on: a Job whose time was changed meanwhile is looked at again.
            await self.client.delete(
                JOBS,
                name_of(job),
                namespace=namespace_of(job),
                propagation="Foreground",
                uid=uid_of(job),
                revision=revision_of(job),
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
        return None
