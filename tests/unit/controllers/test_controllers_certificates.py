"""Certificate requests: the rules of the signers, how long certificates live, and when requests are forgotten."""

from __future__ import annotations

import datetime
import ipaddress
from base64 import b64decode, b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from mamekube.cluster.certificates import create_cluster_certificates
from mamekube.controllers.certificates import approving, cleaning, requests, signing
from mamekube.controllers.certificates.authority import (
    EXTENDED_USAGES,
    KEY_USAGES,
    Authority,
    lifetime_s,
    validity,
)
from mamekube.controllers.certificates.requests import (
    KUBELET_CLIENT,
    KUBELET_SERVING,
    LEGACY,
    RULES,
    Asked,
    Unfit,
)
from mamekube.foundation.clock import Clock, format_time, parse_time
from mamekube.kinds.certificates.certificatesigningrequests import USAGES

NODE = Asked("system:node:n1", ("system:nodes",))
CLIENT_USAGES = ("digital signature", "client auth")
SERVING_USAGES = ("digital signature", "server auth")
NOW = "2026-03-01T12:00:00Z"
NOW_S = parse_time(NOW)
HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority") / "certificates"
    create_cluster_certificates(folder, addresses=[])
    return folder


@pytest.fixture
def authority(certificates):
    return Authority(certificate_file=certificates / "ca.crt", key_file=certificates / "ca.key")


@pytest.mark.parametrize(
    ("signer", "asked", "usages"),
    [
        (requests.CLIENT, Asked("jane", ("dev",)), ("client auth",)),
        (requests.CLIENT, Asked("jane", ()), ("client auth", "digital signature", "key encipherment")),
        (KUBELET_CLIENT, NODE, CLIENT_USAGES),
        (KUBELET_CLIENT, NODE, (*CLIENT_USAGES, "key encipherment")),
        (KUBELET_SERVING, NODE._replace(dns_names=("n1",)), SERVING_USAGES),
        (KUBELET_SERVING, NODE._replace(addresses=("10.0.0.1",)), ("key encipherment", *SERVING_USAGES)),
        (LEGACY, Asked("", (), emails=("a@example.com",)), ("any", "cert sign")),
    ],
)
def test_a_signer_takes_what_upstreams_signer_takes(signer, asked, usages):
    RULES[signer](asked, usages)


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "message"),
    [
        (
            requests.CLIENT,
            NODE,
            ("server auth",),
            "invalid usage for client certificate: server auth",
        ),
        (
            requests.CLIENT,
            NODE,
            ("digital signature",),
            "missing required usage for client certificate: client auth",
        ),
        (
            KUBELET_CLIENT,
            Asked("system:node:n1", ("system:nodes", "system:masters")),
            CLIENT_USAGES,
            "subject organization is not system:nodes",
        ),
        (
            KUBELET_CLIENT,
            NODE._replace(dns_names=("n1",)),
            CLIENT_USAGES,
            "DNS subjectAltNames are not allowed",
        ),
        (
            KUBELET_CLIENT,
            NODE._replace(emails=("n@1",)),
            CLIENT_USAGES,
            "Email subjectAltNames are not allowed",
        ),
        (
            KUBELET_CLIENT,
            NODE._replace(addresses=("::1",)),
            CLIENT_USAGES,
            "IP subjectAltNames are not allowed",
        ),
        (KUBELET_CLIENT, NODE._replace(uris=("x:y",)), CLIENT_USAGES, "URI subjectAltNames are not allowed"),
        (
            KUBELET_CLIENT,
            NODE._replace(common_name="n1"),
            CLIENT_USAGES,
            "subject common name does not begin with system:node:",
        ),
        (
            KUBELET_CLIENT,
            NODE,
            SERVING_USAGES,
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (KUBELET_SERVING, NODE, SERVING_USAGES, "DNS or IP subjectAltName is required"),
        (
            KUBELET_SERVING,
            NODE._replace(dns_names=("n1",)),
            CLIENT_USAGES,
            "usages did not match [digital signature key encipherment server auth]",
        ),
    ],
)
def test_a_signer_refuses_what_upstreams_signer_refuses(signer, asked, usages, message):
    with pytest.raises(Unfit, match=r".") as refusal:
        RULES[signer](asked, usages)
    assert str(refusal.value) == message


def test_every_usage_of_the_api_means_something_in_a_certificate():
    assert KEY_USAGES.keys() | EXTENDED_USAGES.keys() == USAGES


@pytest.mark.parametrize(
    ("expiration_s", "expected_s"), [(None, 5000), (1, 600), (600, 600), (4000, 4000), (9999, 5000)]
)
def test_a_certificate_lives_as_long_as_asked_within_bounds(expiration_s, expected_s):
    assert lifetime_s(expiration_s, lifetime_s_max=5000) == expected_s


def test_a_short_life_is_counted_from_now_and_a_long_one_from_the_backdated_start():
    far = NOW_S + 10 * DAY_S
    assert validity(600, now_s=NOW_S, authority_end_s=far) == (NOW_S - 300, NOW_S + 600)
    assert validity(DAY_S, now_s=NOW_S, authority_end_s=far) == (NOW_S - 300, NOW_S - 300 + DAY_S)


def test_no_certificate_outlives_its_authority():
    assert validity(DAY_S, now_s=NOW_S, authority_end_s=NOW_S + 60) == (NOW_S - 300, NOW_S + 60)
    with pytest.raises(ValueError, match="the signer has expired"):
        validity(DAY_S, now_s=NOW_S, authority_end_s=NOW_S)


KEYS = {
    "ecdsa": (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()),
    "ed25519": (ed25519.Ed25519PrivateKey.generate, None),
    "rsa": (lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048), hashes.SHA256()),
}


