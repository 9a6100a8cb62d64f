"""The certificates of a cluster: who signs what, for whom, and with which names.

All keys are ECDSA on P-256: made in a fraction of a millisecond, where RSA takes a tenth of a second each.
The folder appears complete or not at all, so whoever waits for it may read every file in it.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mamekube.foundation.clock import Clock

CA_DAYS = 3650
LEAF_DAYS = 1095
"""Three years, as minikube's --cert-expiration."""
BACKDATED = datetime.timedelta(hours=1)
"""Certificates are valid since a while, so a clock that is set back a little breaks nothing."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a certificate is for: with `names`, a server; without, a client."""

    common_name: str
    organization: str = ""
    names: Sequence[str] = ()


def create_cluster_certificates(folder: Path, *, addresses: Sequence[str]) -> None:
    """Everything the control plane needs, in `folder`; nothing happens where it exists.

    `addresses` are the API server's own, beside the ones that every API server has.
    """
    if folder.exists():
        return
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    authority = _create_authority(unfinished, "ca", "mamekubeCA")
    proxy_authority = _create_authority(unfinished, "front-proxy-ca", "front-proxy-ca")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names += ["kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1", *addresses]
    leaves = {
        "apiserver": Subject(common_name="kube-apiserver", names=names),
        "apiserver-kubelet-client": Subject(
            common_name="kube-apiserver-kubelet-client", organization="system:masters"
        ),
        "admin": Subject(common_name="kubernetes-admin", organization="system:masters"),
    }
    for name, subject in leaves.items():
        _create_leaf(unfinished, name, authority, subject)
    _create_leaf(unfinished, "front-proxy-client", proxy_authority, Subject(common_name="front-proxy-client"))
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key(unfinished / "service-account.key", key)
    unfinished.rename(folder)


def create_node_certificates(folder: Path, *, certificates: Path, node_name: str, address: str) -> None:
    """The kubelet's client and serving certificates in `folder`, which exists; kept where they are there."""
    if (folder / "kubelet.crt").exists():
        return
    authority = _load_authority(certificates, "ca")
    client = Subject(common_name=f"system:node:{node_name}", organization="system:nodes")
    server = Subject(
        common_name=f"system:node:{node_name}",
        organization="system:nodes",
        names=[node_name, address, "localhost", "127.0.0.1"],
    )
    _create_leaf(folder, "kubelet-client", authority, client)
    _create_leaf(folder, "kubelet", authority, server)


def _create_authority(folder: Path, name: str, common_name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = _key_usage(signs_certificates=True)
    certificate = (
        _builder(subject, subject, key, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder, name, certificate, key)
    return Authority(certificate, key)


def _load_authority(folder: Path, name: str) -> Authority:
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(certificate, key)


def _create_leaf(folder: Path, name: str, authority: Authority, subject: Subject) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)]
    if subject.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization))
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if subject.names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(x509.Name(attributes), authority.certificate.subject, key, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
    )
    if subject.names:
        names = [_alternative_name(text) for text in subject.names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write(folder, name, builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.fromtimestamp(Clock().now(), datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """The certificate last: its presence says that both are there."""
    _write_key(folder / f"{name}.key", key)
    unfinished = folder / f".{name}.crt"
    unfinished.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unfinished.rename(folder / f"{name}.crt")


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encoded)
