"""Create, update, patch and apply, through the in-process client."""

import asyncio

import pytest
from tests.unit.apiserver.samples import (
    BUDGETS,
    CONFIGMAPS,
    DEPLOYMENTS,
    PODS,
    ROLES,
    add_service_account,
    config_map,
    deployment,
    pod,
)

from mamekube.objects.status import StatusError


async def refused(awaitable) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def test_create_fills_in_what_the_server_decides(client):
    created = await client.create(CONFIGMAPS, config_map("a", k="v"))
    meta = created["metadata"]
    assert meta["uid"] and meta["creationTimestamp"] and meta["resourceVersion"]
    assert "generation" not in meta
    assert meta["managedFields"][0]["manager"] == "admin"
    assert (await client.get(CONFIGMAPS, "a", namespace="default")) == created


async def test_create_twice_is_already_exists(client):
    await client.create(CONFIGMAPS, config_map("a"))
    error = await refused(client.create(CONFIGMAPS, config_map("a")))
    assert (error.code, error.reason) == (409, "AlreadyExists")
    assert error.message == 'configmaps "a" already exists'


async def test_generate_name_adds_five_characters(client):
    obj = config_map("")
    obj["metadata"] = {"generateName": "web-", "namespace": "default"}
    names = {(await client.create(CONFIGMAPS, obj))["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


async def test_a_new_object_may_not_bring_a_resource_version(client):
    obj = config_map("a")
    obj["metadata"]["resourceVersion"] = "5"
    error = await refused(client.create(CONFIGMAPS, obj))
    assert (error.code, error.message) == (500, "resourceVersion should not be set on objects to be created")


async def test_a_bad_name_is_invalid_with_its_rule(client):
    error = await refused(client.create(CONFIGMAPS, config_map("Not_Good")))
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.message.startswith(
        'ConfigMap "Not_Good" is invalid: metadata.name: Invalid value: "Not_Good": a lowercase RFC 1123 subdomain'
    )
    assert error.details["causes"][0]["field"] == "metadata.name"
    assert error.details["kind"] == "ConfigMap"


async def test_an_object_without_a_name_says_what_it_needs(client):
    obj = config_map("")
    del obj["metadata"]["name"]
    error = await refused(client.create(CONFIGMAPS, obj))
    assert error.message == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )


async def test_an_object_for_another_namespace_is_refused(client):
    obj = config_map("a")
    error = await refused(client.create(CONFIGMAPS, obj, namespace="kube-system"))
    assert error.code == 400
    assert error.message == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


async def test_an_object_of_another_version_is_refused(client):
    obj = deployment("d")
    obj["apiVersion"] = "apps/v1beta1"
    error = await refused(client.create(DEPLOYMENTS, obj))
    assert error.message == (
        "the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)"
    )


async def test_nothing_is_made_in_a_namespace_that_is_not_there(client):
    obj = config_map("a")
    obj["metadata"]["namespace"] = "nowhere"
    error = await refused(client.create(CONFIGMAPS, obj))
    assert error.message == 'namespaces "nowhere" not found'


async def test_a_stale_update_is_a_conflict(client):
    first = await client.create(CONFIGMAPS, config_map("a", k="1"))
    await client.update(CONFIGMAPS, {**first, "data": {"k": "2"}})
    error = await refused(client.update(CONFIGMAPS, {**first, "data": {"k": "3"}}))
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_an_update_that_changes_nothing_writes_nothing(client):
    created = await client.create(CONFIGMAPS, config_map("a", k="1"))
    again = await client.update(CONFIGMAPS, created)
    assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_an_update_without_a_version_replaces_whatever_is_there(client):
    await client.create(CONFIGMAPS, config_map("a", k="1"))
    updated = await client.update(CONFIGMAPS, config_map("a", k="2"))
    assert updated["data"] == {"k": "2"}


async def test_some_kinds_must_be_updated_by_version(client):
    budget = {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
    }
    created = await client.create(BUDGETS, budget)
    del created  # the update names no version
    error = await refused(client.update(BUDGETS, budget))
    assert error.message == (
        'poddisruptionbudgets.policy "b" is invalid: '
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    )
    assert error.details["kind"] == "poddisruptionbudgets"


async def test_version_0_is_no_version(client):
    """Neither for new objects, nor for updates of kinds that need none, nor for those that do."""
    first = config_map("a", k="1")
    first["metadata"]["resourceVersion"] = "0"
    await client.create(CONFIGMAPS, first)
    second = config_map("a", k="2")
    second["metadata"]["resourceVersion"] = "0"
    updated = await client.update(CONFIGMAPS, second)
    assert updated["data"] == {"k": "2"} and updated["metadata"]["resourceVersion"] != "0"
    budget = {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
    }
    await client.create(BUDGETS, budget)
    budget["metadata"]["resourceVersion"] = "0"
    assert "must be specified for an update" in (await refused(client.update(BUDGETS, budget))).message


async def test_an_update_of_what_is_not_there_is_not_found(client):
    error = await refused(client.update(CONFIGMAPS, config_map("a")))
    assert (error.code, error.message) == (404, 'configmaps "a" not found')


async def test_another_uid_is_another_object(client):
    await client.create(CONFIGMAPS, config_map("a"))
    obj = config_map("a", k="v")
    obj["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    error = await refused(client.update(CONFIGMAPS, obj))
    assert error.code == 409
    assert "Precondition failed: UID in precondition" in error.message


async def test_the_generation_counts_changes_of_the_spec_only(client):
    created = await client.create(DEPLOYMENTS, deployment("d"))
    assert created["metadata"]["generation"] == 1
    labelled = await client.patch(DEPLOYMENTS, "d", {"metadata": {"labels": {"x": "y"}}}, namespace="default")
    assert labelled["metadata"]["generation"] == 1
    scaled = await client.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 3}}, namespace="default")
    assert scaled["metadata"]["generation"] == 2


