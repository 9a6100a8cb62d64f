"""Signs requests with the cluster's CA: the subject and names as asked, the usages and lifetime as decided.

Nothing else of a request gets into a certificate: no extension that it brings, and never the right to sign others.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mamekube.controllers.certificates.requests import alternative_names

if TYPE_CHECKING:
    from cryptography import x509

YEAR_S = 365 * 24 * 3600
LIFETIME_S_MIN = 600
BACKDATED_S = 300
"""Certificates are valid since a while, for clocks that are behind. Always less than the shortest lifetime."""
SHORT_S = 8 * 3600
"""A lifetime below this is counted from now, as the backdating would cut too much of it."""

KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
"""Usage in the API -> its field in `x509.KeyUsage`."""

EXTENDED_USAGES = {
    "any": "2.5.29.37.0",
    "server auth": "1.3.6.1.5.5.7.3.1",
    "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3",
    "email protection": "1.3.6.1.5.5.7.3.4",
    "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5",
    "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}
"""Usage in the API -> object identifier, in the order in which a certificate lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Where the CA's certificate and key are. Read for every signature, so that a renewed CA is used at once."""

    certificate_file: Path
    key_file: Path
    lifetime_s_max: float = YEAR_S

    def sign(
        self,
        parsed: x509.CertificateSigningRequest,
        *,
        usages: Sequence[str],
        expiration_s: int | None,
        now_s: float,
    ) -> bytes:
        """The certificate in PEM. Raises ValueError where the request or the CA does not allow one."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

        if not parsed.is_signature_valid:
            raise ValueError("unable to verify certificate request signature")
        authority = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        key = serialization.load_pem_private_key(self.key_file.read_bytes(), password=None)
        if not isinstance(
            key,
            rsa.RSAPrivateKey
            | ec.EllipticCurvePrivateKey
            | ed25519.Ed25519PrivateKey
            | ed448.Ed448PrivateKey,
        ):
            raise ValueError(f"a CA cannot sign with a key of type {type(key).__name__}")
        start_s, end_s = validity(
            lifetime_s(expiration_s, lifetime_s_max=self.lifetime_s_max),
            now_s=now_s,
            authority_end_s=authority.not_valid_after_utc.timestamp(),
        )
        builder = (
            x509.CertificateBuilder()
            .serial_number(x509.random_serial_number())
            .subject_name(parsed.subject)
            .issuer_name(authority.subject)
            .public_key(parsed.public_key())
            .not_valid_before(_time(start_s))
            .not_valid_after(_time(end_s))
        )
        for extension, critical in _extensions(parsed, authority, usages):
            builder = builder.add_extension(extension, critical=critical)
        edwards = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
        certificate = builder.sign(key, None if edwards else hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)


def lifetime_s(expiration_s: int | None, *, lifetime_s_max: float) -> float:
    """How long a certificate lives when so much was asked for."""
    if expiration_s is None:
        return lifetime_s_max
    return min(max(expiration_s, LIFETIME_S_MIN), lifetime_s_max)


def validity(lifetime_s: float, *, now_s: float, authority_end_s: float) -> tuple[float, float]:
    """From when to when, in seconds since the epoch; never longer than the CA. Raises ValueError if that is over."""
    if now_s >= authority_end_s:
        raise ValueError("the signer has expired")
    start_s = now_s - BACKDATED_S
    end_s = (now_s if lifetime_s < SHORT_S else start_s) + lifetime_s
    return start_s, min(end_s, authority_end_s)


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _extensions(
    parsed: x509.CertificateSigningRequest, authority: x509.Certificate, usages: Sequence[str]
) -> list[tuple[x509.ExtensionType, bool]]:
    """What is said beside the subject: (extension, critical)."""
    from cryptography import x509

    extensions: list[tuple[x509.ExtensionType, bool]] = []
    fields = {KEY_USAGES[usage] for usage in usages if usage in KEY_USAGES}
    if "key_agreement" not in fields:
        # They say how a key agreement may be used, and mean nothing without one.
        fields -= {"encipher_only", "decipher_only"}
    if fields:
        key_usage = x509.KeyUsage(**{field: field in fields for field in KEY_USAGES.values()})
        extensions.append((key_usage, True))
    identifiers = dict.fromkeys(oid for usage, oid in EXTENDED_USAGES.items() if usage in usages)
    if identifiers:
        extensions.append((x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in identifiers]), False))
    extensions.append((x509.BasicConstraints(ca=False, path_length=None), True))
    try:
        subject_key = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        pass
    else:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key)
        extensions.append((issuer, False))
    names = [name for name in alternative_names(parsed) or () if isinstance(name, _name_kinds())]
    if names:
        # Who has no subject is known by these names alone, so they must be understood.
        extensions.append((x509.SubjectAlternativeName(names), not list(parsed.subject)))
    return extensions


def _name_kinds() -> tuple[type[x509.GeneralName], ...]:
    from cryptography import x509

    return (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
