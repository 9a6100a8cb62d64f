"""`CertificateSigningRequest` of `certificates.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

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
)
