"""Approves the client certificates of kubelets whose makers may have them."""

from __future__ import annotations

from collections.abc import Iterator

from mamekube.controllers.certificates import requests
from mamekube.controllers.resources import CERTIFICATE_SIGNING_REQUESTS, SUBJECT_ACCESS_REVIEWS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.foundation.clock import parse_time
from mamekube.objects import conditions
from mamekube.objects.meta import Object, metadata

AGAIN_S_MAX = 1000.0

SELF = ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
NODE = ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")


def permissions(request: Object) -> Iterator[tuple[str, str]]:
    """(subresource, message): each permission to create it would do, the narrowest first. Raises ValueError."""
    if requests.signer_of(request) != requests.KUBELET_CLIENT:
        return
    asked = requests.asked_by(requests.load(request))
    try:
        requests.check_kubelet_client(asked, requests.usages_of(request))
    except requests.Unfit:
        return
    if request["spec"].get("username") == asked.common_name:
        yield SELF
    yield NODE


def review(request: Object, subresource: str) -> Object:
    """The question whether the request's maker may create `certificatesigningrequests/<subresource>`."""
    spec = request["spec"]
    attributes = {"group": "certificates.k8s.io", "resource": "certificatesigningrequests"}
    attributes |= {"subresource": subresource, "verb": "create"}
    asked = {"user": spec.get("username"), "uid": spec.get("uid"), "groups": spec.get("groups")}
    asked |= {"extra": spec.get("extra"), "resourceAttributes": attributes}
    return {
        "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SUBJECT_ACCESS_REVIEWS.kind,
        "spec": {field: value for field, value in asked.items() if value},
    }


def approved(request: Object, message: str, *, now: str) -> Object:
    condition = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}
    condition |= {"lastUpdateTime": now, "lastTransitionTime": now}
    status = request.get("status") or {}
    return {
        **request,
        "status": {**status, "conditions": [*conditions.conditions_of(request), condition]},
    }


class CertificateApprovingController(Controller):
    """Duty: approve kubelets' client certificates for those who may create `nodeclient` or `selfnodeclient`.

    Woken by the requests. One whose maker may not is asked about again after as long as it has waited, since the
    permission may be given later.
    """

    name = "certificatesigningrequest-approving-controller"
    account = "certificate-controller"
    watches = (Watch(resource=CERTIFICATE_SIGNING_REQUESTS, keys=itself),)

    async def reconcile(self, key: str) -> float | None:
        request = self.cache(CERTIFICATE_SIGNING_REQUESTS).get(key)
        if request is None or requests.decided(request) or requests.certificate_of(request):
            return None
        recognized = list(permissions(request))
        for subresource, message in recognized:
            answer = await self.client.create(SUBJECT_ACCESS_REVIEWS, review(request, subresource))
            if (answer.get("status") or {}).get("allowed"):
                wanted = approved(request, message, now=self.clock.timestamp())
                await self.client.update(CERTIFICATE_SIGNING_REQUESTS, wanted, subresource="approval")
                return None
        if not recognized:
            return None
        waited_s = self.clock.now() - parse_time(metadata(request)["creationTimestamp"])
        return min(max(waited_s, 1.0), AGAIN_S_MAX)
