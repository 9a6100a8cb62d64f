"""Server-side apply through the API: versions, owners, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

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


# The replicas -------------------------------------------------------------------------------------------

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SCALABLE = {
    "deployments": ("apps", {"matchLabels": {"a": "b"}}),
    "statefulsets": ("apps", {"matchLabels": {"a": "b"}}),
    "replicasets": ("apps", {"matchLabels": {"a": "b"}}),
    "replicationcontrollers": ("", {"a": "b"}),
}
KINDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
}


async def scale(client: Any, resource: Resource, manager: str, replicas: int, *, force: bool = False) -> Any:
    obj = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "test", "namespace": "default"},
        "spec": {"replicas": replicas},
    }
    return await client.patch(
        resource,
        "test",
        obj,
        namespace="default",
        patch_type="apply",
        subresource="scale",
        field_manager=manager,
        force=force,
    )


@pytest.mark.parametrize("plural", SCALABLE)
async def test_the_replicas_have_owners_whether_the_object_or_its_scale_is_written(client, plural):
    """Upstream: TestScaleAllResources."""
    group, selector = SCALABLE[plural]
    resource = Resource(group=group, version="v1", plural=plural, kind=KINDS[plural])
    obj = {
        "metadata": {"name": "test"},
        "spec": {"replicas": 1, "selector": selector, "template": TEMPLATE},
    }

    async def owners() -> tuple[int, list[tuple[str, str, str]]]:
        found = await client.get(resource, "test", namespace="default")
        entries = found["metadata"]["managedFields"]
        assert {entry["apiVersion"] for entry in entries} == {resource.api_version}
        owning = [
            (entry["manager"], entry["operation"], entry.get("subresource", ""))
            for entry in entries
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        ]
        return found["spec"]["replicas"], owning

    async def merge(manager: str, replicas: int) -> None:
        await client.patch(
            resource,
            "test",
            {"spec": {"replicas": replicas}},
            namespace="default",
            subresource="scale",
            field_manager=manager,
        )

    await apply(client, resource, "apply_test", obj)
    assert await owners() == (1, [("apply_test", "Apply", "")])
    await merge("scale_test", 5)
    assert await owners() == (5, [("scale_test", "Update", "scale")])
    error = await refusal(apply(client, resource, "apply_test", obj))
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "scale_test" with subresource "scale" using '
        f"{resource.api_version}: .spec.replicas"
    )
    await apply(client, resource, "apply_test", obj, force=True)
    assert await owners() == (1, [("apply_test", "Apply", "")])
    error = await refusal(scale(client, resource, "apply_scale", 17))
    assert error.message == 'Apply failed with 1 conflict: conflict with "apply_test": .spec.replicas'
    await scale(client, resource, "apply_scale", 17, force=True)
    assert await owners() == (17, [("apply_scale", "Apply", "scale")])
    await merge("replace_test", 7)
    assert await owners() == (7, [("replace_test", "Update", "scale")])
    error = await refusal(scale(client, resource, "co_owning_test", 8))
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "replace_test" with subresource "scale" using '
        "autoscaling/v1: .spec.replicas"
    )
    await scale(client, resource, "co_owning_test", 7)
    assert await owners() == (7, [("co_owning_test", "Apply", "scale"), ("replace_test", "Update", "scale")])
    await merge("scale_test", 5)
    assert await owners() == (5, [("scale_test", "Update", "scale")])


# What is refused ----------------------------------------------------------------------------------------

CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")


async def test_an_apply_names_its_manager(client):
    """Upstream: TestApplyRequiresFieldManager."""
    error = await refusal(apply(client, CONFIG_MAPS, "", {"metadata": {"name": "c"}}))
    assert error.code == 422
    assert error.message == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


async def test_an_apply_is_of_the_version_that_it_is_sent_to(client):
    """Upstream: TestApplyFailsWithVersionMismatch. Whether there is something already makes no difference."""
    obj = {"apiVersion": "v1beta", "kind": "ConfigMap", "metadata": {"name": "c"}}
    for _ in range(2):
        error = await refusal(
            client.patch(CONFIG_MAPS, "c", obj, namespace="default", patch_type="apply", field_manager="m")
        )
        assert (error.code, error.message) == (
            400,
            "Incorrect version specified in apply patch. Specified patch version: v1beta, expected: v1",
        )
        await apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c"}})


async def test_what_has_a_uid_is_not_created_by_an_apply(client):
    """Upstream: TestCreateOnApplyFailsWithUID."""
    uid = "88e00824-7f0e-11e8-94a1-c8d3ffb15800"
    error = await refusal(apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c", "uid": uid}}))
    assert error.code == 409


async def test_managed_fields_are_not_applied(client):
    for fields in ([], [{"manager": "x", "operation": "Apply"}]):
        meta = {"name": "c", "managedFields": fields}
        error = await refusal(apply(client, CONFIG_MAPS, "m", {"metadata": meta}))
        assert (error.code, error.message) == (400, "metadata.managedFields must be nil")


async def test_a_stale_resource_version_in_an_apply_is_a_conflict(client):
    made = await apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    stale = {"name": "c", "resourceVersion": made["metadata"]["resourceVersion"]}
    await apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c"}, "data": {"a": "2"}})
    error = await refusal(apply(client, CONFIG_MAPS, "m", {"metadata": stale, "data": {"a": "3"}}))
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "c": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


# Managed fields that clients write ----------------------------------------------------------------------


async def test_managers_beyond_ten_are_ancient(client):
    """Upstream: TestApplyGroupsManySeparateUpdates."""
    await apply(client, CONFIG_MAPS, "apply_test", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    for number in range(20):
        patch = {"metadata": {"labels": {f"label-{number}": "x"}}}
        await client.patch(CONFIG_MAPS, "c", patch, namespace="default", field_manager=f"updater-{number}")
    entries = (await client.get(CONFIG_MAPS, "c", namespace="default"))["metadata"]["managedFields"]
    assert len(entries) == 11
    assert [entry["operation"] for entry in entries] == ["Apply"] + ["Update"] * 10
    assert "ancient-changes" in {entry["manager"] for entry in entries}


async def test_a_write_that_changes_nothing_leaves_the_resource_version(client):
    """Upstream: TestNoOpUpdateSameResourceVersion and TestNoSemanticUpdateApplySameResourceVersion."""
    obj = {"metadata": {"name": "c"}, "data": {"a": "1"}}
    made = await apply(client, CONFIG_MAPS, "m", obj)
    assert await apply(client, CONFIG_MAPS, "m", obj) == made
    assert await client.update(CONFIG_MAPS, made) == made
    shared = await apply(client, CONFIG_MAPS, "other", obj)
    assert shared["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    assert await apply(client, CONFIG_MAPS, "other", obj) == shared


@pytest.mark.parametrize("fields", [None, "nonsense", [{"manager": "x"}], [{"operation": "Update"}]])
async def test_managed_fields_that_make_no_sense_do_not_stop_an_update(client, fields):
    """Upstream: TestErrorsDontFailUpdate and TestErrorsDontFailPatch."""
    await apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    before = await client.get(CONFIG_MAPS, "c", namespace="default")
    if not isinstance(fields, str):
        patch = {"metadata": {"managedFields": fields, "labels": {"b": "2"}}}
        await client.patch(CONFIG_MAPS, "c", patch, namespace="default", field_manager="n")
        found = await client.get(CONFIG_MAPS, "c", namespace="default")
        owners = {entry["manager"] for entry in found["metadata"]["managedFields"]}
        assert owners == {"m", "n"}
        assert before["metadata"]["managedFields"][0] in found["metadata"]["managedFields"]


@pytest.mark.parametrize("way", ["merge", "json", "strategic", "update"])
@pytest.mark.parametrize("cleared", [[{}], []])
async def test_one_empty_entry_or_none_clears_the_managers_until_the_next_apply(client, way, cleared):
    """Upstream: TestClearManagedFieldsWith… Its pages say that an empty list clears nothing; its server disagrees."""
    made = await apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    if way == "update":
        made = {**made, "metadata": {**made["metadata"], "managedFields": cleared}}
        found = await client.update(CONFIG_MAPS, made)
    else:
        patch: Any = {"metadata": {"managedFields": cleared}}
        if way == "json":
            patch = [{"op": "replace", "path": "/metadata/managedFields", "value": cleared}]
        found = await client.patch(CONFIG_MAPS, "c", patch, namespace="default", patch_type=way)
    assert "managedFields" not in found["metadata"]
    found = await client.patch(CONFIG_MAPS, "c", {"data": {"a": "2"}}, namespace="default")
    assert "managedFields" not in found["metadata"]
    found = await apply(client, CONFIG_MAPS, "m", {"metadata": {"name": "c"}, "data": {"b": "1"}})
    assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == ["m", "before-first-apply"]


async def test_kubectl_moves_from_update_to_apply_by_a_json_patch(client):
    """What `kubectl apply --server-side` does with an object of client-side apply before it applies."""
    obj = {"metadata": {"name": "c", "namespace": "default"}, "data": {"a": "1", "b": "2"}}
    await client.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **obj})
    found = await client.get(CONFIG_MAPS, "c", namespace="default")
    [entry] = found["metadata"]["managedFields"]
    moved = {**entry, "manager": "kubectl", "operation": "Apply"}
    revision = found["metadata"]["resourceVersion"]
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": [moved]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": revision},
    ]
    await client.patch(CONFIG_MAPS, "c", patch, namespace="default", patch_type="json")
    applied = await apply(client, CONFIG_MAPS, "kubectl", {**obj, "data": {"a": "1"}})
    assert applied["data"] == {"a": "1"}, "what kubectl no longer applies is gone"
    [entry] = applied["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["fieldsV1"]) == (
        "kubectl",
        "Apply",
        {"f:data": {"f:a": {}}},
    )


async def test_a_status_is_not_applied_with_its_object_nor_the_object_with_its_status(client):
    deployments = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    obj = {"metadata": {"name": "d"}, "spec": spec, "status": {"observedGeneration": 7}}
    made = await apply(client, deployments, "m", obj)
    assert made["status"] == {}
    assert list(made["metadata"]["managedFields"][0]["fieldsV1"]) == ["f:spec"]
    patch = {**obj, "apiVersion": "apps/v1", "kind": "Deployment", "spec": {**spec, "replicas": 9}}
    found = await client.patch(
        deployments,
        "d",
        patch,
        namespace="default",
        patch_type="apply",
        subresource="status",
        field_manager="controller",
        force=True,
    )
    assert (found["status"], found["spec"]["replicas"]) == ({"observedGeneration": 7}, 1)
    [entry] = [entry for entry in found["metadata"]["managedFields"] if entry["manager"] == "controller"]
    assert (entry["subresource"], list(entry["fieldsV1"])) == ("status", ["f:status"])
