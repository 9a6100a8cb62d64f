"""Service accounts, their tokens, and what they may."""

import base64
import json

import pytest
from tests.conformance import samples
from tests.conformance.api import STRATEGIC, Api

ROOT_CA = "kube-root-ca.crt"
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture
def accounts(core):
    return f"{core}/serviceaccounts"


@pytest.mark.conformance("ServiceAccount lifecycle test")
def test_a_service_account_is_seen_from_its_making_to_its_end(api, accounts, unique):
    path = f"{accounts}/{unique}"
    with api.watch(accounts, labelSelector=f"test={unique}") as watch:
        api.create(accounts, {"metadata": {"name": unique, "labels": {"test": unique}}})
        assert watch.until("ADDED")["metadata"]["labels"] == {"test": unique}
        patched = api.patch(path, {"automountServiceAccountToken": False}, content_type=STRATEGIC)
        assert patched["automountServiceAccountToken"] is False
        watch.until("MODIFIED", lambda obj: obj["automountServiceAccountToken"] is False)
        (found,) = api.items("/api/v1/serviceaccounts", labelSelector=f"test={unique}")
        assert found["automountServiceAccountToken"] is False
        api.delete(accounts, labelSelector=f"test={unique}")
        watch.until("DELETED", lambda obj: obj["metadata"]["name"] == unique)
    assert api.missing(path)


@pytest.mark.conformance("ServiceAccount, update a ServiceAccount")
def test_a_service_account_is_updated(api, accounts):
    api.create(accounts, {"metadata": {"name": "one"}})
    obj = api.get(f"{accounts}/one")
    obj["automountServiceAccountToken"] = True
    assert api.update(f"{accounts}/one", obj)["automountServiceAccountToken"] is True
    assert api.get(f"{accounts}/one")["automountServiceAccountToken"] is True


@pytest.mark.conformance("ServiceAccount, create and review token")
def test_a_requested_token_is_reviewed_as_the_account(api, accounts, namespace):
    account = api.create(accounts, {"metadata": {"name": "one"}})
    request = {"spec": {"expirationSeconds": 3600}}
    token = api.create(f"{accounts}/one/token", request)["status"]["token"]
    assert token
    review = api.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review["status"]["authenticated"] is True
    assert "error" not in review["status"]
    user = review["status"]["user"]
    assert user["username"] == f"system:serviceaccount:{namespace}:one"
    assert user["uid"] == account["metadata"]["uid"]
    assert f"system:serviceaccounts:{namespace}" in user["groups"]


@pytest.mark.conformance("RootCA ConfigMap test")
def test_every_namespace_has_the_root_certificate(api, core, control_plane):
    path = f"{core}/configmaps/{ROOT_CA}"
    certificate = (control_plane.certificates / "ca.crt").read_text()
    first = api.wait_object(path, lambda obj: True)
    assert first["data"] == {"ca.crt": certificate}
    api.delete(path)
    again = api.wait_object(path, lambda obj: obj["metadata"]["uid"] != first["metadata"]["uid"])
    assert again["data"] == {"ca.crt": certificate}
    again["data"] = {"ca.crt": "not a certificate"}
    api.update(path, again)
    api.wait_object(path, lambda obj: obj["data"] == {"ca.crt": certificate})


@pytest.mark.conformance("Service account tokens auto mount optionally")
def test_the_pod_and_then_the_account_say_whether_a_token_is_mounted(api, core, accounts):
    for account, of_account in (("default-mount", None), ("mount", True), ("nomount", False)):
        obj = {"metadata": {"name": account}}
        if of_account is not None:
            obj["automountServiceAccountToken"] = of_account
        api.create(accounts, obj)
        for of_pod in (None, True, False):
            spec = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
            name = f"{account}-{of_pod}".lower()
            pod = samples.pod(name, serviceAccountName=account, **spec)
            made = api.create(f"{core}/pods", pod)
            mounts = made["spec"]["containers"][0].get("volumeMounts", [])
            expected = of_pod if of_pod is not None else of_account is not False
            assert (MOUNT in [one["mountPath"] for one in mounts]) is expected, name


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def allowed(api, path):
    answer = api.send("GET", path)
    assert answer.code in (200, 403), answer.body
    return answer.code == 200


@pytest.mark.conformance("SubjectReview, API Operations")
def test_reviews_say_what_the_account_may(api, core, accounts, namespace):
    """Before it is bound to a role, and after: both reviews say what a request of the account then meets."""
    api.create(accounts, {"metadata": {"name": "one"}})
    user = f"system:serviceaccount:{namespace}:one"
    impersonated = api.acting_as(user)
    attributes = {"namespace": namespace, "verb": "list", "resource": "configmaps", "version": "v1"}
    spec = {"user": user, "resourceAttributes": attributes}
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    binding = {
        "metadata": {"name": "view"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "one", "namespace": namespace}],
    }
    authorization = "/apis/authorization.k8s.io/v1"
    for expected in (False, True):
        if expected:
            api.create(rbac, binding)
        review = api.create(f"{authorization}/subjectaccessreviews", {"spec": spec})
        local = api.create(
            f"{authorization}/namespaces/{namespace}/localsubjectaccessreviews",
            {"metadata": {"namespace": namespace}, "spec": spec},
        )
        may = allowed(impersonated, f"{core}/configmaps")
        assert (review["status"]["allowed"], local["status"]["allowed"], may) == (expected,) * 3
    impersonated.close()


@pytest.mark.conformance(
    "OIDC Discovery (ServiceAccountIssuerDiscovery)", note="the token is verified here, not in a pod"
)
def test_a_token_is_verified_with_what_the_issuer_publishes(api, accounts, control_plane, tls):
    import jwt

    api.create(accounts, {"metadata": {"name": "one"}})
    token = api.create(f"{accounts}/one/token", {"spec": {"audiences": ["oidc-discovery-test"]}})["status"][
        "token"
    ]
    anyone = Api(control_plane.url, tls, headers={"Authorization": f"Bearer {token}"})
    configuration = anyone.get("/.well-known/openid-configuration")
    issuer = claims_of(token)["iss"]
    assert configuration["issuer"] == issuer
    assert configuration["jwks_uri"].endswith("/openid/v1/jwks")
    keys = jwt.PyJWKSet.from_dict(api.call("GET", "/openid/v1/jwks", headers={"Accept": "*/*"}))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    algorithms = configuration["id_token_signing_alg_values_supported"]
    claims = jwt.decode(token, key, algorithms=algorithms, audience="oidc-discovery-test", issuer=issuer)
    assert claims["sub"].endswith(":one")
    anyone.close()
