"""Signs what was approved, for the four signers that every cluster has."""

from __future__ import annotations

from base64 import b64encode

from mamekube.controllers.certificates import requests
from mamekube.controllers.certificates.authority import Authority
from mamekube.controllers.resources import CERTIFICATE_SIGNING_REQUESTS
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects import conditions
from mamekube.objects.meta import Object

REFUSED = "SignerValidationFailure"


def plan(request: Object, *, authority: Authority, now_s: float, now: str) -> Object | None:
    """The status to write; None where there is nothing to do. Raises ValueError where signing is impossible."""
    check = requests.RULES.get(requests.signer_of(request))
    if check is None or not requests.awaits_signature(request):
        return None
    status = request.get("status") or {}
    usages = requests.usages_of(request)
    parsed = requests.load(request)
    try:
        check(requests.asked_by(parsed), usages)
    except requests.Unfit as error:
        failed = {"type": "Failed", "status": "True", "reason": REFUSED, "message": str(error)}
        failed |= {"lastUpdateTime": now, "lastTransitionTime": now}
        return {**status, "conditions": [*conditions.conditions_of(request), failed]}
    expiration_s = request["spec"].get("expirationSeconds")
    certificate = authority.sign(parsed, usages=usages, expiration_s=expiration_s, now_s=now_s)
    return {**status, "certificate": b64encode(certificate).decode()}


class CertificateSigningController(Controller):
    """Duty: a certificate for each approved request of a built-in signer, or the reason why not.

    Woken by the requests.
    """

    name = "certificatesigningrequest-signing-controller"
    account = "certificate-controller"
    watches = (Watch(resource=CERTIFICATE_SIGNING_REQUESTS, keys=itself),)

    def __init__(self, context: Context, *, authority: Authority) -> None:
        super().__init__(context)
        self.authority = authority

    async def reconcile(self, key: str) -> float | None:
        request = self.cache(CERTIFICATE_SIGNING_REQUESTS).get(key)
        if request is None:
            return None
        now = self.clock.timestamp()
        status = plan(request, authority=self.authority, now_s=self.clock.now(), now=now)
        if status is not None:
            signed = {**request, "status": status}
            await self.client.update(CERTIFICATE_SIGNING_REQUESTS, signed, subresource="status")
        return None
