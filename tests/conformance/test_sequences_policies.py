"""Admission policies, by the very requests of upstream's suite."""

import random

import pytest
from tests.conformance.api import APPLY, JSON, Refused, eventually
from tests.conformance.definitions import DEFINITIONS
from tests.conformance.typed import Typed

GROUP = "admissionregistration.k8s.io"
BASE = f"/apis/{GROUP}/v1"
PATHS = {
    "ValidatingAdmissionPolicy": f"{BASE}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{BASE}/validatingadmissionpolicybindings",
    "MutatingAdmissionPolicy": f"{BASE}/mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": f"{BASE}/mutatingadmissionpolicybindings",
}
OF_DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}


@pytest.fixture
def labelled(api, namespace):
    """The suite labels the namespace with its own name, and policies ask for that label."""
    patch = {"metadata": {"labels": {namespace: "true"}}}
    api.patch(f"/api/v1/namespaces/{namespace}", patch, content_type="application/strategic-merge-patch+json")
    return namespace


@pytest.fixture
def make(api, labelled):
    """Create policies and bindings of the labelled namespace; they go with the test."""
    made = []

    def create(kind, name, spec):
        name = f"{labelled}.{name}.example.com"
        obj = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        made.append(f"{PATHS[kind]}/{name}")
        return api.create(PATHS[kind], obj)

    yield create
    for path in reversed(made):
        api.delete(path)


def selected(namespace):
    return {"namespaceSelector": {"matchLabels": {namespace: "true"}}}


def constraints(namespace, rule=OF_DEPLOYMENTS):
    return {**selected(namespace), "resourceRules": [{"operations": ["CREATE", "UPDATE"], **rule}]}


def enact(make, namespace, *validations, **spec):
    spec = {"matchConstraints": constraints(namespace), "validations": list(validations), **spec}
    policy = make("ValidatingAdmissionPolicy", "policy", spec)
    binding = {
        "policyName": policy["metadata"]["name"],
        "matchResources": selected(namespace),
        "validationActions": ["Deny"],
    }
    make("ValidatingAdmissionPolicyBinding", "binding", binding)


