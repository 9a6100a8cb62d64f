"""Bootstrap tokens: which may sign, what they sign, and when they expire."""

from __future__ import annotations

from base64 import b64encode

import jwt
import pytest

from mamekube.controllers.bootstraptokens import expires_s, plan, signature, signing_tokens
from mamekube.foundation.clock import parse_time

NOW_S = parse_time("2026-03-01T12:00:00Z")
SECRET = "0123456789abcdef"


def token(*, name="bootstrap-token-abcdef", namespace="kube-system", **fields):
    texts = {"token-id": "abcdef", "token-secret": SECRET, "usage-bootstrap-signing": "true"}
    texts |= {key.replace("_", "-"): text for key, text in fields.items()}
    data = {key: b64encode(text.encode()).decode() for key, text in texts.items()}
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def test_a_token_for_signing_signs():
    assert signing_tokens([token()], now_s=NOW_S) == {"abcdef": SECRET}
    assert signing_tokens([token(expiration="2026-03-01T12:00:01Z")], now_s=NOW_S) == {"abcdef": SECRET}


@pytest.mark.parametrize(
    "secret",
    [
        token(usage_bootstrap_signing="false"),
        token(name="bootstrap-token-other"),
        token(namespace="default"),
        token(token_secret=""),
        token(expiration="2026-03-01T12:00:00Z"),
        token(expiration="soon"),
    ],
    ids=["other use", "other name", "other namespace", "no secret", "expired", "unreadable time"],
)
def test_any_other_token_does_not_sign(secret):
    assert signing_tokens([secret], now_s=NOW_S) == {}


def test_a_token_without_a_time_never_expires_and_one_with_a_wrong_time_has_expired():
    assert expires_s(token()) is None
    assert expires_s(token(expiration="2026-03-01T12:00:00Z")) == NOW_S
    assert expires_s(token(expiration="soon")) < NOW_S


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_a_signature_verifies_with_the_token_as_any_library_checks_it():
    header, nothing, mac = signature("apiVersion: v1", identity="abcdef", secret=SECRET).split(".")
    assert nothing == ""
    payload = b64encode(b"apiVersion: v1", altchars=b"-_").rstrip(b"=").decode()
    whole = jwt.api_jws.decode_complete(f"{header}.{payload}.{mac}", SECRET, algorithms=["HS256"])
    assert whole["payload"] == b"apiVersion: v1"
    assert whole["header"] == {"alg": "HS256", "kid": "abcdef"}


def test_cluster_info_carries_the_signatures_of_the_tokens_there_are_and_no_other():
    config_map = {"data": {"kubeconfig": "x", "jws-kubeconfig-gone00": "old", "other": "kept"}}
    signed = plan(config_map, {"abcdef": SECRET})
    assert signed["data"] == {
        "kubeconfig": "x",
        "other": "kept",
        "jws-kubeconfig-abcdef": signature("x", identity="abcdef", secret=SECRET),
    }
    assert plan(signed, {"abcdef": SECRET}) is None


def test_without_a_kubeconfig_there_is_nothing_to_sign():
    assert plan({"data": {}}, {"abcdef": SECRET}) is None
