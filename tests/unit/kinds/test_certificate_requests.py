"""What a CertificateSigningRequest must be, and what approvers and signers may make of it."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mamekube.foundation.clock import parse_time
from mamekube.kinds.certificates import certificatesigningrequests as requests
from mamekube.kinds.certificates import pkcs10

BEGAN, LATER = "2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"
KIND = requests.KIND


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def signed_request() -> x509.CertificateSigningRequest:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jane")])
    key = ec.generate_private_key(ec.SECP256R1())
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())


def block(kind: str, content: bytes, *, headers: str = "") -> bytes:
    return f"-----BEGIN {kind}-----\n{headers}{encoded(content)}\n-----END {kind}-----\n".encode()


PEM = signed_request().public_bytes(serialization.Encoding.PEM)
DER = signed_request().public_bytes(serialization.Encoding.DER)


def asked(**spec: Any) -> dict[str, Any]:
    whole = {"request": encoded(PEM), "usages": ["client auth"], "signerName": "example.com/own", **spec}
    return {"metadata": {"name": "r"}, "spec": whole}


def found(errors: Any) -> list[str]:
    return [str(error) for error in errors]


def created(**spec: Any) -> list[str]:
    request = asked(**spec)
    return found(KIND.validate(request) + KIND.validate_create(request))


def with_status(*conditions: dict[str, Any], certificate: str = "") -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": list(conditions)}
    return {**asked(), "status": {**status, "certificate": certificate} if certificate else status}


def condition(kind: str, status: str = "True", **fields: str) -> dict[str, Any]:
    return {"type": kind, "status": status, **fields}


def test_a_signed_request_with_text_around_it_is_taken() -> None:
    assert created(request=encoded(b"Some words\n" + PEM + b"more")) == []


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (b"no PEM", "PEM block type must be CERTIFICATE REQUEST"),
        (block("NEW CERTIFICATE REQUEST", DER), "PEM block type must be CERTIFICATE REQUEST"),
        (block("CERTIFICATE REQUEST", DER[:-1] + bytes([DER[-1] ^ 1])), "x509: ECDSA verification failure"),
        (block("CERTIFICATE REQUEST", DER[:40]), "asn1: structure error"),
    ],
)
def test_what_is_no_request_signed_by_its_own_key_is_refused(pem: bytes, expected: str) -> None:
    [error] = created(request=encoded(pem))
    assert error.startswith(f'spec.request: Invalid value: "{encoded(pem)}": {expected}')


LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "Required value"),
        (
            "example.com",
            'Invalid value: "example.com": must be a fully qualified domain and path of the form '
            "'example.com/signer-name'",
        ),
        (
            "example/own",
            'Invalid value: "example": should be a domain with at least two segments separated by dots',
        ),
        ("Example.com/own", f'Invalid value: "Example.com": validating label "Example": {LABEL}'),
        (f"{'a.' * 127}a/x", "Too long: may not be more than 253 bytes"),
        (
            "kubernetes.io/legacy-unknown",
            'Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
        ),
    ],
)
def test_signers_are_named_by_domain_and_path(name: str, expected: str) -> None:
    assert created(signerName=name) == [f"spec.signerName: {expected}"]


def test_usages_are_known_and_named_once() -> None:
    assert created(usages=[]) == ["spec.usages: Required value: usages must be provided"]
    unknown, twice = created(usages=["client auth", "signature", "client auth"])
    assert unknown.startswith('spec.usages[1]: Unsupported value: "signature": supported values: "any", ')
    assert twice == 'spec.usages[2]: Duplicate value: "client auth"'


def test_what_is_wrong_with_a_request_is_told_in_order() -> None:
    errors = created(
        request="", usages=["a", "a"], signerName="kubernetes.io/legacy-unknown", expirationSeconds=1
    )
    assert [error.split(":")[0] for error in errors] == [
        "spec.request",
        "spec.usages[0]",
        "spec.usages[1]",
        "spec.usages[1]",
        "spec.signerName",
        "spec.expirationSeconds",
    ]


def test_a_certificate_lasts_ten_minutes_at_least() -> None:
    assert created(expirationSeconds=600) == []
    assert created(expirationSeconds=599) == [
        "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)"
    ]


def test_a_decision_is_dated_and_leaves_all_else_alone() -> None:
    old = with_status(certificate="eA==")
    new = {**with_status(condition("Approved")), "spec": {"username": "somebody"}}
    requests.prepare_approval(new, old, parse_time(BEGAN))
    assert new["spec"] == old["spec"]
    dated = condition("Approved", lastUpdateTime=BEGAN, lastTransitionTime=BEGAN)
    assert new["status"] == {"conditions": [dated], "certificate": "eA=="}


def test_a_transition_keeps_its_date_while_the_status_stays() -> None:
    old = with_status(condition("Ready", "True", lastUpdateTime=BEGAN, lastTransitionTime=BEGAN))
    new = with_status(condition("Ready"), condition("Done", "False"))
    KIND.prepare_status(new, old, parse_time(LATER))
    assert [(one["lastUpdateTime"], one["lastTransitionTime"]) for one in new["status"]["conditions"]] == [
        (LATER, BEGAN),
        (LATER, LATER),
    ]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (
            [condition("Approved"), condition("Denied")],
            'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually '
            "exclusive",
        ),
        (
            [condition("Approved"), condition("Approved")],
            'status.conditions[1].type: Duplicate value: "Approved"',
        ),
        (
            [condition("Approved", "False")],
            'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
        ),
        ([condition("Approved", "")], "status.conditions[0].status: Required value"),
        ([condition("")], "status.conditions[0].type: Required value"),
    ],
)
def test_conditions_say_one_thing_each(conditions: list[dict[str, Any]], expected: str) -> None:
    assert found(requests.validate_approval(with_status(*conditions), with_status())) == [expected]


def test_nobody_takes_a_decision_back() -> None:
    old = with_status(condition("Approved"), condition("Failed"))
    assert found(requests.validate_approval(with_status(), old)) == [
        'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
        'status.conditions: Forbidden: updates may not remove a condition of type "Failed"',
    ]


def test_signers_do_not_decide() -> None:
    assert found(KIND.validate_status(with_status(condition("Denied")), with_status())) == [
        'status.conditions: Forbidden: updates may not add a condition of type "Denied"'
    ]
    old = with_status(condition("Approved", reason="by hand"))
    new = with_status(condition("Approved", reason="forged"))
    KIND.prepare_status(new, old, parse_time(LATER))
    assert new["status"]["conditions"][0]["reason"] == "by hand"


def issued(pem: bytes, before: str = "") -> list[str]:
    old = with_status(condition("Approved"), certificate=before)
    new = with_status(condition("Approved"), certificate=encoded(pem))
    return found(KIND.validate_status(new, old))


HIDDEN = 'status.certificate: Invalid value: "<certificate data>": '


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (b"words", "must contain at least one CERTIFICATE PEM block"),
        (PEM, 'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"'),
        (block("CERTIFICATE", b"abc", headers="A: b\n\n"), "no PEM block headers are permitted"),
        (block("CERTIFICATE", b"abc"), "x509: malformed certificate"),
    ],
)
def test_only_certificates_are_issued(pem: bytes, expected: str) -> None:
    [error] = issued(pem)
    assert error.startswith(HIDDEN + expected)


def test_an_issued_certificate_stays() -> None:
    # What was no certificate before need not be one now.
    (error,) = issued(b"words", before="eA==")
    assert error == "status.certificate: Forbidden: updates may not modify existing certificate content"


def test_blocks_that_are_no_base64_do_not_count() -> None:
    damaged = b"-----BEGIN X-----\n!!!\n-----END X-----\n"
    assert [one.type for one in pkcs10.blocks(damaged + PEM)] == ["CERTIFICATE REQUEST"]
