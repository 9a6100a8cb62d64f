"""`CertificateSigningRequest` of `certificates.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.foundation.clock import format_time
from mamekube.kinds import cells
from mamekube.kinds.certificates import pkcs10, signers
from mamekube.kinds.fields import Found, check_choice, repeated
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.ages import human
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    cells.AGE,
    Column(name="SignerName", field="certificates.v1.CertificateSigningRequestSpec.signerName"),
    Column(name="Requestor", field="certificates.v1.CertificateSigningRequestSpec.request"),
    Column(name="RequestedDuration", field="certificates.v1.CertificateSigningRequestSpec.expirationSeconds"),
    Column(name="Condition", field="certificates.v1.CertificateSigningRequestStatus.conditions"),
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


APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
DECISIONS = (APPROVED, DENIED)
LASTING = (APPROVED, DENIED, FAILED)
"""Conditions that are true where they are at all, and that nobody takes back."""
STATUSES = ("False", "True", "Unknown")
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
HIDDEN_CERTIFICATE = "<certificate data>"


def validate_create(request: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(request)
    wrong = pkcs10.fault(spec.get("request") or "")
    if wrong:
        found.append(invalid("spec.request", spec.get("request") or "", wrong))
    usages = spec.get("usages") or ()
    if not usages:
        found.append(required("spec.usages", "usages must be provided"))
    found += [
        not_supported(f"spec.usages[{index}]", usage, USAGES)
        for index, usage in enumerate(usages)
        if usage not in USAGES
    ]
    found += [duplicate(f"spec.usages[{index}]", usages[index]) for index in sorted(repeated(usages))]
    signer = spec.get("signerName") or ""
    if signer == LEGACY_SIGNER:
        detail = "the legacy signerName is not allowed via this API version"
        found.append(invalid("spec.signerName", signer, detail))
    else:
        signers.validate(signer, "spec.signerName", found)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < EXPIRATION_S_MIN:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, detail))
    return found


def validate_status(new: Object, old: Object) -> Found:
    """Of a write to `status`: anything but a decision, and a certificate once."""
    found = _validate_conditions(new, old)
    after, before = (cells.status_of(request).get("certificate") or "" for request in (new, old))
    wrong = pkcs10.certificates_fault(after) if after != before else ""
    if wrong and not pkcs10.certificates_fault(before):
        found.append(invalid("status.certificate", HIDDEN_CERTIFICATE, wrong))
    found += _taken_back(new, old)
    for kind in DECISIONS:
        if len(_of_type(new, kind)) > len(_of_type(old, kind)):
            found.append(forbidden("status.conditions", f'updates may not add a condition of type "{kind}"'))
    if after != before and before:
        detail = "updates may not modify existing certificate content"
        found.append(forbidden("status.certificate", detail))
    return found


def validate_approval(new: Object, old: Object) -> Found:
    """Of a write to `approval`."""
    return _validate_conditions(new, old) + _taken_back(new, old)


def _taken_back(new: Object, old: Object) -> Found:
    return [
        forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"')
        for kind in LASTING
        if len(_of_type(new, kind)) < len(_of_type(old, kind))
    ]


def _validate_conditions(new: Object, old: Object) -> Found:
    """What was wrong before already may stay as it is."""
    found: Found = []
    types_before = {condition.get("type") or "" for condition in _conditions(old)}
    twice_before = len(types_before) < len(_conditions(old))
    both_before = set(DECISIONS) <= types_before
    seen: set[str] = set()
    for index, condition in enumerate(_conditions(new)):
        path, kind = f"status.conditions[{index}]", condition.get("type") or ""
        if not kind and "" not in types_before:
            found.append(required(f"{path}.type"))
        check_choice(condition.get("status"), f"{path}.status", _statuses(kind), found)
        if not both_before and kind in DECISIONS and set(DECISIONS) - {kind} <= seen:
            detail = "Approved and Denied conditions are mutually exclusive"
            found.append(invalid(f"{path}.type", kind, detail))
        if not twice_before and kind in seen:
            found.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
    return found


def _statuses(kind: str) -> tuple[str, ...]:
    return ("True",) if kind in LASTING else STATUSES


def _conditions(request: Object) -> list[dict[str, Any]]:
    return cells.status_of(request).get("conditions") or []


def _of_type(request: Object, kind: str) -> list[int]:
    """Where the conditions of a type are."""
    return [index for index, condition in enumerate(_conditions(request)) if condition.get("type") == kind]


def prepare_update(new: Object, old: Object) -> None:
    """What was asked for, and by whom, never changes."""
    new["spec"] = old.get("spec") or {}


def prepare_status(new: Object, old: Object, now_s: float) -> None:
    """Signers leave decisions as they are. One that they add or leave out is refused by validation."""
    for kind in DECISIONS:
        after, before = _of_type(new, kind), _of_type(old, kind)
        if len(after) == len(before):
            for there, here in zip(after, before, strict=True):
                _conditions(new)[there] = _conditions(old)[here]
    date_conditions(new, old, now_s)


def prepare_approval(new: Object, old: Object, now_s: float) -> None:
    """Approvers change conditions and nothing else."""
    new["spec"] = old.get("spec") or {}
    new["status"] = {**cells.status_of(old), "conditions": _conditions(new)}
    date_conditions(new, old, now_s)


def date_conditions(new: Object, old: Object, now_s: float) -> None:
    """Fill in the times that a client left out: a transition is dated where the status changed."""
    now = format_time(now_s)
    before = {
        (condition.get("type"), condition.get("status")): condition.get("lastTransitionTime")
        for condition in reversed(_conditions(old))
    }
    for index, condition in enumerate(_conditions(new)):
        changed_at = before.get((condition.get("type"), condition.get("status"))) or now
        _conditions(new)[index] = {
            **condition,
            "lastUpdateTime": condition.get("lastUpdateTime") or now,
            "lastTransitionTime": condition.get("lastTransitionTime") or changed_at,
        }


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
    resets=(("spec",),),
    status_resets=(("status", "conditions"),),
    subresources=("approval",),
    name_rule="path",
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={"spec.signerName": lambda obj: cells.spec_of(obj).get("signerName") or ""},
    validate_create=validate_create,
    validate_status=validate_status,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
)