async def test_status_and_spec_are_written_through_their_own_doors(client):
    created = await client.create(DEPLOYMENTS, {**deployment("d"), "status": {"replicas": 9}})
    assert created["status"] == {}
    changed = {**created, "spec": {**created["spec"], "replicas": 5}, "status": {"replicas": 2}}
    after = await client.update(DEPLOYMENTS, changed, subresource="status")
    assert (after["spec"]["replicas"], after["status"]) == (1, {"replicas": 2})
    assert after["metadata"]["generation"] == 1
    whole = await client.update(DEPLOYMENTS, {**after, "status": {"replicas": 7}})
    assert whole["status"] == {"replicas": 2}


async def test_immutable_metadata_stays(client):
    created = await client.create(CONFIGMAPS, config_map("a"))
    changed = {**created, "metadata": {**created["metadata"], "deletionGracePeriodSeconds": 3}}
    error = await refused(client.update(CONFIGMAPS, changed))
    assert error.details["causes"][0]["field"] == "metadata.deletionGracePeriodSeconds"
    assert error.details["causes"][0]["message"].endswith("field is immutable")


@pytest.mark.parametrize(
    ("patch_type", "patch"),
    [
        ("json", [{"op": "replace", "path": "/data/k", "value": "2"}]),
        ("merge", {"data": {"k": "2"}}),
        ("strategic", {"data": {"k": "2"}}),
    ],
)
async def test_every_kind_of_patch(client, patch_type, patch):
    await client.create(CONFIGMAPS, config_map("a", k="1", other="x"))
    patched = await client.patch(CONFIGMAPS, "a", patch, namespace="default", patch_type=patch_type)
    assert patched["data"] == {"k": "2", "other": "x"}


async def test_a_strategic_patch_merges_containers_by_name(client):
    await client.create(DEPLOYMENTS, deployment("d"))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "nginx"}]}}}}
    patched = await client.patch(DEPLOYMENTS, "d", patch, namespace="default", patch_type="strategic")
    containers = patched["spec"]["template"]["spec"]["containers"]
    assert [(container["name"], container["image"]) for container in containers] == [("main", "nginx")]
    assert containers[0]["terminationMessagePath"] == "/dev/termination-log"


async def test_patches_that_race_all_arrive(client):
    await client.create(CONFIGMAPS, config_map("a"))
    patches = [
        client.patch(CONFIGMAPS, "a", {"data": {f"k{number}": "v"}}, namespace="default")
        for number in range(4)
    ]
    await asyncio.gather(*patches)
    assert len((await client.get(CONFIGMAPS, "a", namespace="default"))["data"]) == 4


