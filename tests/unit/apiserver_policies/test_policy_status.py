"""What the status of a policy says about the types of its expressions."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_policies.conftest import VALIDATING, Policies, policy

from mamekube.apiserver.policy_status import check
from mamekube.client.client import Client
from mamekube.kinds.registry import builtin_registry

RULES = {
    "resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
    ]
}


def warnings(*expressions: str, **spec: Any) -> list[dict[str, str]]:
    validations = [{"expression": expression} for expression in expressions]
    return check(
        policy(VALIDATING, {"matchConstraints": RULES, "validations": validations, **spec}),
        builtin_registry(),
    )


@pytest.mark.parametrize(
    ("expression", "warning"),
    [
        ("object.spec.replicas > 1", ""),
        ("object.spec.template.spec.containers.all(c, c.image.startsWith('x'))", ""),
        ("object.metadata.creationTimestamp < timestamp('2030-01-01T00:00:00Z')", ""),
        ("object.spec.template.spec.containers.all(c, c.livenessProbe.httpGet.port == 80)", ""),
        ("object.kind == 'Deployment' && has(object.status.replicas)", ""),
        (
            "object.foo > 1",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'foo'\n"
            " | object.foo > 1\n"
            " | ......^",
        ),
        (
            "object.spec.replicas > '1'",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to "
            "'(int, string)'\n"
            " | object.spec.replicas > '1'\n"
            " | .....................^",
        ),
    ],
)
def test_expressions_are_held_against_the_kinds_that_the_policy_names(expression: str, warning: str) -> None:
    found = warnings("true", expression)
    assert found == ([{"fieldRef": "spec.validations[1].expression", "warning": warning}] if warning else [])


def test_variables_have_the_types_of_their_expressions() -> None:
    variables = [{"name": "count", "expression": "object.spec.replicas"}]
    (found,) = warnings("variables.count.foo == 1", variables=variables)
    assert "type 'int' does not support field selection" in found["warning"]


def test_nothing_is_said_about_kinds_behind_wildcards() -> None:
    rule = {**RULES["resourceRules"][0], "resources": ["*"]}
    assert warnings("object.foo > 1", matchConstraints={"resourceRules": [rule]}) == []


async def test_the_status_tells_of_the_newest_generation(client: Client, policies: Policies) -> None:
    await policies.validating({"expression": "object.foo > 1"}, matchConstraints=RULES)
    async with client.watch(VALIDATING, revision="0") as events:
        async for event in events:
            status = event.object.get("status") or {}
            if status.get("observedGeneration") == 1:
                break
    (warning,) = status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"
