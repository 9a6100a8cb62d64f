"""Admission policies: rules in CEL that refuse and change what is written."""

import pytest
from tests.conformance import lifecycle, samples
from tests.conformance.lifecycle import Resource

GROUP = "admissionregistration.k8s.io"
DEPLOYMENT_WRITES = {
    "resourceRules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments"],
        }
    ]
}
VALIDATING = Resource(
    group=GROUP,
    plural="validatingadmissionpolicies",
    kind="ValidatingAdmissionPolicy",
    spec={
        "failurePolicy": "Fail",
        "matchConstraints": DEPLOYMENT_WRITES,
        "validations": [{"expression": "object.spec.replicas <= 100"}],
    },
    subresources=("status",),
)
VALIDATING_BINDINGS = Resource(
    group=GROUP,
    plural="validatingadmissionpolicybindings",
    kind="ValidatingAdmissionPolicyBinding",
    spec={"policyName": "of-nobody", "validationActions": ["Deny"]},
)
MUTATING = Resource(
    group=GROUP,
    plural="mutatingadmissionpolicies",
    kind="MutatingAdmissionPolicy",
    spec={
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": DEPLOYMENT_WRITES,
        "mutations": [
            {
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": "Object{spec: Object.spec{replicas: 3}}"},
            }
        ],
    },
)
MUTATING_BINDINGS = Resource(
    group=GROUP,
    plural="mutatingadmissionpolicybindings",
    kind="MutatingAdmissionPolicyBinding",
    spec={"policyName": "of-nobody"},
)


@pytest.fixture
def enact(api, namespace, unique):
    """Make a policy and bind it to the test's namespace; both go with the test."""
    paths = []

    def make(policies, bindings, **spec):
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        constraints = {**DEPLOYMENT_WRITES, "namespaceSelector": selector}
        policy = policies.object(unique, {})
        policy["spec"] = {"failurePolicy": "Fail", "matchConstraints": constraints, **spec}
        api.create(policies.path, policy)
        paths.append(f"{policies.path}/{unique}")
        binding = bindings.object(unique, {})
        binding["spec"]["policyName"] = unique
        api.create(bindings.path, binding)
        paths.append(f"{bindings.path}/{unique}")

    yield make
    for path in reversed(paths):
        api.delete(path)


@pytest.mark.conformance(
    "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment "
    "[Conformance]"
)
def test_a_policy_refuses_deployments(api, apps, enact):
    message = "wants an even number of replicas"
    enact(
        VALIDATING,
        VALIDATING_BINDINGS,
        validations=[
            {
                "expression": "object.spec.replicas > 1",
                "messageExpression": "'wants replicas > 1, got ' + string(object.spec.replicas)",
            },
            {"expression": "object.spec.replicas % 2 == 0", "message": message},
        ],
    )
    deployments = f"{apps}/deployments"
    refused = api.refusal("POST", deployments, samples.deployment("one", 1))
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert "ValidatingAdmissionPolicy" in refused.message
    assert "denied request: wants replicas > 1, got 1" in refused.message
    assert message in api.refusal("POST", deployments, samples.deployment("three", 3)).message
    made = api.create(deployments, samples.deployment("two", 2))
    made["spec"]["replicas"] = 1
    del made["metadata"]["resourceVersion"]  # The controller may have written to it by now.
    assert "got 1" in api.refusal("PUT", f"{deployments}/two", made).message


@pytest.mark.conformance(
    "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer "
    "variables. [Conformance]"
)
def test_expressions_use_variables(api, apps, enact):
    enact(
        VALIDATING,
        VALIDATING_BINDINGS,
        variables=[
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
        ],
        validations=[
            {"expression": "variables.replicas > 1"},
            {"expression": "variables.oddReplicas"},
        ],
    )
    deployments = f"{apps}/deployments"
    refused = api.refusal("POST", deployments, samples.deployment("one", 1))
    assert "failed expression: variables.replicas > 1" in refused.message
    refused = api.refusal("POST", deployments, samples.deployment("two", 2))
    assert "failed expression: variables.oddReplicas" in refused.message
    api.create(deployments, samples.deployment("three", 3))


@pytest.mark.conformance(
    "[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment [Conformance]"
)
def test_a_policy_changes_deployments(api, apps, enact):
    odd = "object.spec.replicas % 2 == 0 ? object.spec.replicas + 1 : object.spec.replicas"
    expression = f"Object{{spec: Object.spec{{replicas: {odd}}}}}"
    enact(
        MUTATING,
        MUTATING_BINDINGS,
        reinvocationPolicy="Never",
        mutations=[
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}},
        ],
    )
    deployments = f"{apps}/deployments"
    assert api.create(deployments, samples.deployment("even", 2))["spec"]["replicas"] == 3
    assert api.create(deployments, samples.deployment("odd", 1))["spec"]["replicas"] == 1
    assert api.get(f"{deployments}/even")["spec"]["replicas"] == 3


@pytest.mark.conformance(
    "[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment with "
    "annotations [Conformance]"
)
def test_a_policy_annotates_deployments(api, apps, enact):
    expression = 'Object{metadata: Object.metadata{annotations: {"my-key": "my-value"}}}'
    enact(
        MUTATING,
        MUTATING_BINDINGS,
        reinvocationPolicy="Never",
        mutations=[
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}},
        ],
    )
    deployment = samples.deployment("one", 1)
    deployment["metadata"]["annotations"] = {"mine": "kept"}
    made = api.create(f"{apps}/deployments", deployment)
    assert made["metadata"]["annotations"]["my-key"] == "my-value"
    assert made["metadata"]["annotations"]["mine"] == "kept"


def condition(text):
    return {
        "type": text,
        "status": "True",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "reason": "Tested",
        "message": text,
    }


@pytest.mark.conformance("ValidatingAdmissionPolicy API")
def test_validating_policies_take_every_verb(api, unique):
    lifecycle.check_discovery(api, VALIDATING)
    lifecycle.check_verbs(api, VALIDATING, unique)
    lifecycle.check_status(api, VALIDATING, unique, [condition("StatusPatched"), condition("StatusUpdated")])


@pytest.mark.conformance("ValidatingadmissionPolicyBinding API")
def test_bindings_of_validating_policies_take_every_verb(api, unique):
    lifecycle.check_discovery(api, VALIDATING_BINDINGS)
    lifecycle.check_verbs(api, VALIDATING_BINDINGS, unique)


@pytest.mark.conformance("MutatingAdmissionPolicy API")
def test_mutating_policies_take_every_verb(api, unique):
    lifecycle.check_discovery(api, MUTATING)
    lifecycle.check_verbs(api, MUTATING, unique)


@pytest.mark.conformance("MutatingAdmissionPolicyBinding API")
def test_bindings_of_mutating_policies_take_every_verb(api, unique):
    lifecycle.check_discovery(api, MUTATING_BINDINGS)
    lifecycle.check_verbs(api, MUTATING_BINDINGS, unique)