def request(
    *, name="system:node:n1", key="ecdsa", names=(), signer=requests.CLIENT, usages=("client auth",), **status
):
    make, algorithm = KEYS[key]
    attributes = [
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "system:nodes"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
    ]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(attributes))
    # What a request says about being an authority must not get into the certificate.
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(make(), algorithm).public_bytes(serialization.Encoding.PEM)
    return {
        "metadata": {"name": "r", "creationTimestamp": NOW},
        "spec": {"request": b64encode(pem).decode(), "signerName": signer, "usages": list(usages)},
        "status": status,
    }


def condition(kind, *, at=NOW):
    return {"type": kind, "status": "True", "lastUpdateTime": at}


def issued(wanted, authority):
    now_s = Clock().now()
    status = signing.plan(wanted, authority=authority, now_s=now_s, now=format_time(now_s))
    return {**wanted, "status": status}


def read(wanted):
    return x509.load_pem_x509_certificate(b64decode(requests.certificate_of(wanted)))


@pytest.mark.parametrize("key", KEYS)
def test_a_certificate_has_the_names_and_usages_asked_for_and_signs_no_others(authority, certificates, key):
    names = [x509.DNSName("n1"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]
    usages = ("digital signature", "server auth")
    wanted = request(
        key=key, names=names, signer=KUBELET_SERVING, usages=usages, conditions=[condition("Approved")]
    )
    certificate = read(issued(wanted, authority))

    def extension(kind):
        return certificate.extensions.get_extension_for_class(kind)

    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate((certificates / "ca.crt").read_bytes())
    )
    assert certificate.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    assert list(extension(x509.SubjectAlternativeName).value) == names
    assert list(extension(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert extension(x509.KeyUsage).critical
    assert extension(x509.KeyUsage).value.digital_signature
    assert not extension(x509.KeyUsage).value.key_encipherment
    assert not extension(x509.BasicConstraints).value.ca
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life == datetime.timedelta(days=365)


@pytest.mark.parametrize(
    "conditions",
    [[], [condition("Denied")], [condition("Approved"), condition("Failed")]],
    ids=["undecided", "denied", "failed"],
)
def test_only_an_approved_request_is_signed(authority, conditions):
    assert signing.plan(request(conditions=conditions), authority=authority, now_s=NOW_S, now=NOW) is None


def test_requests_for_signers_of_others_are_left_alone(authority):
    wanted = request(signer="example.com/mine", conditions=[condition("Approved")])
    assert signing.plan(wanted, authority=authority, now_s=NOW_S, now=NOW) is None


def test_a_request_that_does_not_fit_keeps_its_approval_and_fails(authority):
    wanted = request(usages=("code signing",), conditions=[condition("Approved")])
    status = signing.plan(wanted, authority=authority, now_s=NOW_S, now=NOW)
    assert [(entry["type"], entry.get("reason")) for entry in status["conditions"]] == [
        ("Approved", None),
        ("Failed", "SignerValidationFailure"),
    ]
    assert "certificate" not in status


def test_a_node_renews_by_a_narrower_permission_than_it_joins_by():
    wanted = request(signer=KUBELET_CLIENT, usages=CLIENT_USAGES)
    assert list(approving.permissions(wanted)) == [approving.NODE]
    wanted["spec"]["username"] = "system:node:n1"
    assert list(approving.permissions(wanted)) == [approving.SELF, approving.NODE]
    wanted["spec"]["username"] = "system:node:n2"
    assert list(approving.permissions(wanted)) == [approving.NODE]


@pytest.mark.parametrize(
    "wanted",
    [
        {"signer": requests.CLIENT, "usages": CLIENT_USAGES},
        {"signer": KUBELET_CLIENT, "usages": SERVING_USAGES},
        {"signer": KUBELET_CLIENT, "usages": CLIENT_USAGES, "name": "jane"},
    ],
)
def test_what_is_no_kubelets_client_certificate_is_not_approved(wanted):
    assert list(approving.permissions(request(**wanted))) == []


def test_the_review_asks_for_the_maker_of_the_request():
    wanted = request()
    wanted["spec"] |= {"username": "u", "groups": ["g"], "extra": {"k": ["v"]}}
    assert approving.review(wanted, "nodeclient")["spec"] == {
        "user": "u",
        "groups": ["g"],
        "extra": {"k": ["v"]},
        "resourceAttributes": {
            "group": "certificates.k8s.io",
            "resource": "certificatesigningrequests",
            "subresource": "nodeclient",
            "verb": "create",
        },
    }


LATER = format_time(NOW_S + 60)


@pytest.mark.parametrize(
    ("conditions", "after_s"),
    [
        ([], DAY_S),
        ([condition("Denied", at=LATER)], 60 + HOUR_S),
        ([condition("Approved", at=LATER)], 60 + DAY_S),
        ([condition("Approved"), condition("Failed", at=LATER)], 60 + HOUR_S),
        ([{"type": "Approved", "status": "True"}], None),
    ],
    ids=["pending", "denied", "unsigned", "failed", "untold"],
)
def test_a_request_is_kept_a_day_for_a_decision_and_an_hour_after_it(conditions, after_s):
    due_s = cleaning.due_s(request(conditions=conditions))
    assert due_s == (None if after_s is None else NOW_S + after_s)


def test_an_issued_request_is_kept_an_hour_but_not_longer_than_its_certificate(authority):
    now_s = float(int(Clock().now()))
    wanted = request(conditions=[condition("Approved", at=format_time(now_s))])
    assert cleaning.due_s(issued(wanted, authority)) == now_s + HOUR_S
    wanted["spec"]["expirationSeconds"] = 600
    short = issued(wanted, authority)
    assert cleaning.due_s(short) == read(short).not_valid_after_utc.timestamp() < now_s + HOUR_S
