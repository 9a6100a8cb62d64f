"""Service-account tokens: issued, verified, revoked with what they are bound to, and never forged."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mamekube.apiserver.access.tokens import Tokens
from mamekube.foundation.jwt import InvalidToken
from mamekube.objects.status import StatusError

ISSUER = "https://kubernetes.default.svc.cluster.local"


def pem(key) -> bytes:
    encoding, layout = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, layout, serialization.NoEncryption())


KEYS = {
    "RS256": pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ES256": pem(ec.generate_private_key(ec.SECP256R1())),
}


@pytest.fixture(params=sorted(KEYS))
def key_file(request, tmp_path):
    path = tmp_path / "sa.key"
    path.write_bytes(KEYS[request.param])
    return str(path)


@pytest.fixture
def tokens(world, key_file):
    return Tokens(key_file, issuer=ISSUER, reader=world.reader, clock=world.clock)


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def issue(tokens, name="robot", **spec) -> str:
    answer = await tokens.request({"spec": spec}, namespace="default", name=name)
    return answer["status"]["token"]


async def test_a_token_tells_whose_it_is(world, tokens):
    account = await world.account("robot")
    verified = await tokens.verify(await issue(tokens))
    assert verified.user.name == "system:serviceaccount:default:robot"
    assert verified.user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert verified.user.uid == account["metadata"]["uid"]
    assert verified.audiences == (ISSUER,)


async def test_the_claims_are_upstreams(world, tokens):
    await world.account("robot")
    node = await world.put("nodes", {"metadata": {"name": "n1"}})
    spec = {"nodeName": "n1", "serviceAccountName": "robot"}
    pod = await world.put("pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    token = await issue(
        tokens, expirationSeconds=3607, boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"}
    )
    claims = claims_of(token)
    now_s = int(world.clock.now())
    assert claims["kubernetes.io"] == {
        "namespace": "default",
        "node": {"name": "n1", "uid": node["metadata"]["uid"]},
        "pod": {"name": "p", "uid": pod["metadata"]["uid"]},
        "serviceaccount": {"name": "robot", "uid": "uid-1"},
        "warnafter": now_s + 3607,
    }
    assert claims["exp"] == now_s + 365 * 24 * 3600
    assert (claims["iss"], claims["aud"], claims["nbf"]) == (ISSUER, [ISSUER], now_s)
    user = (await tokens.verify(token)).user
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    assert user.extra["authentication.kubernetes.io/node-name"] == ("n1",)


async def test_a_token_dies_with_its_time(world, tokens):
    await world.account("robot")
    token = await issue(tokens, expirationSeconds=600)
    world.clock.now_s += 599
    await tokens.verify(token)
    world.clock.now_s += 2
    with pytest.raises(InvalidToken, match="expired"):
        await tokens.verify(token)


async def test_a_token_dies_with_its_account_even_if_a_namesake_follows(world, tokens):
    await world.account("robot")
    token = await issue(tokens)
    await tokens.verify(token)
    await world.remove("serviceaccounts", "robot", namespace="default")
    with pytest.raises(InvalidToken):
        await tokens.verify(token)
    await world.account("robot")
    with pytest.raises(InvalidToken):
        await tokens.verify(token)


async def test_a_token_dies_with_the_pod_it_is_bound_to(world, tokens):
    await world.account("robot")
    await world.put(
        "pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": {"serviceAccountName": "robot"}}
    )
    token = await issue(tokens, boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"})
    await tokens.verify(token)
    await world.remove("pods", "p", namespace="default")
    with pytest.raises(InvalidToken):
        await tokens.verify(token)


async def test_a_token_for_somebody_else_is_refused(world, tokens):
    await world.account("robot")
    token = await issue(tokens, audiences=["vault"])
    with pytest.raises(InvalidToken, match="audiences"):
        await tokens.verify(token)
    assert (await tokens.verify(token, audiences=["vault", "x"])).audiences == ("vault",)


def recoded(
    token: str, *, header: dict | None = None, claims: dict | None = None, signature: str | None = None
) -> str:
    parts = token.split(".")
    for place, changes in ((0, header), (1, claims)):
        if changes is not None:
            part = parts[place]
            value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) | changes
            parts[place] = base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    if signature is not None:
        parts[2] = signature
    return ".".join(parts)


@pytest.mark.parametrize(
    "forgery",
    [
        {"header": {"alg": "none"}, "signature": ""},
        {"header": {"alg": "HS256"}},
        {"header": {"kid": "other"}},
        {"claims": {"sub": "system:serviceaccount:kube-system:admin"}},
        {"claims": {"exp": 4102444800}},
        {"signature": "AAAA"},
        {"signature": "!!"},
        {"signature": ""},
    ],
)
async def test_a_changed_token_is_refused(world, tokens, forgery):
    await world.account("robot")
    with pytest.raises(InvalidToken):
        await tokens.verify(recoded(await issue(tokens), **forgery))


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "....", "e30.e30.e30", "é.é.é"])
async def test_what_is_no_token_is_refused(tokens, text):
    with pytest.raises(InvalidToken):
        await tokens.verify(text)


async def test_refused_token_requests_are_worded_as_upstream(world, tokens):
    await world.account("robot")
    with pytest.raises(StatusError) as caught:
        await issue(tokens, expirationSeconds=599)
    assert str(caught.value) == (
        'TokenRequest.authentication.k8s.io "" is invalid: '
        "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"
    )
    with pytest.raises(StatusError, match='serviceaccounts "nobody" not found'):
        await issue(tokens, name="nobody", expirationSeconds=599)
    await world.put(
        "pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": {"serviceAccountName": "other"}}
    )
    with pytest.raises(StatusError, match='cannot bind token for serviceaccount "robot" to pod running with'):
        await issue(tokens, boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"})
    with pytest.raises(StatusError, match="cannot bind token to object of type apps/v1, Kind=Deployment"):
        await issue(tokens, boundObjectRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "p"})


async def test_a_server_without_a_key_says_so_and_trusts_nothing(world, tokens):
    await world.account("robot")
    token = await issue(tokens)
    keyless = Tokens("", issuer=ISSUER, reader=world.reader, clock=world.clock)
    with pytest.raises(StatusError) as caught:
        await issue(keyless)
    assert caught.value.code == 503
    with pytest.raises(InvalidToken):
        await keyless.verify(token)


async def test_the_published_key_verifies_the_token(world, tokens):
    import jwt

    await world.account("robot")
    token = await issue(tokens)
    key = jwt.PyJWK(tokens.jwks()["keys"][0])
    decoded = jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        audience=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert decoded["sub"] == "system:serviceaccount:default:robot"
    assert tokens.discovery()["issuer"] == ISSUER
