"""Self-made certificates for an API server that runs alone. Only its first start needs this file."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mamekube.foundation.clock import Clock

VALID = datetime.timedelta(days=365)
USAGES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def create(directory: Path, address: str) -> None:
    """An authority, what it signs for the server and the administrator, the token key, an administrator's token."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("mamekube")
    _write(
        directory,
        "ca",
        _sign(authority_name, authority_key, authority_name, authority_key, authority=True),
        authority_key,
    )
    for stem, subject in (
        ("server", _name("kube-apiserver")),
        ("admin", _name("kubernetes-admin", "system:masters")),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(
            subject, key, authority_name, authority_key, address=address if stem == "server" else ""
        )
        _write(directory, stem, certificate, key)
    _write_key(directory / "sa.key", ec.generate_private_key(ec.SECP256R1()))
    tokens = directory / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{secrets.token_urlsafe()},kubernetes-admin,1,"system:masters"\n')


def _name(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
    address: str = "",
) -> x509.Certificate:
    now = datetime.datetime.fromtimestamp(Clock().now(), datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(USAGES), critical=False)
    if address:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(address))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _write(
    directory: Path, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    (directory / f"{stem}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_key(directory / f"{stem}.key", key)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
