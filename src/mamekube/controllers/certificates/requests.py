"""What a CertificateSigningRequest says, and what each built-in signer wants it to say.

The rules are those of upstream's signers; they concern the request alone, never the cluster. The library that reads
certificates is loaded by the first request and not before: most clusters never see one.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mamekube.objects import conditions
from mamekube.objects.meta import Object

if TYPE_CHECKING:
    from cryptography import x509

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
BLOCK_TYPE = "PEM block type must be CERTIFICATE REQUEST"

KUBELET_CLIENT_USAGES = frozenset(("client auth", "digital signature", "key encipherment"))
KUBELET_SERVING_USAGES = frozenset(("digital signature", "key encipherment", "server auth"))
RSA_ONLY = frozenset(("key encipherment",))
"""Only RSA keys encipher, so requests for others may leave it out."""
CLIENT_OPTIONAL_USAGES = frozenset(("digital signature", "key encipherment"))


class Unfit(Exception):
    """The request is not one that its signer signs; the text is for its maker."""


class Asked(NamedTuple):
    """What is in a request, as far as rules look at it."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def load(request: Object) -> x509.CertificateSigningRequest:
    """The PKCS#10 request within. Raises ValueError."""
    from cryptography import x509

    pem = b64decode((request.get("spec") or {}).get("request") or "")
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        raise ValueError(BLOCK_TYPE)
    return x509.load_pem_x509_csr(pem)


def alternative_names(parsed: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    from cryptography import x509

    try:
        return parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def asked_by(parsed: x509.CertificateSigningRequest) -> Asked:
    from cryptography import x509

    def subject(oid: x509.ObjectIdentifier) -> tuple[str, ...]:
        return tuple(str(part.value) for part in parsed.subject.get_attributes_for_oid(oid))

    def names(kind: type[x509.GeneralName]) -> tuple[str, ...]:
        return tuple(str(name.value) for name in alternatives or () if isinstance(name, kind))

    alternatives = alternative_names(parsed)
    return Asked(
        common_name=(subject(x509.NameOID.COMMON_NAME) or ("",))[-1],
        organizations=subject(x509.NameOID.ORGANIZATION_NAME),
        dns_names=names(x509.DNSName),
        emails=names(x509.RFC822Name),
        addresses=names(x509.IPAddress),
        uris=names(x509.UniformResourceIdentifier),
    )


def usages_of(request: Object) -> Sequence[str]:
    return (request.get("spec") or {}).get("usages") or ()


def signer_of(request: Object) -> str:
    return (request.get("spec") or {}).get("signerName") or ""


def certificate_of(request: Object) -> str:
    """Base64 of the issued PEM; empty where none was issued."""
    return (request.get("status") or {}).get("certificate") or ""


def decided(request: Object) -> bool:
    """Somebody has approved or denied it."""
    found = conditions.conditions_of(request)
    return any(conditions.find(found, kind) is not None for kind in ("Approved", "Denied"))


def awaits_signature(request: Object) -> bool:
    found = conditions.conditions_of(request)
    return (
        conditions.find(found, "Approved") is not None
        and conditions.find(found, "Denied") is None
        and not conditions.is_true(request, "Failed")
        and not certificate_of(request)
    )


def check_client(asked: Asked, usages: Sequence[str]) -> None:
    for usage in usages:
        if usage != "client auth" and usage not in CLIENT_OPTIONAL_USAGES:
            raise Unfit(f"invalid usage for client certificate: {usage}")
    if "client auth" not in usages:
        raise Unfit("missing required usage for client certificate: client auth")


def check_kubelet_client(asked: Asked, usages: Sequence[str]) -> None:
    _refuse(asked.organizations != (NODES_GROUP,), "subject organization is not system:nodes")
    _refuse(asked.dns_names, "DNS subjectAltNames are not allowed")
    _refuse(asked.emails, "Email subjectAltNames are not allowed")
    _refuse(asked.addresses, "IP subjectAltNames are not allowed")
    _refuse(asked.uris, "URI subjectAltNames are not allowed")
    _check_node_name(asked)
    _check_usages(usages, KUBELET_CLIENT_USAGES)


def check_kubelet_serving(asked: Asked, usages: Sequence[str]) -> None:
    _refuse(asked.organizations != (NODES_GROUP,), "subject organization is not system:nodes")
    _refuse(not asked.dns_names and not asked.addresses, "DNS or IP subjectAltName is required")
    _refuse(asked.emails, "Email subjectAltNames are not allowed")
    _refuse(asked.uris, "URI subjectAltNames are not allowed")
    _check_usages(usages, KUBELET_SERVING_USAGES)
    _check_node_name(asked)


def check_nothing(asked: Asked, usages: Sequence[str]) -> None:
    """The oldest signer signs whatever was approved."""


RULES: dict[str, Callable[[Asked, Sequence[str]], None]] = {
    CLIENT: check_client,
    KUBELET_CLIENT: check_kubelet_client,
    KUBELET_SERVING: check_kubelet_serving,
    LEGACY: check_nothing,
}
"""Signer name -> its check, which raises Unfit. Other signers are other people's."""


def _refuse(wrong: object, message: str) -> None:
    if wrong:
        raise Unfit(message)


def _check_node_name(asked: Asked) -> None:
    _refuse(
        not asked.common_name.startswith(NODE_PREFIX), "subject common name does not begin with system:node:"
    )


def _check_usages(usages: Sequence[str], required: frozenset[str]) -> None:
    wrong = set(usages) not in (required, required - RSA_ONLY)
    _refuse(wrong, f"usages did not match [{' '.join(sorted(required))}]")