async def test_a_patch_of_what_is_not_there_is_not_found(client):
    error = await refused(client.patch(CONFIGMAPS, "a", {}, namespace="default"))
    assert error.code == 404


async def test_apply_creates_and_then_owns(client):
    applied = config_map("a", k="1")
    options = {"namespace": "default", "patch_type": "apply", "field_manager": "me"}
    created = await client.patch(CONFIGMAPS, "a", applied, **options)
    entry = created["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("me", "Apply")
    await client.patch(CONFIGMAPS, "a", {"data": {"k": "2"}}, namespace="default")
    error = await refused(client.patch(CONFIGMAPS, "a", applied, **options))
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message.startswith("Apply failed with 1 conflict: conflict with")
    forced = await client.patch(CONFIGMAPS, "a", applied, force=True, **options)
    assert forced["data"] == {"k": "1"}


async def test_apply_needs_a_manager(client):
    error = await refused(
        client.patch(CONFIGMAPS, "a", config_map("a"), namespace="default", patch_type="apply")
    )
    assert error.message == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


async def test_what_a_caller_wrote_stays_its_own(client):
    sent = config_map("a", k="1")
    await client.create(CONFIGMAPS, sent)
    assert sent == config_map("a", k="1")


async def test_users_may_do_what_roles_allow(server):
    stranger = server.client("stranger")
    error = await refused(stranger.list(PODS, namespace="default"))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message == (
        'pods is forbidden: User "stranger" cannot list resource "pods" in API group "" '
        'in the namespace "default"'
    )


async def test_a_pod_is_bound_once(client):
    await add_service_account(client)
    await client.create(PODS, pod("p"))
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    answer = await client.create(PODS, binding, namespace="default", name="p", subresource="binding")
    assert answer["status"] == "Success"
    bound = await client.get(PODS, "p", namespace="default")
    assert bound["spec"]["nodeName"] == "n1"
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
    error = await refused(client.create(PODS, binding, namespace="default", name="p", subresource="binding"))
    assert error.message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    )


async def test_scale_shows_and_sets_the_replicas(client):
    await client.create(DEPLOYMENTS, deployment("d", replicas=2))
    scale = await client.get(DEPLOYMENTS, "d", namespace="default", subresource="scale")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 0, "selector": "app=d"}
    patch = {"spec": {"replicas": 5}}
    after = await client.patch(DEPLOYMENTS, "d", patch, namespace="default", subresource="scale")
    assert after["spec"] == {"replicas": 5}
    assert (await client.get(DEPLOYMENTS, "d", namespace="default"))["spec"]["replicas"] == 5
    error = await refused(
        client.patch(DEPLOYMENTS, "d", {"spec": {"replicas": -1}}, namespace="default", subresource="scale")
    )
    assert error.message == (
        'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )


async def test_what_apply_creates_is_defaulted_and_the_defaults_belong_to_nobody(client):
    options = {"namespace": "default", "patch_type": "apply", "field_manager": "me"}
    created = await client.patch(DEPLOYMENTS, "d", deployment("d"), **options)
    assert created["spec"]["strategy"]["type"] == "RollingUpdate"
    assert created["metadata"]["generation"] == 1
    (entry,) = created["metadata"]["managedFields"]
    assert "f:strategy" not in entry["fieldsV1"]["f:spec"]


async def test_a_finalizer_without_a_domain_must_be_one_that_everybody_knows(client):
    mine = config_map("a")
    mine["metadata"]["finalizers"] = ["orphan", "example.com/mine", "mine"]
    error = await refused(client.create(CONFIGMAPS, mine))
    assert error.message == (
        'ConfigMap "a" is invalid: metadata.finalizers[2]: Invalid value: "mine": name is neither a standard '
        "finalizer name nor is it fully qualified"
    )


async def test_a_namespace_that_was_put_into_an_object_of_the_cluster_is_dropped(client):
    made = await client.create(ROLES, {"metadata": {"name": "r", "namespace": "team"}, "rules": []})
    assert "namespace" not in made["metadata"]
    again = {**made, "metadata": {**made["metadata"], "namespace": "team"}}
    assert "namespace" not in (await client.update(ROLES, again))["metadata"]
