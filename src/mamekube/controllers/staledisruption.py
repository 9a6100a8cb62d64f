"""Pods that were to be disrupted and then were not: what their status says of it is taken back."""

from __future__ import annotations

from mamekube.controllers import pods as podfacts
from mamekube.controllers.resources import PODS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.foundation.clock import parse_time
from mamekube.objects import conditions
from mamekube.objects.meta import Object, being_deleted, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError, is_reason

CONDITION = "DisruptionTarget"
BY_KUBELET = "TerminationByKubelet"
"""A kubelet takes as long as it takes to end a pod."""
TIMEOUT_S = 120.0


def stale_in_s(pod: Object, *, now_s: float) -> float | None:
    """Seconds until nobody believes any more that the pod will be deleted; None where it says nothing of the kind."""
    condition = conditions.find(conditions.conditions_of(pod), CONDITION)
    if condition is None or condition.get("status") != "True" or condition.get("reason") == BY_KUBELET:
        return None
    if being_deleted(pod) or podfacts.is_terminal(pod):
        return None
    since = condition.get("lastTransitionTime")
    return max(0.0, parse_time(since) + TIMEOUT_S - now_s) if since else 0.0


def _matters(old: Object, new: Object) -> bool:
    return stale_in_s(old, now_s=0.0) != stale_in_s(new, now_s=0.0)


class StaleDisruptionController(Controller):
    """Duty: where a pod has been said to go for two minutes, and nobody has deleted it, say that it does not.

    Woken by pods. Part of upstream's disruption controller, whose account it uses.
    """

    name = "stale_pod_disruption"
    account = "disruption-controller"
    watches = (Watch(resource=PODS, keys=itself, matters=_matters, indexes=podfacts.POD_INDEXES),)

    async def reconcile(self, key: str) -> float | None:
        pod = self.cache(PODS).get(key)
        wait_s = stale_in_s(pod, now_s=self.clock.now()) if pod is not None else None
        if pod is None or wait_s is None:
            return None
        if wait_s > 0:
            return wait_s
        now = self.clock.timestamp()
        over = {
            "type": CONDITION,
            "status": "False",
            "lastTransitionTime": now,
            "reason": None,
            "message": None,
        }
        patch = {"metadata": {"uid": uid_of(pod)}, "status": {"conditions": [over]}}
        try:
            await self.client.patch(
                PODS,
                name_of(pod),
                patch,
                namespace=namespace_of(pod),
                patch_type="strategic",
                subresource="status",
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
        return None
