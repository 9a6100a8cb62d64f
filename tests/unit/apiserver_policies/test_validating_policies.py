"""ValidatingAdmissionPolicy through the API: what is refused, in which words, and what is let through."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import CRONTABS, crontab, definition, established, version
from tests.unit.apiserver_policies.conftest import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    VALIDATING,
    Policies,
    config_map,
    deployment,
    policy,
    resource,
    settle,
)

from mamekube.apiserver.api import Payload
from mamekube.apiserver.request import parse_request
from mamekube.apiserver.server import ApiServer
from mamekube.client.client import Client
from mamekube.objects.status import StatusError

FIVE = {"expression": "object.spec.replicas <= 5"}
ON_CONFIG_MAPS = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    ]
}


async def refused(client: Client, resource: Any, obj: dict[str, Any]) -> StatusError:
    with pytest.raises(StatusError) as raised:
        await client.create(resource, obj)
    return raised.value


async def refusal_of_map(client: Client, data: dict[str, str] | None = None, **meta: Any) -> str:
    error = await refused(client, CONFIG_MAPS, config_map("m", data, **meta))
    return error.message.partition("denied request: ")[2]


async def test_a_write_that_breaks_an_expression_is_refused_in_upstreams_words(
    client: Client, policies: Policies
) -> None:
    await policies.validating(FIVE)
    error = await refused(client, DEPLOYMENTS, deployment(replicas=6))
    message = (
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
        "failed expression: object.spec.replicas <= 5"
    )
    assert error.message == f'deployments.apps "web" is forbidden: {message}'
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.details["causes"] == [{"message": message}]
    made = await client.create(DEPLOYMENTS, deployment(replicas=5))
    assert made["spec"]["replicas"] == 5


async def test_message_reason_and_message_expression(client: Client, policies: Policies) -> None:
    rule = {
        "expression": "object.data.size() == 0",
        "message": " no data ",
        "messageExpression": "'has ' + string(object.data.size()) + ' in ' + object.metadata.name",
        "reason": "Forbidden",
    }
    await policies.validating(rule, matchConstraints=ON_CONFIG_MAPS)
    error = await refused(client, CONFIG_MAPS, config_map("m", {"a": "1"}))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message.endswith("denied request: has 1 in m")


@pytest.mark.parametrize("expression", ["object.data.absent", "'a\\nb'", "'  '"])
async def test_a_message_expression_that_is_no_good_gives_way_to_the_message(
    client: Client, policies: Policies, expression: str
) -> None:
    rule = {"expression": "false", "message": "never", "messageExpression": f"string({expression})"}
    await policies.validating(rule, matchConstraints=ON_CONFIG_MAPS)
    assert await refusal_of_map(client) == "never"


async def test_expressions_refer_to_variables_and_those_to_each_other(
    client: Client, policies: Policies
) -> None:
    variables = [
        {"name": "replicas", "expression": "object.spec.replicas"},
        {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
    ]
    await policies.validating(
        {"expression": "variables.replicas > 1"}, {"expression": "variables.oddReplicas"}, variables=variables
    )
    error = await refused(client, DEPLOYMENTS, deployment(replicas=1))
    assert error.message.endswith("denied request: failed expression: variables.replicas > 1")
    error = await refused(client, DEPLOYMENTS, deployment(replicas=4))
    assert error.message.endswith("denied request: failed expression: variables.oddReplicas")
    await client.create(DEPLOYMENTS, deployment(replicas=3))


async def test_an_error_of_an_expression_follows_the_failure_policy(
    client: Client, policies: Policies
) -> None:
    broken = {"expression": "object.data.absent == 'x'"}
    await policies.validating(broken, matchConstraints=ON_CONFIG_MAPS)
    assert await refusal_of_map(client, {"a": "1"}) == (
        "expression 'object.data.absent == 'x'' resulted in error: no such key: absent"
    )
    await client.patch(VALIDATING, "p", {"spec": {"failurePolicy": "Ignore"}})
    await settle()
    await client.create(CONFIG_MAPS, config_map("m", {"a": "1"}))


async def test_a_variable_that_fails_is_named(client: Client, policies: Policies) -> None:
    variables = [{"name": "foo", "expression": "object.data.absent"}]
    await policies.validating(
        {"expression": "variables.foo == 'x'"}, variables=variables, matchConstraints=ON_CONFIG_MAPS
    )
    assert await refusal_of_map(client, {"a": "1"}) == (
        "expression 'variables.foo == 'x'' resulted in error: "
        'composited variable "foo" fails to evaluate: no such key: absent'
    )


async def test_what_costs_too_much_is_stopped(client: Client, policies: Policies) -> None:
    digits = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
    nested = "a < 10"
    for name in "abcdef":
        nested = f"{digits}.all({name}, {nested})"
    await policies.validating({"expression": nested}, matchConstraints=ON_CONFIG_MAPS)
    assert (await refusal_of_map(client)).endswith(
        "resulted in error: operation cancelled: actual cost limit exceeded"
    )


async def test_conditions_choose_among_the_writes(client: Client, policies: Policies) -> None:
    conditions = [{"name": "not-exempt", "expression": "!object.metadata.name.startsWith('exempt')"}]
    await policies.validating(
        {"expression": "false"}, matchConditions=conditions, matchConstraints=ON_CONFIG_MAPS
    )
    assert await refusal_of_map(client)
    await client.create(CONFIG_MAPS, config_map("exempt-1"))


async def test_a_condition_without_a_value_refuses(client: Client, policies: Policies) -> None:
    conditions = [{"name": "broken", "expression": "object.data.absent == 'x'"}]
    await policies.validating(
        {"expression": "true"}, matchConditions=conditions, matchConstraints=ON_CONFIG_MAPS
    )
    assert (await refusal_of_map(client, {"a": "1"})).endswith("no such key: absent")


@pytest.mark.parametrize(
    ("match", "meta", "denied"),
    [
        ({"objectSelector": {"matchLabels": {"watch": "me"}}}, {"labels": {"watch": "me"}}, True),
        ({"objectSelector": {"matchLabels": {"watch": "me"}}}, {}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, {}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, {}, False),
        ({"excludeResourceRules": ON_CONFIG_MAPS["resourceRules"]}, {}, False),
    ],
)
@pytest.mark.parametrize("where", ["policy", "binding"])
async def test_selectors_and_exclusions_of_policies_and_bindings(
    client: Client, policies: Policies, match: dict[str, Any], meta: dict[str, Any], denied: bool, where: str
) -> None:
    constraints = {**ON_CONFIG_MAPS, **(match if where == "policy" else {})}
    binding = {"matchResources": match} if where == "binding" else {}
    await policies.validating({"expression": "false"}, matchConstraints=constraints, binding=binding)
    if denied:
        assert await refusal_of_map(client, **meta) == "failed expression: false"
    else:
        await client.create(CONFIG_MAPS, config_map("m", **meta))


async def test_a_rule_may_be_about_some_names_only(client: Client, policies: Policies) -> None:
    rule = {**ON_CONFIG_MAPS["resourceRules"][0], "resourceNames": ["locked"]}
    await policies.validating({"expression": "false"}, matchConstraints={"resourceRules": [rule]})
    await client.create(CONFIG_MAPS, config_map("open"))
    await refused(client, CONFIG_MAPS, config_map("locked"))


async def test_the_old_object_and_deletions_are_seen(client: Client, policies: Policies) -> None:
    await client.create(CONFIG_MAPS, config_map("m", {"a": "1"}))
    keep = {
        "expression": "request.operation != 'DELETE' && (oldObject == null || object.data == oldObject.data)"
    }
    await policies.validating(keep, matchConstraints=ON_CONFIG_MAPS)
    await client.patch(CONFIG_MAPS, "m", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
    with pytest.raises(StatusError, match="failed expression"):
        await client.patch(CONFIG_MAPS, "m", {"data": {"a": "2"}}, namespace="default")
    with pytest.raises(StatusError, match="failed expression"):
        await client.delete(CONFIG_MAPS, "m", namespace="default")


@pytest.mark.parametrize(
    "expression",
    [
        "request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups",
        "request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'",
        "request.name == 'm' && request.namespace == 'default' && !request.dryRun",
        "namespaceObject.metadata.name == 'default' && namespaceObject.status.phase == 'Active'",
        "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()",
        "authorizer.requestResource.check('delete').allowed()",
        "!authorizer.serviceAccount('default', 'nobody').path('/metrics').check('get').allowed()",
        "params == null || true",
        "object.?data.?absent.orValue('none') == 'none'",
    ],
)
async def test_what_expressions_see(client: Client, policies: Policies, expression: str) -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"} if "params" in expression else None
    spec = {"paramKind": kind} if kind else {}
    await policies.validating({"expression": expression}, matchConstraints=ON_CONFIG_MAPS, **spec)
    await client.create(CONFIG_MAPS, config_map("m"))


async def test_warnings_in_place_of_a_refusal(server: ApiServer, client: Client, policies: Policies) -> None:
    await policies.validating(
        {"expression": "false", "message": "not nice"},
        matchConstraints=ON_CONFIG_MAPS,
        binding={"validationActions": ["Warn", "Audit"]},
    )
    request = parse_request("POST", "/api/v1/namespaces/default/configmaps", headers={})
    await server.api.serve(request, Payload(value=config_map("m")))
    assert request.warnings == [
        "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': not nice"
    ]


# Parameters ---------------------------------------------------------------------------------------------

PARAMS = {"apiVersion": "v1", "kind": "ConfigMap"}
LIMIT = {"expression": "object.spec.replicas <= int(params.data.max)"}


async def test_a_parameter_by_name(client: Client, policies: Policies) -> None:
    await client.create(CONFIG_MAPS, config_map("limits", {"max": "2"}))
    reference = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
    await policies.validating(LIMIT, paramKind=PARAMS, binding={"paramRef": reference})
    await client.create(DEPLOYMENTS, deployment("fits", 2))
    await refused(client, DEPLOYMENTS, deployment("big", 3))


@pytest.mark.parametrize("read_as", ["v1", "v2"])
async def test_a_custom_resource_as_parameter(client: Client, policies: Policies, read_as: str) -> None:
    await established(client, definition(version("v1"), version("v2", storage=False)))
    await client.create(CRONTABS, crontab("limits", spec={"max": 2}))
    await policies.validating(
        {"expression": f"object.spec.replicas <= params.spec.max && params.apiVersion.endsWith('{read_as}')"},
        paramKind={"apiVersion": f"{CRONTABS.group}/{read_as}", "kind": CRONTABS.kind},
        binding={"paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"}},
    )
    await client.create(DEPLOYMENTS, deployment("fits", 2))
    error = await refused(client, DEPLOYMENTS, deployment("big", 3))
    assert "denied request: failed expression: object.spec.replicas" in error.message


async def test_every_parameter_that_a_selector_finds_must_agree(client: Client, policies: Policies) -> None:
    for name, most in (("one", "4"), ("two", "2")):
        await client.create(CONFIG_MAPS, config_map(name, {"max": most}, labels={"limits": "yes"}))
    reference = {"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Deny"}
    await policies.validating(LIMIT, paramKind=PARAMS, binding={"paramRef": reference})
    await client.create(DEPLOYMENTS, deployment("fits", 2))
    await refused(client, DEPLOYMENTS, deployment("big", 3))


@pytest.mark.parametrize("action", ["Allow", "Deny"])
async def test_a_parameter_that_is_not_there(client: Client, policies: Policies, action: str) -> None:
    reference = {"name": "absent", "namespace": "default", "parameterNotFoundAction": action}
    await policies.validating(LIMIT, paramKind=PARAMS, binding={"paramRef": reference})
    if action == "Allow":
        await client.create(DEPLOYMENTS, deployment())
    else:
        error = await refused(client, DEPLOYMENTS, deployment())
        assert error.message.endswith(
            "denied request: failed to configure binding: "
            "no params found for policy binding with `Deny` parameterNotFoundAction"
        )


async def test_a_kind_of_parameters_that_is_not_there(client: Client, policies: Policies) -> None:
    await policies.validating(
        LIMIT,
        paramKind={"apiVersion": "example.com/v1", "kind": "Limit"},
        binding={"paramRef": {"name": "x", "parameterNotFoundAction": "Deny"}},
    )
    error = await refused(client, DEPLOYMENTS, deployment())
    assert error.message.endswith(
        "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: "
        "failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'"
    )


# Writing policies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"validations": [{"expression": "object.spec.replicas +"}]},
            'spec.validations[0].expression: Invalid value: "object.spec.replicas +": '
            "compilation failed: ERROR: <input>:1:23: Syntax error: mismatched input '<EOF>' expecting",
        ),
        (
            {"validations": [{"expression": "unknown == 1"}]},
            "undeclared reference to 'unknown' (in container '')",
        ),
        ({"validations": [{"expression": "object.spec.paused"}]}, "must evaluate to bool"),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string',
        ),
        (
            {"validations": [{"expression": "variables.b"}], "variables": [{"name": "a", "expression": "1"}]},
            "undefined field 'b'",
        ),
        (
            {"matchConditions": [{"name": "x", "expression": "request.foo == 1"}]},
            "spec.matchConditions[0].expression",
        ),
        ({"validations": [{"expression": "true", "reason": "Whatever"}]}, "Unsupported value"),
        ({"validations": [{"expression": "params.x == 1"}]}, "undeclared reference to 'params'"),
    ],
)
async def test_a_policy_that_does_not_compile_is_refused(
    client: Client, spec: dict[str, Any], message: str
) -> None:
    whole = {"validations": [{"expression": "true"}], "matchConstraints": ON_CONFIG_MAPS, **spec}
    error = await refused(client, VALIDATING, policy(VALIDATING, whole))
    assert error.code == 422
    assert message in error.message


async def test_policies_are_not_about_policies(client: Client, policies: Policies) -> None:
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    await policies.validating({"expression": "false"}, matchConstraints={"resourceRules": [everything]})
    await refused(client, NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    await client.delete(VALIDATING, "p")
    await settle()
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})


NULL_PARAMS = "expression '{expression}' resulted in error: no such key: metadata"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("params != null && object.metadata.name == params.metadata.name", "failed expression: {expression}"),
        ("object.metadata.name == params.metadata.name", NULL_PARAMS),
        ("(has(params.metadata) && has(params.metadata.name)) || object.metadata.name == 'm'", ""),
    ],
)
async def test_parameters_that_the_binding_does_not_name_are_null(
    client: Client, policies: Policies, expression: str, message: str
) -> None:
    await policies.validating({"expression": expression}, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    if not message:
        await client.create(CONFIG_MAPS, config_map("m"))
        return
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("m"))
    assert refused.value.message.endswith("denied request: " + message.format(expression=expression))


async def test_another_kind_of_parameters_counts_from_then_on(client: Client, policies: Policies) -> None:
    secrets = resource("", "secrets", "Secret")
    await client.create(CONFIG_MAPS, config_map("same"))
    await client.create(
        secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "same", "namespace": "default"}}
    )
    await policies.validating(
        {"expression": "object.metadata.name.startsWith(params.kind.lowerAscii())"},
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        binding={"paramRef": {"name": "same", "namespace": "default", "parameterNotFoundAction": "Deny"}},
    )
    await client.create(CONFIG_MAPS, config_map("configmap-a"))
    await client.patch(VALIDATING, "p", {"spec": {"paramKind": {"kind": "Secret"}}})
    await settle()
    await client.create(CONFIG_MAPS, config_map("secret-a"))
    with pytest.raises(StatusError, match="failed expression"):
        await client.create(CONFIG_MAPS, config_map("configmap-b"))


REVIEWS: dict[tuple[str, str], dict[str, Any]] = {
    ("authentication.k8s.io", "SelfSubjectReview"): {},
    ("authentication.k8s.io", "TokenReview"): {"token": "unknown"},
    ("authorization.k8s.io", "SelfSubjectRulesReview"): {"namespace": "default"},
    ("authorization.k8s.io", "SelfSubjectAccessReview"): {
        "nonResourceAttributes": {"path": "/", "verb": "get"}
    },
    ("authorization.k8s.io", "SubjectAccessReview"): {
        "user": "a",
        "nonResourceAttributes": {"path": "/", "verb": "get"},
    },
}


async def test_no_policy_is_about_questions_of_identity_and_access(
    client: Client, policies: Policies
) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    await policies.validating({"expression": "false"}, matchConstraints={"resourceRules": [rule]})
    with pytest.raises(StatusError, match="failed expression"):
        await client.create(CONFIG_MAPS, config_map("m"))
    for (group, kind), spec in REVIEWS.items():
        asked = resource(group, f"{kind.lower()}s", kind, namespaced=False)
        answer = await client.create(asked, {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec})
        assert answer["status"], kind
