"""MutatingAdmissionPolicy through the API: how policies change what is written."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_policies.conftest import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    MUTATING,
    NAMESPACES,
    Policies,
    config_map,
    deployment,
    policy,
)

from mamekube.client.client import Client
from mamekube.objects.status import StatusError

WRITES = ["CREATE", "UPDATE"]
RULES = {
    "resourceRules": [
        {
            "apiGroups": ["", "apps"],
            "apiVersions": ["v1"],
            "operations": WRITES,
            "resources": ["configmaps", "deployments"],
        }
    ]
}


def applied(expression: str) -> dict[str, Any]:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> dict[str, Any]:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def test_an_apply_configuration_sets_what_it_names_and_keeps_the_rest(
    client: Client, policies: Policies
) -> None:
    await policies.mutating(applied("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}"))
    made = await client.create(DEPLOYMENTS, deployment(replicas=2))
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "example/web:1"


async def test_annotations_by_a_map(client: Client, policies: Policies) -> None:
    await policies.mutating(applied('Object{metadata: Object.metadata{annotations: {"my-key": "my-value"}}}'))
    made = await client.create(DEPLOYMENTS, deployment(annotations={"kept": "yes"}))
    assert made["metadata"]["annotations"] == {"kept": "yes", "my-key": "my-value"}


async def test_a_container_is_added_to_a_list_with_keys(client: Client, policies: Policies) -> None:
    sidecar = 'Object.spec.template.spec.containers{name: "mesh", image: "mesh/proxy:v1"}'
    await policies.mutating(
        applied(
            "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{"
            f"containers: [{sidecar}]}}}}}}}}"
        )
    )
    made = await client.create(DEPLOYMENTS, deployment())
    containers = made["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["c", "mesh"]
    assert containers[1]["imagePullPolicy"] == "IfNotPresent", "the result is defaulted"


async def test_json_patches_may_be_worked_out(client: Client, policies: Policies) -> None:
    await policies.mutating(
        patched(
            'has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {"a": "b"}}]'
        ),
        patched(
            '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/env"), '
            'value: "test"}, JSONPatch{op: "test", path: "/metadata/name", value: "m"}]'
        ),
    )
    made = await client.create(CONFIG_MAPS, config_map("m"))
    assert made["metadata"]["labels"] == {"a": "b", "example.com/env": "test"}
    other = await client.create(CONFIG_MAPS, config_map("other"))
    assert "example.com/env" not in (other["metadata"].get("labels") or {}), (
        "a test that fails leaves all as it is"
    )


async def test_a_patch_value_may_be_an_object(client: Client, policies: Policies) -> None:
    await policies.mutating(
        patched(
            '[JSONPatch{op: "replace", path: "/spec/strategy", value: Object.spec.strategy{type: "Recreate"}}]'
        ),
        matchConstraints={
            "resourceRules": [
                {
                    "apiGroups": ["apps"],
                    "apiVersions": ["v1"],
                    "operations": WRITES,
                    "resources": ["deployments"],
                }
            ]
        },
    )
    made = await client.create(DEPLOYMENTS, deployment())
    assert made["spec"]["strategy"] == {"type": "Recreate"}


async def test_variables_conditions_and_parameters(client: Client, policies: Policies) -> None:
    await client.create(CONFIG_MAPS, config_map("settings", {"team": "blue"}))
    await policies.mutating(
        applied("Object{metadata: Object.metadata{labels: {'team': variables.team}}}"),
        variables=[{"name": "team", "expression": "params.data.team"}],
        matchConditions=[
            {
                "name": "no-team",
                "expression": "!has(object.metadata.labels) || !('team' in object.metadata.labels)",
            }
        ],
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        binding={"paramRef": {"name": "settings", "parameterNotFoundAction": "Deny"}},
        matchConstraints=RULES,
    )
    made = await client.create(CONFIG_MAPS, config_map("m"))
    assert made["metadata"]["labels"] == {"team": "blue"}
    own = await client.create(CONFIG_MAPS, config_map("n", labels={"team": "red"}))
    assert own["metadata"]["labels"] == {"team": "red"}


async def test_policies_run_in_the_order_of_their_names(client: Client, policies: Policies) -> None:
    for name in ("p2", "p1"):
        await policies.mutating(
            applied(f"Object{{data: {{'last': '{name}', '{name}': string(object.data.size())}}}}"), name=name
        )
    made = await client.create(CONFIG_MAPS, config_map("m", {"a": "b"}))
    assert made["data"] == {"a": "b", "last": "p2", "p1": "1", "p2": "3"}


@pytest.mark.parametrize(("reinvocation", "seen"), [("Never", "none"), ("IfNeeded", "late")])
async def test_a_policy_may_see_what_later_ones_changed(
    client: Client, policies: Policies, reinvocation: str, seen: str
) -> None:
    await policies.mutating(
        applied("Object{data: {'seen': object.data[?'added'].orValue('none')}}"),
        name="p1",
        reinvocationPolicy=reinvocation,
    )
    await policies.mutating(applied("Object{data: {'added': 'late'}}"), name="p2")
    made = await client.create(CONFIG_MAPS, config_map("m", {"a": "b"}))
    assert made["data"] == {"a": "b", "added": "late", "seen": seen}


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (applied("Object{data: {'a': object.data.absent}}"), "no such key: absent"),
        (
            applied("Object{metadata: Object.wrong{name: 'x'}}"),
            'type mismatch: unexpected type name "Object.wrong", expected "Object.metadata", '
            "which matches field name path from root Object type",
        ),
        (
            applied("Object{metadata: Object.metadata{ownerReferences: []}, binaryData: {}}"),
            "",
        ),
        (patched('[JSONPatch{op: "remove", path: "/data/absent/deep"}]'), "JSONPath: "),
    ],
)
async def test_a_mutation_that_cannot_be_made_refuses_the_write(
    client: Client, policies: Policies, mutation: dict[str, Any], message: str
) -> None:
    await policies.mutating(mutation, matchConstraints=RULES)
    if not message:
        await client.create(CONFIG_MAPS, config_map("m"))
        return
    with pytest.raises(StatusError) as raised:
        await client.create(CONFIG_MAPS, config_map("m", {"a": "b"}))
    error = raised.value
    assert error.message.startswith("policy 'p' with binding 'b' denied request: ")
    assert message in error.message
    assert (error.code, error.reason) == (403, "Invalid")


async def test_atomic_lists_are_not_replaced_by_accident(client: Client, policies: Policies) -> None:
    spec = "Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'c', args: ['x']}]}"
    await policies.mutating(
        applied(f"Object{{spec: Object.spec{{template: Object.spec.template{{spec: {spec}}}}}}}")
    )
    with pytest.raises(StatusError, match="may not mutate atomic arrays, maps or structs"):
        await client.create(DEPLOYMENTS, deployment())


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (applied("{'spec': 1}"), "must evaluate to Object"),
        (patched("Object{}"), "must evaluate to list(JSONPatch)"),
        (applied("Other{}"), "undeclared reference to 'Other' (in container '')"),
        ({"patchType": "Merge"}, 'Unsupported value: "Merge"'),
        ({"patchType": "JSONPatch"}, "must be specified when patchType is JSONPatch"),
    ],
)
async def test_a_mutation_that_does_not_compile_is_refused(
    client: Client, mutation: dict[str, Any], message: str
) -> None:
    spec = {"mutations": [mutation], "matchConstraints": RULES, "reinvocationPolicy": "Never"}
    with pytest.raises(StatusError) as raised:
        await client.create(MUTATING, policy(MUTATING, spec))
    assert raised.value.code == 422
    assert message in raised.value.message


COUNT = 'string(int(object.metadata.annotations["count"]) + 1)'
CONFIG_MAP_PARAMS = {"apiVersion": "v1", "kind": "ConfigMap"}


def counted(key: str) -> dict[str, Any]:
    changes = f'{{?"count": optional.of({COUNT}), "{key}": "true"}}'
    return applied(f"Object{{metadata: Object.metadata{{annotations: {changes}}}}}")


async def test_policies_that_may_are_asked_once_more_and_no_third_time(
    client: Client, policies: Policies
) -> None:
    for name, reinvocation in (("p1", "IfNeeded"), ("p2", "IfNeeded"), ("p3", "Never")):
        await policies.mutating(
            counted(name), name=name, reinvocationPolicy=reinvocation, matchConstraints=RULES
        )
    made = await client.create(CONFIG_MAPS, config_map("m", annotations={"count": "0"}))
    assert made["metadata"]["annotations"] == {"count": "5", "p1": "true", "p2": "true", "p3": "true"}


async def test_a_policy_is_asked_twice_for_each_parameter_where_others_change_what_it_saw(
    client: Client, policies: Policies
) -> None:
    for name in ("one", "two"):
        await client.create(CONFIG_MAPS, config_map(name, {name: "true"}, labels={"parameter": "yes"}))
    await policies.mutating(
        applied("Object{metadata: Object.metadata{annotations: params.data}}"),
        counted("counted"),
        reinvocationPolicy="IfNeeded",
        paramKind=CONFIG_MAP_PARAMS,
        matchConstraints={"resourceRules": [{**RULES["resourceRules"][0], "resources": ["deployments"]}]},
        binding={
            "paramRef": {
                "selector": {"matchLabels": {"parameter": "yes"}},
                "parameterNotFoundAction": "Allow",
            }
        },
    )
    made = await client.create(DEPLOYMENTS, deployment(annotations={"count": "0"}))
    assert made["metadata"]["annotations"] == {"count": "4", "one": "true", "two": "true", "counted": "true"}


async def test_a_patch_tests_what_the_mutation_before_it_made(client: Client, policies: Policies) -> None:
    await policies.mutating(
        applied('Object{metadata: Object.metadata{annotations: {"one": variables.one}}}'),
        patched(
            '[JSONPatch{op: "test", path: "/metadata/annotations", value: {"one": variables.one}}, '
            'JSONPatch{op: "add", path: "/metadata/annotations/two", value: variables.two},]'
        ),
        variables=[
            {"name": "one", "expression": '"value" + "1"'},
            {"name": "two", "expression": 'variables.one.replace("1", "2")'},
        ],
        matchConstraints=RULES,
    )
    made = await client.create(CONFIG_MAPS, config_map("m"))
    assert made["metadata"]["annotations"] == {"one": "value1", "two": "value2"}


async def test_a_status_is_changed_by_policies_about_it(client: Client, policies: Policies) -> None:
    rule = {**RULES["resourceRules"][0], "resources": ["namespaces/status"]}
    condition = 'Object.status.conditions{type: "NamespaceDeletionContentFailure", message: "mutated"}'
    await policies.mutating(
        applied(f"Object{{status: Object.status{{conditions: [{condition}]}}}}"),
        matchConstraints={"resourceRules": [rule]},
    )
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    await client.create(NAMESPACES, namespace)
    told = {"type": "NamespaceDeletionContentFailure", "status": "Unknown"}
    made = await client.update(
        NAMESPACES, {**namespace, "status": {"conditions": [told]}}, subresource="status"
    )
    assert made["status"] == {"phase": "Active", "conditions": [{**told, "message": "mutated"}]}