def workload(kind, name, replicas):
    labels = {"app": "nginx"}
    container = {"name": "nginx", "image": "nginx:latest"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.mark.parametrize(
    ("validations", "spec", "allowed"),
    [
        pytest.param(
            [
                {
                    "expression": "object.spec.replicas > 1",
                    "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas",
                },
                {
                    "expression": "namespaceObject.metadata.name == '{namespace}'",
                    "message": "Internal error! Other namespace should not be allowed.",
                },
            ],
            {},
            2,
            marks=pytest.mark.conformance(
                "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a "
                "Deployment [Conformance]"
            ),
            id="replicas",
        ),
        pytest.param(
            [{"expression": "variables.replicas > 1"}, {"expression": "variables.oddReplicas"}],
            {
                "variables": [
                    {"name": "replicas", "expression": "object.spec.replicas"},
                    {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
                ]
            },
            3,
            marks=pytest.mark.conformance(
                "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to "
                "refer variables. [Conformance]"
            ),
            id="variables",
        ),
    ],
)
def test_deployments_of_one_replica_are_invalid(api, apps, labelled, make, validations, spec, allowed):
    """The message's expression adds a number to a text, which fails: the message is the usual one then."""
    named = [{key: text.replace("{namespace}", labelled) for key, text in one.items()} for one in validations]
    enact(make, labelled, *named, **spec)

    def denied():
        answer = api.send("POST", f"{apis_deployments}", workload("Deployment", "marker-deployment", 1))
        api.send("DELETE", f"{apis_deployments}/marker-deployment")
        assert answer.code == 201 or answer.object["reason"] == "Invalid", answer.body
        return answer.code == 422 and answer.object

    apis_deployments = f"{apps}/deployments"
    status = eventually(denied, "the policy to act")
    assert f"failed expression: {validations[0]['expression']}" in status["message"]
    api.create(apis_deployments, workload("Deployment", "replicated", allowed))
    api.create(f"{apps}/replicasets", workload("ReplicaSet", "non-replicated", 1))


# Types ------------------------------------------------------------------------------------------------------------


def warnings(api, policy, *, empty):
    """The warnings of the type check, as soon as it is done; a policy that should have some is touched until then."""
    path = f"{PATHS['ValidatingAdmissionPolicy']}/{policy['metadata']['name']}"

    def checked():
        status = api.get(path).get("status", {})
        if status.get("typeChecking") is None:
            return None
        found = status["typeChecking"].get("expressionWarnings") or []
        if not found and not empty:
            labels = {"touched": f"a{random.getrandbits(32)}"}
            applied = {
                "kind": "ValidatingAdmissionPolicy",
                "apiVersion": f"{GROUP}/v1",
                "metadata": {"name": policy["metadata"]["name"], "labels": labels},
            }
            query = {"fieldManager": "validatingadmissionpolicy-e2e", "force": "false"}
            api.call("PATCH", path, applied, content_type=APPLY, query=query)
            return None
        return (found,)

    (found,) = eventually(checked, "the type check")
    return [(one["fieldRef"], one["warning"]) for one in found]


def check_warnings(found, *expected):
    assert [field for field, _ in found] == [field for field, _ in expected]
    for (_, warning), (_, text) in zip(found, expected, strict=True):
        assert text in warning


def test_the_types_of_expressions_are_checked(api, labelled, make):
    spec = {
        "matchConstraints": constraints(labelled),
        "validations": [{"expression": "object.spec.replicas > 1"}],
    }
    assert warnings(api, make("ValidatingAdmissionPolicy", "correct-policy", spec), empty=True) == []
    confused = {
        "expression": "object.spec.replicas > '1'",
        "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas",
    }
    policy = make("ValidatingAdmissionPolicy", "confused-policy", {**spec, "validations": [confused]})
    check_warnings(
        warnings(api, policy, empty=False),
        ("spec.validations[0].expression", "found no matching overload for '_>_' applied to '(int, string)'"),
        (
            "spec.validations[0].messageExpression",
            "found no matching overload for '_+_' applied to '(string, int)'",
        ),
    )


def test_the_types_of_custom_resources_are_checked(api, labelled, make):
    group = f"stable.{labelled}"
    spec = {"cronSpec": {"type": "string"}, "image": {"type": "string"}, "replicas": {"type": "integer"}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    names = {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"]}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"crontabs.{group}"},
        "spec": {"group": group, "versions": [version], "scope": "Namespaced", "names": names},
    }
    Typed(api).create(DEFINITIONS, crd)
    eventually(lambda: f"apis/{group}/v1" in api.get("/openapi/v3")["paths"], "the schema")
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "resources": ["crontabs"]}
    spec = {
        "matchConstraints": constraints(labelled, rule),
        "validations": [{"expression": "object.spec.replicas > 1"}],
    }
    assert warnings(api, make("ValidatingAdmissionPolicy", "correct-crd-policy", spec), empty=True) == []
    spec["validations"] = [
        {"expression": "object.spec.replicas > '1'"},
        {"expression": "object.spec.maxRetries < 10"},
    ]
    check_warnings(
        warnings(api, make("ValidatingAdmissionPolicy", "confused-crd-policy", spec), empty=False),
        ("spec.validations[0].expression", "found no matching overload for '_>_' applied to '(int, string)'"),
        ("spec.validations[1].expression", "undefined field 'maxRetries'"),
    )
    api.delete(f"{DEFINITIONS}/crontabs.{group}")


# Mutating ---------------------------------------------------------------------------------------------------------


EXPRESSION = """
                            Object{
                                metadata: Object.metadata{
                                    annotations: {
                                        "mutated-by": "admission-policy"
                                    }
                                }
                            }"""


@pytest.mark.parametrize(
    ("expression", "mutated"),
    [
        pytest.param(
            EXPRESSION,
            lambda obj: obj["metadata"].get("annotations", {}).get("mutated-by") == "admission-policy",
            marks=pytest.mark.conformance(
                "[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment with "
                "annotations [Conformance]"
            ),
            id="annotations",
        ),
        pytest.param(
            "Object{spec: Object.spec{replicas: 1337}}",
            lambda obj: obj["spec"]["replicas"] == 1337,
            marks=pytest.mark.conformance(
                "[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment "
                "[Conformance]"
            ),
            id="replicas",
        ),
    ],
)
def test_a_marker_is_mutated(api, apps, labelled, make, expression, mutated):
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    spec = {
        "matchConstraints": constraints(labelled),
        "mutations": [mutation],
        "reinvocationPolicy": "Never",
    }
    policy = make("MutatingAdmissionPolicy", "policy", spec)
    binding = {"policyName": policy["metadata"]["name"], "matchResources": selected(labelled)}
    make("MutatingAdmissionPolicyBinding", "binding", binding)

    def marker():
        made = api.create(f"{apps}/deployments", workload("Deployment", "marker-deployment", 1))
        api.delete(f"{apps}/deployments/marker-deployment")
        return mutated(made)

    eventually(marker, "the policy to act")


# Verbs ------------------------------------------------------------------------------------------------------------


CREATES = {"resourceRules": [{"operations": ["CREATE"], **OF_DEPLOYMENTS}]}
SPECS = {
    "ValidatingAdmissionPolicy": {
        "validations": [{"expression": "object.spec.replicas <= 100"}],
        "matchConstraints": CREATES,
    },
    "ValidatingAdmissionPolicyBinding": {
        "policyName": "replicalimit-policy.example.com",
        "validationActions": ["Deny"],
    },
    "MutatingAdmissionPolicy": {
        "reinvocationPolicy": "Never",
        "mutations": [
            {
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": "Object{spec: Object.spec{replicas: 100}}"},
            }
        ],
        "matchConstraints": CREATES,
    },
    "MutatingAdmissionPolicyBinding": {"policyName": "replicalimit-policy.example.com"},
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            "ValidatingAdmissionPolicy", marks=pytest.mark.conformance("ValidatingAdmissionPolicy API")
        ),
        pytest.param(
            "ValidatingAdmissionPolicyBinding",
            marks=pytest.mark.conformance("ValidatingadmissionPolicyBinding API"),
        ),
        pytest.param("MutatingAdmissionPolicy", marks=pytest.mark.conformance("MutatingAdmissionPolicy API")),
        pytest.param(
            "MutatingAdmissionPolicyBinding",
            marks=pytest.mark.conformance("MutatingAdmissionPolicyBinding API"),
        ),
    ],
)
def test_typed_clients_do_everything_with_policies(api, unique, kind):
    typed, path = Typed(api), PATHS[kind]
    (group,) = [one for one in api.get("/apis")["groups"] if one["name"] == GROUP]
    assert "v1" in [one["version"] for one in group["versions"]]
    metadata = {"generateName": "e2e-example-", "labels": {"example-e2e-label": unique}}
    template = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "spec": SPECS[kind]}
    *_, made = [typed.create(path, template) for _ in range(3)]
    mine, selector = f"{path}/{made['metadata']['name']}", f"example-e2e-label={unique}"
    assert api.get(mine)["metadata"]["uid"] == made["metadata"]["uid"]
    since = api.get(path, labelSelector=selector)["metadata"]["resourceVersion"]
    with api.watch(path, labelSelector=selector, resourceVersion=since) as watch:
        change_by_types(api, typed, mine, kind)
        while True:
            happened, obj = watch.next()
            assert happened == "MODIFIED"
            if obj["metadata"].get("annotations", {}).get("patched") == "true":
                break
    if kind == "ValidatingAdmissionPolicy":
        change_status(api, typed, mine, made)
    typed.delete(mine)
    assert api.refusal("GET", mine).reason == "NotFound"
    assert len(api.items(path, labelSelector=selector)) == 2
    typed.delete(path, labelSelector=selector)
    assert api.items(path, labelSelector=selector) == []


