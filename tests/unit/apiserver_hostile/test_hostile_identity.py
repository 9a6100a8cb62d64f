"""Who one is not: forged headers, forged tokens, tokens that are over, and rights nobody gave."""

import base64
import json
import ssl
import time

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.unit.apiserver_hostile.site import CONFIGMAPS, Site, config_map

from mamekube.apiserver import development
from mamekube.apiserver.server import ApiServer
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
CLUSTER_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
CLUSTER_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
RBAC = "rbac.authorization.k8s.io"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"},
        {"x-remote-user": "system:apiserver", "X-Remote-Extra-scopes": "all"},
        {"X-Remote-User": "admin", "X-Remote-Uid": "1", "X-Forwarded-Client-Cert": "Subject=admin"},
    ],
)
async def test_a_forged_front_proxy_is_nobody(site, headers):
    answer = await site.refused(
        "POST", CONFIGMAPS, config_map("forged"), token="", headers=headers, codes=(403,)
    )
    assert 'User "system:anonymous" cannot create resource "configmaps"' in answer.body["message"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            {"Impersonate-User": "admin"},
            'users "admin" is forbidden: User "author" cannot impersonate resource "users" in API group "" '
            "at the cluster scope",
        ),
        (
            {"Impersonate-User": "author", "Impersonate-Group": "system:masters"},
            'users "author" is forbidden: User "author" cannot impersonate resource "users" in API group "" '
            "at the cluster scope",
        ),
        (
            {"Impersonate-User": "system:serviceaccount:kube-system:default"},
            'serviceaccounts "default" is forbidden: User "author" cannot impersonate resource '
            '"serviceaccounts" in API group "" in the namespace "kube-system"',
        ),
    ],
)
async def test_nobody_is_impersonated_without_permission(site, headers, message):
    answer = await site.refused(
        "POST", CONFIGMAPS, config_map("forged"), token="author-token", headers=headers, codes=(403,)
    )
    assert answer.body["message"] == message


async def test_a_permission_to_impersonate_a_user_gives_no_group_uid_or_extra(site):
    role = {
        "metadata": {"name": "i"},
        "rules": [{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}],
    }
    await grant(site, role, "author")
    assert (
        await site.send("POST", REVIEW, {}, token="author-token", headers={"Impersonate-User": "x"})
    ).code == 201
    for more in (
        {"Impersonate-Group": "system:masters"},
        {"Impersonate-Uid": "1"},
        {"Impersonate-Extra-scopes": "all"},
        {"impersonate-GROUP": "system:masters"},
    ):
        await site.refused(
            "POST", REVIEW, {}, token="author-token", headers={"Impersonate-User": "x", **more}, codes=(403,)
        )


