"""`CertificateSigningRequest` of `certificates.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.ages import human
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
)
