"""Another server's group, by the very requests of upstream's suite, in its order."""

import json
import random

import pytest
from tests.conformance.api import JSON, STRATEGIC, eventually
from tests.conformance.https_server import ADDRESS
from tests.conformance.sample_server import GROUP, GROUP_VERSION, VERSION, SampleServer
from tests.conformance.typed import Typed

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{VERSION}.{GROUP}"
SERVICE = "sample-api"
IN_DEFAULT = f"/apis/{GROUP_VERSION}/namespaces/default/flunders"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RBAC = "rbac.authorization.k8s.io"
READS = ["get", "list", "watch"]


@pytest.fixture
def typed(api):
    return Typed(api)


@pytest.fixture
def sample(namespace, control_plane, tmp_path):
    authority = control_plane.certificates / "front-proxy-ca.crt"
    host = f"{SERVICE}.{namespace}.svc"
    with SampleServer(tmp_path, host=host, front_proxy_authority=authority) as server:
        yield server


@pytest.fixture
def registered(api, typed, core, namespace, sample):
    """As the suite sets it up: what the server may do, its Service and its registration. It answers at the end."""
    make_permissions(typed, namespace)
    spec = {"type": "ExternalName", "externalName": ADDRESS, "ports": [{"port": sample.port}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": spec}
    typed.create(f"{core}/services", service)
    spec = {
        "service": {"namespace": namespace, "name": SERVICE, "port": sample.port},
        "group": GROUP,
        "version": VERSION,
        "caBundle": sample.authority.bundle,
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
    }
    obj = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": NAME},
        "spec": spec,
    }
    typed.create(API_SERVICES, obj)

    def answers():
        answer = api.send("GET", IN_DEFAULT)
        assert answer.code in (200, 403, 404, 503), answer.body
        return answer.code == 200

    eventually(answers, "the sample server to be asked")
    yield f"{API_SERVICES}/{NAME}"
    assert api.send("DELETE", f"{API_SERVICES}/{NAME}").code in (200, 404)
    remove_permissions(api, namespace)


def make_permissions(typed, namespace):
    account = [{"apiGroup": "", "kind": "ServiceAccount", "name": "default", "namespace": namespace}]
    base = f"/apis/{RBAC}/v1"
    role = f"sample-apiserver-reader-{namespace}"
    rules = [
        {"verbs": READS, "apiGroups": [""], "resources": ["namespaces"]},
        {"verbs": READS, "apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"]},
        {
            "verbs": READS,
            "apiGroups": ["flowcontrol.apiserver.k8s.io"],
            "resources": ["prioritylevelconfigurations", "flowschemas"],
        },
    ]
    of_rbac = {"apiVersion": f"{RBAC}/v1"}
    typed.create(
        f"{base}/clusterroles", {**of_rbac, "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules}
    )
    for name, to in (
        (f"wardler:{role}", role),
        (f"wardler:{namespace}:auth-delegator", "system:auth-delegator"),
    ):
        binding = {
            **of_rbac,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": to},
            "subjects": account,
        }
        typed.create(f"{base}/clusterrolebindings", binding)
    reader = {
        **of_rbac,
        "kind": "RoleBinding",
        "metadata": {
            "name": f"wardler-auth-reader-{namespace}",
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
        "roleRef": {"apiGroup": "", "kind": "Role", "name": "extension-apiserver-authentication-reader"},
        "subjects": account,
    }
    typed.create(f"{base}/namespaces/kube-system/rolebindings", reader)


def remove_permissions(api, namespace):
    base, role = f"/apis/{RBAC}/v1", f"sample-apiserver-reader-{namespace}"
    api.delete(f"{base}/clusterroles/{role}")
    for name in (f"wardler:{role}", f"wardler:{namespace}:auth-delegator"):
        api.delete(f"{base}/clusterrolebindings/{name}")
    api.delete(f"{base}/namespaces/kube-system/rolebindings/wardler-auth-reader-{namespace}")


def flunder(name, **metadata):
    return {"apiVersion": GROUP_VERSION, "kind": "Flunder", "metadata": {"name": name, **metadata}}


@pytest.mark.conformance("aggregator-supports-the-sample-apiserver")
def test_the_sample_servers_whole_story(api, typed, namespace, sample, registered):
    use_in_default(api)
    assert ("flunders", True) in preferred_resources(api)
    mine = f"/apis/{GROUP_VERSION}/namespaces/{namespace}/flunders"
    dynamic = flunder(f"dynamic-flunder-{random.randrange(10_000)}", creationTimestamp=None)
    api.create(mine, dynamic)
    assert len(api.items(mine)) == 1
    read_and_write_registration(api, typed, registered)
    path = f"{mine}/{dynamic['metadata']['name']}"
    api.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1"})
    assert api.items(mine) == []
    api.create(mine, dynamic)
    patch_status(api, registered)
    api.patch(registered, {"metadata": {"labels": {"e2e-apiservice": "patched"}}}, content_type=STRATEGIC)
    typed.delete(API_SERVICES, labelSelector="e2e-apiservice=patched")
    eventually(
        lambda: not api.items(API_SERVICES, labelSelector="e2e-apiservice=patched"), "the registration to go"
    )


def use_in_default(api):
    """With requests whose bodies name no type, as raw ones do."""
    name = f"rest-flunder-{random.randrange(2**31)}"
    body = flunder(name, labels={"sample-label": "true"}, namespace="default")
    answer = api.send("POST", IN_DEFAULT, json.dumps(body).encode(), content_type=None)
    assert answer.code == 201, answer.body
    made = answer.object
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == (GROUP_VERSION, "Flunder", name)
    assert len(api.items(IN_DEFAULT)) == 1
    api.delete(f"{IN_DEFAULT}/{name}")
    assert api.items(IN_DEFAULT) == []


def preferred_resources(api):
    """Of the group, from the discovery that clients prefer: name, and whether it is in namespaces."""
    accept = f"{AGGREGATED},{AGGREGATED.replace('v=v2;', 'v=v2beta1;')},{JSON}"

    def look():
        items = api.send("GET", "/apis", headers={"Accept": accept}).object["items"]
        return [
            (resource["resource"], resource["scope"] == "Namespaced")
            for item in items
            if item["metadata"]["name"] == GROUP
            for version in item["versions"][:1]
            for resource in version["resources"]
        ]

    return eventually(look, "the group in aggregated discovery")


def read_and_write_registration(api, typed, path):
    status = api.get(f"{path}/status")["status"]
    assert status["conditions"][0]["message"] == "all checks passed"
    patched = api.patch(path, {"spec": {"versionPriority": 400}})
    assert patched["spec"]["versionPriority"] == 400
    assert NAME in [one["metadata"]["name"] for one in api.items(API_SERVICES)]
    label = {"e2e-apiservice": "patched"}
    api.patch(path, {"metadata": {"labels": label}}, content_type=STRATEGIC)
    obj = api.get(f"{path}/status")
    added = {"type": "StatusUpdated", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    obj["status"]["conditions"].append(added)
    typed.update(f"{path}/status", obj)
    assert ("StatusUpdated", "Set from e2e test") in written(api, path)
    current = api.get(path)
    current["metadata"]["labels"] = {NAME: "updated"}
    assert typed.update(path, current)["metadata"]["labels"] == {NAME: "updated"}


def patch_status(api, path):
    """The new condition has no time: in Go that is null."""
    conditions = api.get(f"{path}/status")["status"]["conditions"]
    added = {"type": "StatusPatched", "status": "True", "reason": "E2E", "message": "Set by e2e test"}
    conditions.append({**added, "lastTransitionTime": None})
    api.patch(f"{path}/status", {"status": {"conditions": conditions}})
    assert ("StatusPatched", "Set by e2e test") in written(api, path)


def written(api, path):
    conditions = api.get(f"{path}/status")["status"]["conditions"]
    return [(one["type"], one["message"]) for one in conditions]


def test_other_servers_find_whom_to_believe(api):
    """Where delegated authentication looks: the authorities, and the headers in which users stand."""
    found = api.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")["data"]
    for key in ("client-ca-file", "requestheader-client-ca-file"):
        assert found[key].startswith("-----BEGIN CERTIFICATE-----")
    assert json.loads(found["requestheader-username-headers"]) == ["X-Remote-User"]
    assert json.loads(found["requestheader-group-headers"]) == ["X-Remote-Group"]
    assert json.loads(found["requestheader-extra-headers-prefix"]) == ["X-Remote-Extra-"]
    assert json.loads(found["requestheader-allowed-names"]) == ["front-proxy-client"]
    role = f"/apis/{RBAC}/v1/namespaces/kube-system/roles/extension-apiserver-authentication-reader"
    assert api.get(role)["rules"][0]["resourceNames"] == ["extension-apiserver-authentication"]


def test_a_sample_server_may_follow_what_it_has_to_believe(api, typed, namespace):
    """As its account: one ConfigMap by name, listed and watched by a selector, and reviews of who asks it."""
    make_permissions(typed, namespace)
    account = f"system:serviceaccount:{namespace}:default"
    groups = {"Impersonate-User": account, "Impersonate-Group": "system:serviceaccounts"}
    maps = "/api/v1/namespaces/kube-system/configmaps"
    selector = {"fieldSelector": "metadata.name=extension-apiserver-authentication", "limit": 500}

    def allowed():
        return api.send("GET", maps, query=selector, headers=groups).code == 200

    eventually(allowed, "the binding to count")
    listing = api.call("GET", maps, query=selector, headers=groups)
    assert [one["metadata"]["name"] for one in listing["items"]] == ["extension-apiserver-authentication"]
    assert api.send("GET", maps, headers=groups).code == 403
    me = api.acting_as(account, "system:serviceaccounts")
    since = listing["metadata"]["resourceVersion"]
    query = {"fieldSelector": selector["fieldSelector"], "resourceVersion": since, "timeoutSeconds": 1}
    with me.watch(maps, **query) as watch:
        assert all(kind == "BOOKMARK" for kind, _ in watch)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "nobody's"}}
    answer = api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review, headers=groups)
    assert not answer["status"].get("authenticated")
    attributes = {"verb": "list", "resource": "flunders", "group": GROUP, "namespace": "default"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": "kubernetes-admin", "groups": ["system:masters"], "resourceAttributes": attributes},
    }
    answer = api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review, headers=groups)
    assert answer["status"]["allowed"] is True
    for path in (
        "/api/v1/namespaces",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    ):
        assert api.send("GET", path, headers=groups).code == 200
    remove_permissions(api, namespace)