async def test_a_certificate_of_another_authority_gets_no_connection_and_forged_headers_no_name(tmp_path):
    """Over TLS: the real authority's server, a client with a certificate that a stranger signed."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        development.prepare(folder, address="127.0.0.1", port=0)
    config = development.prepare(ours, address="127.0.0.1", port=0)
    store = Store(MemoryBackend())
    api = ApiServer(config, store, Clock())
    trusting = ssl.create_default_context(cafile=str(ours / "ca.crt"))
    strange = ssl.create_default_context(cafile=str(ours / "ca.crt"))
    strange.load_cert_chain(theirs / "admin.crt", theirs / "admin.key")
    own = ssl.create_default_context(cafile=str(ours / "ca.crt"))
    own.load_cert_chain(ours / "admin.crt", ours / "admin.key")
    forged = {"X-Remote-User": "other", "X-Remote-Group": "system:masters"}
    async with store, api, aiohttp.ClientSession() as session:
        await api.ready()
        url = f"https://127.0.0.1:{api.port}"
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{url}/version", ssl=strange)
        async with session.get(f"{url}{CONFIGMAPS}", ssl=trusting, headers=forged) as answer:
            assert answer.status == 403
        async with session.post(f"{url}{REVIEW}", json={}, ssl=own, headers=forged) as answer:
            shown = await answer.json()
            assert shown["status"]["userInfo"]["username"] == "kubernetes-admin"


# Tokens -----------------------------------------------------------------------------------------


async def account_token(site: Site, name: str = "robot", **spec) -> str:
    await site.send("POST", ACCOUNTS, {"metadata": {"name": name}})
    answer = await site.send("POST", f"{ACCOUNTS}/{name}/token", {"spec": spec})
    assert answer.code == 201, answer.body
    return answer.body["status"]["token"]


def parts_of(token: str) -> tuple[dict, dict]:
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])


def packed(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def refused_401(site: Site, token: str) -> None:
    answer = await site.refused("POST", CONFIGMAPS, config_map("forged"), token=token, codes=(401,))
    assert (answer.body["reason"], answer.body["message"]) == ("Unauthorized", "Unauthorized")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "HS256", "RS256", "ES384", 5, []])
async def test_a_token_does_not_choose_its_algorithm(site, algorithm):
    header, claims = parts_of(await account_token(site))
    token = await account_token(site)
    for signature in ("", token.split(".")[2], "AAAA"):
        await refused_401(site, f"{packed({**header, 'alg': algorithm})}.{packed(claims)}.{signature}")


async def test_a_token_signed_by_another_key_is_refused(site, key_file):
    header, claims = parts_of(await account_token(site))
    key_id = {"kid": header["kid"]}
    ecdsa, rsa_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    await refused_401(site, jwt.encode(claims, ecdsa, algorithm="ES256", headers=key_id))
    await refused_401(site, jwt.encode(claims, rsa_key, algorithm="RS256", headers=key_id))
    await refused_401(
        site, jwt.encode(claims, "a secret that is shared by everybody", algorithm="HS256", headers=key_id)
    )


async def test_a_token_of_the_right_key_with_wrong_claims_is_refused(site, key_file):
    _, claims = parts_of(await account_token(site))
    now_s = int(time.time())
    key = key_file.read_bytes()
    assert (await site.send("POST", REVIEW, {}, token=jwt.encode(claims, key, algorithm="ES256"))).code == 201
    about = claims["kubernetes.io"]
    for wrong in (
        {"exp": now_s - 60},
        {"exp": "never"},
        {"exp": None},
        {"nbf": now_s + 3600},
        {"aud": ["vault"]},
        {"aud": []},
        {"aud": {}},
        {"iss": "https://elsewhere"},
        {"sub": "system:serviceaccount:kube-system:robot"},
        {"kubernetes.io": {**about, "serviceaccount": {"name": "robot", "uid": "other"}}},
        {"kubernetes.io": {**about, "namespace": "kube-system"}},
        {"kubernetes.io": {**about, "pod": {"name": "gone", "uid": "1"}}},
        {"kubernetes.io": {**about, "pod": "gone"}},
        {"kubernetes.io": []},
        {"kubernetes.io": {"serviceaccount": 5}},
        {"kubernetes.io": None},
    ):
        forged = {key_: value for key_, value in {**claims, **wrong}.items() if value is not None}
        await refused_401(site, jwt.encode(forged, key, algorithm="ES256", headers={}))


async def test_a_token_for_another_audience_is_refused(site):
    await refused_401(site, await account_token(site, audiences=["vault"]))


async def test_a_token_ends_with_its_account_and_a_namesake_does_not_bring_it_back(site):
    token = await account_token(site)
    assert (await site.send("POST", REVIEW, {}, token=token)).code == 201
    assert (await site.send("DELETE", f"{ACCOUNTS}/robot")).code == 200
    await refused_401(site, token)
    assert (await site.send("POST", ACCOUNTS, {"metadata": {"name": "robot"}})).code == 201
    await refused_401(site, token)


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "..", "é", "=.=.=", "a" * 7000, ".".join(["e30"] * 3), "e30." * 1000, "W10.W10.W10"],
)
async def test_what_is_no_token_is_401(site, token):
    await refused_401(site, token)


# Rights -----------------------------------------------------------------------------------------


async def grant(site: Site, role: dict, user: str) -> None:
    assert (await site.send("POST", CLUSTER_ROLES, role)).code == 201
    name = role["metadata"]["name"]
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
    assert (await site.send("POST", CLUSTER_BINDINGS, binding)).code == 201


async def test_nobody_writes_a_role_or_binding_above_himself(site):
    verbs = ["create", "update", "patch", "get"]
    rules = [
        {"apiGroups": [RBAC], "resources": ["*"], "verbs": verbs},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    ]
    await grant(site, {"metadata": {"name": "author"}, "rules": rules}, "author")
    more = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "author"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]}],
    }
    why = (
        'user "author" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently '
        'held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
    )
    start = 'clusterroles.rbac.authorization.k8s.io "author" is forbidden: '
    for method, path, content_type in (
        ("PUT", f"{CLUSTER_ROLES}/author", "application/json"),
        ("PATCH", f"{CLUSTER_ROLES}/author", "application/merge-patch+json"),
        ("PATCH", f"{CLUSTER_ROLES}/author?fieldManager=m&force=true", "application/apply-patch+yaml"),
    ):
        answer = await site.refused(
            method, path, more, token="author-token", content_type=content_type, codes=(403,)
        )
        assert answer.body["message"] == start + why
    role = {**more, "kind": "Role"}
    answer = await site.refused("POST", ROLES, role, token="author-token", codes=(403,))
    assert answer.body["message"] == start.replace("clusterroles", "roles") + why
    binding = {
        "metadata": {"name": "up"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "author"}],
    }
    answer = await site.refused("POST", CLUSTER_BINDINGS, binding, token="author-token", codes=(403,))
    assert "is attempting to grant RBAC permissions not currently held" in answer.body["message"]
