"""Server-side apply through the API: versions, owners, and what is refused."""

from __future__ import annotations

from typing import Any

from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

AUTOSCALER = {
    "metadata": {"name": "web", "namespace": "default"},
    "kind": "HorizontalPodAutoscaler",
}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def autoscalers(version: str) -> Resource:
    return Resource(
        group="autoscaling",
        version=version,
        plural="horizontalpodautoscalers",
        kind="HorizontalPodAutoscaler",
    )


async def apply(
    client: Any, resource: Resource, manager: str, obj: dict[str, Any], *, force: bool = False
) -> Any:
    return await client.patch(
        resource,
        obj["metadata"]["name"],
        {"apiVersion": resource.api_version, "kind": resource.kind, **obj},
        namespace="default",
        patch_type="apply",
        field_manager=manager,
        force=force,
    )


async def refusal(write: Any) -> StatusError:
    try:
        await write
    except StatusError as error:
        return error
    raise AssertionError("it was not refused")


async def test_a_built_in_kind_in_two_versions_compares_owners_in_their_own(client):
    """The CPU target of v1 is a metric of v2: a list, and so owned otherwise."""
    v1, v2 = autoscalers("v1"), autoscalers("v2")
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 5, "targetCPUUtilizationPercentage": 50}
    await apply(client, v1, "first", {**AUTOSCALER, "spec": spec})
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    changed = {**AUTOSCALER, "spec": {"metrics": [{"type": "Resource", "resource": cpu}], "maxReplicas": 5}}
    changed["spec"]["scaleTargetRef"] = TARGET
    error = await refusal(apply(client, v2, "second", changed))
    assert (
        error.message
        == 'Apply failed with 1 conflict: conflict with "first": .spec.targetCPUUtilizationPercentage'
    )
    taken = await apply(client, v2, "second", changed, force=True)
    owners = {entry["manager"]: entry for entry in taken["metadata"]["managedFields"]}
    assert "f:targetCPUUtilizationPercentage" not in owners["first"]["fieldsV1"]["f:spec"]
    assert (owners["first"]["apiVersion"], owners["second"]["apiVersion"]) == (
        "autoscaling/v1",
        "autoscaling/v2",
    )
    assert owners["second"]["fieldsV1"]["f:spec"]["f:metrics"] == {}


async def test_what_is_applied_in_one_version_can_be_withdrawn_in_the_other(client):
    v1, v2 = autoscalers("v1"), autoscalers("v2")
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 5, "minReplicas": 2}
    await apply(client, v1, "me", {**AUTOSCALER, "spec": spec})
    made = await apply(client, v2, "me", {**AUTOSCALER, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 5}})
    assert made["spec"]["minReplicas"] == 1, "its default"
    [entry] = made["metadata"]["managedFields"]
    assert entry["apiVersion"] == "autoscaling/v2"
    assert "f:minReplicas" not in entry["fieldsV1"]["f:spec"]


async def test_an_applied_value_is_held_against_its_type(client):
    pods = Resource(group="", version="v1", plural="pods", kind="Pod")
    container = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "much"}}}
    pod = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container]}}
    error = await refusal(apply(client, pods, "me", pod))
    assert error.code == 400
    assert "quantities must match the regular expression" in error.message
