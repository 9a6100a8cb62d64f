"""Who is who by certificate, and who vouches for it."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mamekube.cluster import certificates


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("profile")
    certificates.create_cluster_certificates(made / "pki", addresses=["10.96.0.1", "192.168.49.1"])
    certificates.create_node_certificates(
        made, certificates=made / "pki", node_name="mamekube", address="192.168.49.2"
    )
    return made


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def subject(certificate: x509.Certificate) -> tuple[str, str]:
    def value(name: x509.ObjectIdentifier) -> str:
        found = certificate.subject.get_attributes_for_oid(name)
        return str(found[0].value) if found else ""

    return value(NameOID.COMMON_NAME), value(NameOID.ORGANIZATION_NAME)


@pytest.mark.parametrize(
    ("file", "authority", "who"),
    [
        ("pki/admin.crt", "ca", ("kubernetes-admin", "system:masters")),
        ("pki/apiserver.crt", "ca", ("kube-apiserver", "")),
        ("pki/apiserver-kubelet-client.crt", "ca", ("kube-apiserver-kubelet-client", "system:masters")),
        ("pki/front-proxy-client.crt", "front-proxy-ca", ("front-proxy-client", "")),
        ("kubelet-client.crt", "ca", ("system:node:mamekube", "system:nodes")),
        ("kubelet.crt", "ca", ("system:node:mamekube", "system:nodes")),
    ],
)
def test_each_certificate_names_its_holder_and_is_signed(
    folder: Path, file: str, authority: str, who: tuple[str, str]
) -> None:
    certificate = load(folder / file)
    assert subject(certificate) == who
    certificate.verify_directly_issued_by(load(folder / "pki" / f"{authority}.crt"))


def test_the_api_server_may_be_called_by_all_its_names(folder: Path) -> None:
    names = (
        load(folder / "pki/apiserver.crt")
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
    )
    assert names.get_values_for_type(x509.DNSName) == [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    ]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "10.96.0.1", "192.168.49.1"]


def test_clients_cannot_pose_as_servers(folder: Path) -> None:
    usage = load(folder / "pki/admin.crt").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_key_fits_its_certificate_and_is_readable_by_its_owner_alone(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(folder / "pki/admin.crt", folder / "pki/admin.key")
    assert (folder / "pki/admin.key").stat().st_mode & 0o777 == 0o600
    assert isinstance(load(folder / "pki/admin.crt").public_key(), ec.EllipticCurvePublicKey)


def test_a_second_start_keeps_every_certificate(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    certificates.create_cluster_certificates(folder / "pki", addresses=[])
    certificates.create_node_certificates(
        folder, certificates=folder / "pki", node_name="mamekube", address="192.168.49.2"
    )
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