SWITCHED = {
    "ValidatingAdmissionPolicy": ("failurePolicy", "Ignore", "Fail"),
    "MutatingAdmissionPolicy": ("reinvocationPolicy", "IfNeeded", "Never"),
}
"""A field of the spec, and what it is patched and updated to."""


def change_by_types(api, typed, path, kind):
    field, first, second = SWITCHED.get(kind, ("", "", ""))
    before = api.get(path)
    patch = {"metadata": {"annotations": {"patched": "true"}}}
    patched = api.patch(path, {**patch, "spec": {field: first}} if field else patch)
    assert patched["metadata"]["annotations"]["patched"] == "true"
    assert not field or patched["spec"][field] == first
    assert revision(before) < revision(patched)

    def change(obj):
        obj["metadata"]["annotations"]["updated"] = "true"
        if field:
            obj["spec"][field] = second

    updated = update(api, typed, path, path, change)
    assert updated["metadata"]["annotations"]["updated"] == "true"
    assert not field or updated["spec"][field] == second
    assert revision(patched) < revision(updated)


def revision(obj):
    """Comparable: a number, written one way only."""
    text = obj["metadata"]["resourceVersion"]
    assert str(int(text)) == text
    return int(text)


def update(api, typed, path, place, change):
    """With a new try after a conflict, as the suite updates."""

    def attempt():
        obj = api.get(path)
        change(obj)
        try:
            return typed.update(place, obj)
        except Refused as error:
            assert error.reason == "Conflict"
            return None

    return eventually(attempt, "an update without a conflict")


def change_status(api, typed, path, made):
    read = api.call("GET", f"{path}/status", headers={"Accept": JSON})
    assert (read["apiVersion"], read["kind"]) == (f"{GROUP}/v1", "ValidatingAdmissionPolicy")
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    condition = {
        "type": "PatchStatusFailed",
        "status": "False",
        "reason": "e2e",
        "message": "Set from an e2e test",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
    }
    patched = api.patch(f"{path}/status", {"status": {"conditions": [condition]}})
    assert "PatchStatusFailed" in [one["type"] for one in patched["status"]["conditions"]]
    added = {**condition, "type": "StatusUpdateFailed", "reason": "E2E"}
    updated = update(
        api, typed, path, f"{path}/status", lambda obj: obj["status"]["conditions"].append(added)
    )
    assert "StatusUpdateFailed" in [one["type"] for one in updated["status"]["conditions"]]
