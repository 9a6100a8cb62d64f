"""Tokens that are kept in Secrets: good as long as the Secret holds them and their account is the same."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mamekube.apiserver.access.legacy_tokens import day
from mamekube.apiserver.access.tokens import Tokens
from mamekube.controllers.serviceaccounttoken import claims_of, plan, without_secret
from mamekube.foundation.jwt import InvalidToken, SigningKey

ISSUER = "https://kubernetes.default.svc.cluster.local"
PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
KEY = SigningKey(PEM)
SECRET = {
    "metadata": {
        "name": "kept",
        "namespace": "default",
        "annotations": {"kubernetes.io/service-account.name": "robot"},
    },
    "type": "kubernetes.io/service-account-token",
}


@pytest.fixture
def tokens(world, tmp_path: Path) -> Tokens:
    (tmp_path / "sa.key").write_bytes(PEM)
    return Tokens(str(tmp_path / "sa.key"), issuer=ISSUER, reader=world.reader, clock=world.clock)


def text(secret, key: str) -> str:
    return base64.b64decode(secret["data"][key]).decode()


async def put_secret(world, *, labels=None, **changes) -> str:
    """The token in a Secret that the controller has filled."""
    account = await world.account("robot")
    filled = plan(SECRET, account, root_ca="PEM", sign=KEY.sign)
    assert filled is not None
    filled["metadata"] = {**filled["metadata"], "labels": labels or {}}
    token = text(filled, "token")
    await world.put("secrets", {**filled, **changes})
    return token


async def test_a_secret_is_filled_with_what_a_client_needs(world):
    account = await world.account("robot")
    filled = plan(SECRET, account, root_ca="PEM", sign=KEY.sign)
    assert filled is not None
    assert (text(filled, "ca.crt"), text(filled, "namespace")) == ("PEM", "default")
    uid = account["metadata"]["uid"]
    assert filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == uid
    assert KEY.verify(text(filled, "token")) == {
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "default",
        "kubernetes.io/serviceaccount/secret.name": "kept",
        "kubernetes.io/serviceaccount/service-account.name": "robot",
        "kubernetes.io/serviceaccount/service-account.uid": uid,
        "sub": "system:serviceaccount:default:robot",
    }
    assert plan(filled, account, root_ca="PEM", sign=KEY.sign) is None
    renewed = plan(filled, account, root_ca="OTHER", sign=KEY.sign)
    assert renewed is not None
    assert (text(renewed, "ca.crt"), text(renewed, "token")) == ("OTHER", text(filled, "token"))


def test_an_account_forgets_a_secret_that_is_gone():
    account = {"metadata": {"name": "robot"}, "secrets": [{"name": "kept"}, {"name": "other"}]}
    assert without_secret(account, "kept") == {**account, "secrets": [{"name": "other"}]}
    assert without_secret(account, "unknown") is None


async def test_a_kept_token_tells_whose_it_is_and_never_ends(world, tokens):
    token = await put_secret(world)
    world.clock.now_s += 10 * 365 * 24 * 3600
    verified = await tokens.verify(token)
    assert verified.user.name == "system:serviceaccount:default:robot"
    assert verified.user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert (verified.user.extra, verified.audiences) == ({}, (ISSUER,))
    assert verified.user.notes == {"authentication.k8s.io/legacy-token": verified.user.name}


async def test_a_kept_token_is_for_the_api_server_alone(world, tokens):
    token = await put_secret(world)
    with pytest.raises(InvalidToken, match="audiences"):
        await tokens.verify(token, audiences=("vault",))


async def test_a_kept_token_dies_with_its_secret(world, tokens):
    token = await put_secret(world)
    await tokens.verify(token)
    await world.remove("secrets", "kept", namespace="default")
    with pytest.raises(InvalidToken, match="Token has been invalidated"):
        await tokens.verify(token)


async def test_a_secret_that_holds_another_token_makes_the_first_one_worthless(world, tokens):
    token = await put_secret(world)
    await put_secret(world, data={"token": base64.b64encode(b"another").decode()})
    with pytest.raises(InvalidToken, match="Token does not match server's copy"):
        await tokens.verify(token)


async def test_a_kept_token_dies_with_its_account_even_if_a_namesake_follows(world, tokens):
    token = await put_secret(world)
    await world.remove("serviceaccounts", "robot", namespace="default")
    with pytest.raises(InvalidToken, match='serviceaccounts "robot" not found'):
        await tokens.verify(token)
    await world.account("robot")
    with pytest.raises(InvalidToken, match="does not match claim"):
        await tokens.verify(token)


async def test_a_token_marked_invalid_is_refused(world, tokens):
    token = await put_secret(world, labels={"kubernetes.io/legacy-token-invalid-since": "2026-01-02"})
    with pytest.raises(InvalidToken, match="has been marked invalid"):
        await tokens.verify(token)


@pytest.mark.parametrize("claim", ["secret.name", "service-account.uid", "namespace"])
async def test_a_kept_token_says_all_that_is_asked(world, tokens, claim):
    claims = dict(claims_of(SECRET, await world.account("robot")))
    del claims[f"kubernetes.io/serviceaccount/{claim}"]
    with pytest.raises(InvalidToken, match="claim is missing"):
        await tokens.verify(KEY.sign(claims))


@pytest.mark.parametrize(
    ("days", "noted"),
    [(-1, True), (0, False), (1, False), (2, True)],
    ids=["old", "today", "tomorrow", "later"],
)
async def test_a_use_is_noted_once_a_day(world, tokens, days, noted):
    used = day(world.clock.now() + days * 24 * 3600)
    token = await put_secret(world, labels={"kubernetes.io/legacy-token-last-used": used})
    await tokens.verify(token)
    await tokens.verify(token)
    assert tokens.legacy.used.idle() is not noted
