"""Requests that nobody needs any more."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

from mamekube.controllers.certificates import requests
from mamekube.controllers.resources import CERTIFICATE_SIGNING_REQUESTS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.foundation.clock import parse_time
from mamekube.objects import conditions
from mamekube.objects.meta import Object, metadata, name_of, uid_of
from mamekube.objects.status import StatusError, is_reason

SETTLED_S = 3600.0
"""Issued, denied and failed requests are kept this long."""
PENDING_S = 24 * 3600.0
"""Requests that wait for a decision, or for a signer, are kept this long."""


def due_s(request: Object) -> float | None:
    """When the request is to be removed, in seconds since the epoch; None where its conditions tell no time."""
    return min(_deadlines(request), default=None)


def _deadlines(request: Object) -> Iterator[float]:
    found = conditions.conditions_of(request)
    issued = bool(requests.certificate_of(request))
    if not found:
        yield parse_time(metadata(request)["creationTimestamp"]) + PENDING_S
    for condition in found:
        kind = condition.get("type")
        if kind == "Approved" and issued:
            yield _end_s(request)
        if condition.get("lastUpdateTime"):
            waits = kind == "Approved" and not issued
            yield parse_time(condition["lastUpdateTime"]) + (PENDING_S if waits else SETTLED_S)


def _end_s(request: Object) -> float:
    """When the issued certificate ends; never, where no one can read it."""
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(b64decode(requests.certificate_of(request)))
    except ValueError:
        return float("inf")
    return certificate.not_valid_after_utc.timestamp()


class CertificateCleanerController(Controller):
    """Duty: remove requests some time after they were settled, and those that nobody settles.

    Woken by the requests, and by their time.
    """

    name = "certificatesigningrequest-cleaner-controller"
    account = "certificate-controller"
    watches = (Watch(resource=CERTIFICATE_SIGNING_REQUESTS, keys=itself),)

    async def reconcile(self, key: str) -> float | None:
        request = self.cache(CERTIFICATE_SIGNING_REQUESTS).get(key)
        due = due_s(request) if request is not None else None
        if request is None or due is None or due == float("inf"):
            return None
        left_s = due - self.clock.now()
        if left_s > 0:
            return left_s
        try:
            await self.client.delete(CERTIFICATE_SIGNING_REQUESTS, name_of(request), uid=uid_of(request))
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
        return None
