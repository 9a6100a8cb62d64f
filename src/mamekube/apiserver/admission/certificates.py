"""Who may approve and sign certificate requests, and what nobody may request.

CertificateRequester, CertificateApproval, CertificateSigning, CertificateSubjectRestriction.
"""

from __future__ import annotations

import base64
import binascii

from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import MASTERS, Authorizer
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import UPDATE, Write
from mamekube.objects.meta import Object

GROUP = "certificates.k8s.io"
REQUESTS = f"certificatesigningrequests.{GROUP}"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateRequester(Plugin):
    """A request says who made it, whatever its maker says: signers decide by it."""

    name = "CertificateRequester"
    resources = frozenset({REQUESTS})

    async def mutate(self, write: Write) -> None:
        spec = (write.object or {}).setdefault("spec", {})
        for field in ("username", "uid", "groups", "extra"):
            spec.pop(field, None)
        user = write.user
        spec["username"] = user.name
        if user.uid:
            spec["uid"] = user.uid
        if user.groups:
            spec["groups"] = list(user.groups)
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra.items()}


class CertificateApproval(Plugin):
    name = "CertificateApproval"
    operations = frozenset({UPDATE})
    resources = frozenset({f"{REQUESTS}/approval"})

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, write: Write) -> None:
        signer = _signer(write.old or {})
        if not may_act(self._authorizer, write.user, "approve", signer):
            raise forbidden(write, f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(Plugin):
    name = "CertificateSigning"
    operations = frozenset({UPDATE})
    resources = frozenset({f"{REQUESTS}/status"})

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, write: Write) -> None:
        new, old = ((obj or {}).get("status") or {} for obj in (write.object, write.old))
        if new.get("certificate") == old.get("certificate") and _failures(new) == _failures(old):
            return
        signer = _signer(write.old or {})
        if not may_act(self._authorizer, write.user, "sign", signer):
            raise forbidden(write, f'user not permitted to sign requests with signerName "{signer}"')


class CertificateSubjectRestriction(Plugin):
    """Certificates for `system:masters` cannot be had through the API: they could not be revoked."""

    name = "CertificateSubjectRestriction"
    resources = frozenset({REQUESTS})

    async def validate(self, write: Write) -> None:
        request = write.object or {}
        if _signer(request) != CLIENT_SIGNER:
            return
        try:
            groups = organizations((request.get("spec") or {}).get("request", ""))
        except ValueError as error:
            raise forbidden(write, f"failed to parse CSR: {error}") from None
        if MASTERS in groups:
            raise forbidden(write, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def may_act(authorizer: Authorizer, user: User, verb: str, signer: str) -> bool:
    """Whether `user` may approve or sign for `signer`, by its name or by `domain/*`."""
    wildcard = signer.partition("/")[0] + "/*"
    return any(
        authorizer.authorize(
            Attributes(user, verb, group=GROUP, version="*", resource="signers", name=name)
        ).allowed
        for name in (signer, wildcard)
    )


def organizations(encoded: str) -> list[str]:
    """The organizations in the subject of a base64 PEM request. Raises ValueError."""
    from cryptography import x509

    try:
        pem = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    subject = x509.load_pem_x509_csr(pem).subject
    return [str(part.value) for part in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)]


def _signer(request: Object) -> str:
    return str((request.get("spec") or {}).get("signerName") or "")


def _failures(status: Object) -> list[Object]:
    return [condition for condition in status.get("conditions") or () if condition.get("type") == "Failed"]
