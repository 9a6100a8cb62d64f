"""`CertificateSigningRequest` of `certificates.k8s.io/v1`."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.ages import human
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    cells.AGE,
    Column(name="SignerName"),
    Column(name="Requestor"),
    Column(name="RequestedDuration"),
    Column(name="Condition"),
)


def prepare_create(request: Object) -> None:
    request["status"] = {}


def row(request: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(request)
    seconds = spec.get("expirationSeconds")
    return [
        cells.name(request),
        cells.age(request, now_s),
        spec.get("signerName") or cells.NONE,
        spec.get("username") or "",
        cells.NONE if seconds is None else human(seconds),
        _condition_text(cells.status_of(request)),
    ]


def _condition_text(status: dict[str, Any]) -> str:
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    text = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    if "Failed" in types:
        text += ",Failed"
    return f"{text},Issued" if status.get("certificate") else text


EXPIRATION_S_MIN = 600
USAGES = frozenset(
    (
        "any",
        "cert sign",
        "client auth",
        "code signing",
        "content commitment",
        "crl sign",
        "data encipherment",
        "decipher only",
        "digital signature",
        "email protection",
        "encipher only",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "key agreement",
        "key encipherment",
        "microsoft sgc",
        "netscape sgc",
        "ocsp signing",
        "s/mime",
        "server auth",
        "signing",
        "timestamping",
    )
)


def validate(request: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(request)
    if not _is_request(spec.get("request") or ""):
        detail = "PEM block type must be CERTIFICATE REQUEST"
        found.append(invalid("spec.request", spec.get("request") or "", detail))
    usages = spec.get("usages") or ()
    if not usages:
        found.append(required("spec.usages"))
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            found.append(not_supported(f"spec.usages[{index}]", usage, USAGES))
        if usage in usages[:index]:
            found.append(duplicate(f"spec.usages[{index}]", usage))
    signer = spec.get("signerName") or ""
    if not signer:
        found.append(required("spec.signerName"))
    elif not all(signer.partition("/")) or "." not in signer.partition("/")[0]:
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        found.append(invalid("spec.signerName", signer, detail))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < EXPIRATION_S_MIN:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, detail))
    return found


def _is_request(encoded: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE REQUEST-----" in b64decode(encoded)
    except ValueError:
        return False


def prepare_update(new: Object, old: Object) -> None:
    """What was asked for, and by whom, never changes."""
    new["spec"] = old.get("spec") or {}


KIND = Kind(
    group="certificates.k8s.io",
    version="v1",
    plural="certificatesigningrequests",
    singular="certificatesigningrequest",
    kind="CertificateSigningRequest",
    namespaced=False,
    short_names=("csr",),
    schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
    has_status=True,
    subresources=("approval",),
    name_rule="path",
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={"spec.signerName": lambda obj: cells.spec_of(obj).get("signerName") or ""},
    validate=validate,
    prepare_update=prepare_update,
)
